# SPDX-License-Identifier: Apache-2.0
"""Measures the station's costs as a user runs it, against computed bounds. `python -m benchmarks`."""
