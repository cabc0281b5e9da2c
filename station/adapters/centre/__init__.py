# SPDX-License-Identifier: Apache-2.0
"""The centre, a PostgreSQL that many stations share: its tables, and every transaction that is carried out there."""
