"""A board's serial port, and the conversations over it."""
