# SPDX-License-Identifier: Apache-2.0
"""The ways to the MES: what goes out of the ledger's outbox, and the question before a board is touched."""
