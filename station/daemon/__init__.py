# SPDX-License-Identifier: Apache-2.0
"""The running daemon: its parts, and the socket on which commands talk to it."""
