"""What is known exactly, and how: references of systems, and what tests compare with."""
