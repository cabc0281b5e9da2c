"""Measures the station's costs as a user runs it, against computed bounds. `python -m benchmarks`."""
