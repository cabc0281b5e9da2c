# SPDX-License-Identifier: Apache-2.0
"""Alembic runs this file to write migrations down as SQL; the transaction is its caller's."""

from alembic import context

context.configure(
    dialect_name="postgresql", version_table="central_version", output_buffer=context.config.attributes["script"]
)
context.run_migrations()
