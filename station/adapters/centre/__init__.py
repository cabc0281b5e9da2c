# SPDX-License-Identifier: Apache-2.0
"""The ledger that stations share, on PostgreSQL: the one home of psycopg."""
