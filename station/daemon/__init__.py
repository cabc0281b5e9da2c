# SPDX-License-Identifier: Apache-2.0
"""The running daemon: how its parts are put together, and how commands talk with it."""
