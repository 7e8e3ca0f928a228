"""Arrays, devices and random streams."""
