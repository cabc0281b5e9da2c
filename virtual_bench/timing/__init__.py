"""How long the bench's work takes: clock, durations and their noise."""
