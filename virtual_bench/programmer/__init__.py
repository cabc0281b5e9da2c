# SPDX-License-Identifier: Apache-2.0
"""STM32_Programmer_CLI: its arguments, its effects on a board, and its output."""
