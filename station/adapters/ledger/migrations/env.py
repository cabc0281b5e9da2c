# SPDX-License-Identifier: Apache-2.0
"""Alembic runs this file to apply migrations; the transaction is its caller's."""

from alembic import context

from station.adapters.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
