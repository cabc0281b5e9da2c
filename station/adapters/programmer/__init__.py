# SPDX-License-Identifier: Apache-2.0
"""STM32_Programmer_CLI: runs it, reads its output, and decides what the output proves."""
