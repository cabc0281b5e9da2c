# SPDX-License-Identifier: Apache-2.0
"""The evidence of one lot in one signed file: its form, how it is written, and how it is verified without a ledger."""
