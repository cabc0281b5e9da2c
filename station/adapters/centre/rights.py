# SPDX-License-Identifier: Apache-2.0
"""The roles of the centre's database, and what each may do with its tables.

The owner has all rights and is used by `station central` alone. A station logs in with a role of its own, a member of
`station_writer`; whoever asks questions only is a member of `station_reader`.
"""

from collections.abc import Iterator, Sequence

from psycopg import Connection, sql

WRITER, READER = "station_writer", "station_reader"

_READ_BY_BOTH = (
    "server",
    "central",
    "central_version",
    "station",
    "incarnation",
    "lot",
    "approval",
    "block",
    "unit",
    "yield",
)

# What a writer may read besides, add and change; nothing may be deleted.
_READS = ("pairing", "identity", "pai", "certificate", "request")
_ADDS = (
    "incarnation",
    "block",
    "pairing",
    "unit",
    "identity",
    "pai",
    "certificate",
    "request",
    "attempt",
    "segment",
    "yield",
    "checkpoint",
    "anomaly",
)
_CHANGES = {
    "central": ("tick", "frozen", "fleet_check"),
    "station": ("incarnations", "public_key"),
    "incarnation": ("closed", "next_line", "head", "heard_at", "newest_at"),
    "lot": ("next_block",),
    "block": ("state", "taken"),
    "unit": (
        "station",
        "incarnation",
        "epoch",
        "lot",
        "idx",
        "rank",
        "verdict",
        "fault",
        "first_verdict",
        "release",
        "attempts",
    ),
    "request": ("answered",),
    "yield": ("attempts",),
}

# Neither secrets, which are sealed, nor segments, which hold them too.
_READER_READS = ("attempt", "certificate", "pai", "request", "checkpoint", "anomaly", "unit_shown")
_READER_COLUMNS = {
    "identity": ("lot", "idx", "uid", "station", "incarnation", "serial_number"),
    "segment": ("station", "incarnation", "first_line", "last_line", "received_at"),
}


def missing_roles(connection: Connection) -> Sequence[str]:
    """The SQL that makes the roles which the server does not have yet."""
    there = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'station\\_%'")}
    return [f"CREATE ROLE {role} NOLOGIN" for role in (WRITER, READER) if role not in there]


def grant(connection: Connection) -> None:
    """Gives both roles their rights, and takes all others away; may be repeated."""
    for statement in _statements(connection):
        connection.execute(statement)


def _statements(connection: Connection) -> Iterator[sql.Composed]:
    (schema,) = connection.execute("SELECT current_schema()").fetchone() or ("public",)
    here, both = sql.Identifier(schema), sql.SQL(", ").join(map(sql.Identifier, (WRITER, READER)))
    yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM PUBLIC, {}").format(here, both)
    yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(here, both)
    yield sql.SQL("GRANT SELECT ON {} TO {}").format(_tables(_READ_BY_BOTH), both)
    yield sql.SQL("GRANT SELECT ON {} TO {}").format(_tables(_READS), sql.Identifier(WRITER))
    yield sql.SQL("GRANT INSERT ON {} TO {}").format(_tables(_ADDS), sql.Identifier(WRITER))
    for table, columns in _CHANGES.items():
        yield sql.SQL("GRANT UPDATE ({}) ON {} TO {}").format(
            _tables(columns), sql.Identifier(table), sql.Identifier(WRITER)
        )
    yield sql.SQL("GRANT SELECT ON {} TO {}").format(_tables(_READER_READS), sql.Identifier(READER))
    for table, columns in _READER_COLUMNS.items():
        yield sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(
            _tables(columns), sql.Identifier(table), sql.Identifier(READER)
        )


def _tables(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
