# SPDX-License-Identifier: Apache-2.0
"""Protocols on the board's UART, without I/O: bytes in, values out. Pure."""
