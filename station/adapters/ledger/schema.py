# SPDX-License-Identifier: Apache-2.0
"""Brings a ledger's tables up to date. A new ledger's come from `schema.sql`; only those of an earlier version need Alembic.

`python -m tests.builders.ledger_schema` writes `schema.sql` after a new migration; its tables are those that all migrations make.
"""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection

from station.adapters.ledger.station_keys import StationKeys

NEWEST = "0019"
"""The newest version in `migrations/versions/`."""

_MADE = Path(__file__).with_name("schema.sql")
_STATE = "INSERT INTO secrets_state (one, key_id, scrub) VALUES (1, ?, 0)"


class Refused(Exception):
    """The ledger cannot be brought up to date."""


def upgrade(connection: Connection, keys: StationKeys) -> None:
    """Brings the tables up to date in one transaction; raises `Refused` for a ledger of a later version than this."""
    with connection.begin():
        tables = set(connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table'").scalars())
        if "alembic_version" in tables:
            versions = set(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())
            if versions == {NEWEST}:
                return
        elif not tables:
            _make(connection, keys)
            return
    from station.adapters.ledger import (
        migrations,
    )  # Alembic costs a quarter of a second, and 8 MB for as long as the daemon runs

    migrations.upgrade(connection, keys)


def _make(connection: Connection, keys: StationKeys) -> None:
    """The tables of a new ledger."""
    key = keys.made()
    for statement in statements():
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(_STATE, (key.id,))


@cache
def statements() -> tuple[str, ...]:
    """The statements that make tables, indexes, triggers and first rows; a blank line is between two of them."""
    _licence, *found = _MADE.read_text(encoding="utf-8").split("\n\n")
    return tuple(found)
