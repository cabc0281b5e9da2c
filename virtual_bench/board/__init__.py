# SPDX-License-Identifier: Apache-2.0
"""One board: its flash, its two cores, its serial port and its option bytes."""
