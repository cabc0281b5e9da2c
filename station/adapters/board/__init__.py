# SPDX-License-Identifier: Apache-2.0
"""A board's serial port, and the conversations over it."""
