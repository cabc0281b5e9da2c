"""What the station costs, measured as a user would run it, against bounds that are computed here. `python -m benchmarks`."""
