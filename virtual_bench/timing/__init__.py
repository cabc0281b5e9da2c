# SPDX-License-Identifier: Apache-2.0
"""How long the bench's work takes: clock, durations and their noise."""
