# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a line's files and with this machine, found out without touching a board or a running line."""
