"""What is measured beside the energy."""
