# SPDX-License-Identifier: Apache-2.0
"""The months of `attempt` and `segment`: made ahead, and detached when nobody asks for them any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from psycopg import Connection, sql

TABLES = {"attempt": "started_at", "segment": "received_at"}
AHEAD = 3  # months
KEPT = 13  # months


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """A partition with its size; `since` and `until` are None for the one that takes the rest."""

    table: str
    name: str
    since: datetime | None
    until: datetime | None
    bytes: int


def partitions(connection: Connection) -> Sequence[PartitionRow]:
    """The attached partitions, the oldest of each table first."""
    rows = connection.execute(
        "SELECT p.relname, c.relname, pg_total_relation_size(c.oid) FROM pg_inherits i"
        " JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE p.relname = ANY(%s) AND p.relkind = 'p' AND p.relnamespace = current_schema()::regnamespace"
        " ORDER BY p.relname, c.relname",
        [list(TABLES)],
    )
    found = []
    for table, name, size in rows.fetchall():
        since, until = _period(table, name)
        found.append(PartitionRow(table, name, since, until, size))
    return found


def made(connection: Connection, months: int = AHEAD, today: date | None = None) -> Sequence[str]:
    """Makes what is missing of this month's partitions and those of so many months ahead. Returns their names.

    Rows of those months that the partition for the rest has taken meanwhile go to their own.
    """
    first = _first_of(today or datetime.now(UTC).date())
    there = {each.name for each in partitions(connection)}
    names = []
    for table in TABLES:
        for begin in (_later(first, number) for number in range(months + 1)):
            if (name := _name(table, begin)) not in there:
                _make(connection, table, name, begin)
                names.append(name)
    return names


def detach(connection: Connection, before: date | None = None) -> Sequence[str]:
    """Detaches the months that end before this day: by default those older than 13 months. Returns their names.

    A detached partition is a table of its own, to be kept elsewhere and dropped. Detached segments are audited no more.
    """
    limit = before or _later(_first_of(datetime.now(UTC).date()), -KEPT)
    with connection.transaction():
        old = [each for each in partitions(connection) if each.until is not None and each.until.date() <= limit]
        for each in old:
            connection.execute(
                sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(
                    sql.Identifier(each.table), sql.Identifier(each.name)
                )
            )
        if until := max((each.until for each in old if each.until is not None), default=None):
            connection.execute("UPDATE central SET kept_from = greatest(kept_from, %s)", [until])
    return [each.name for each in old]


def _make(connection: Connection, table: str, name: str, begin: date) -> None:
    """Makes one month and moves its rows there: PostgreSQL refuses a partition whose rows the default one has."""
    rest, column = sql.Identifier(f"{table}_rest"), sql.Identifier(TABLES[table])
    since, until = _moment(begin), _moment(_later(begin, 1))
    with connection.transaction():
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table)))
        connection.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE moved ON COMMIT DROP AS SELECT * FROM {} WHERE {} >= {} AND {} < {}"
            ).format(rest, column, sql.Literal(since), column, sql.Literal(until))
        )
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE {} >= %s AND {} < %s").format(rest, column, column), [since, until]
        )
        connection.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier(name), sql.Identifier(table), sql.Literal(since), sql.Literal(until)
            )
        )
        connection.execute(sql.SQL("INSERT INTO {} SELECT * FROM moved").format(sql.Identifier(table)))


def _name(table: str, begin: date) -> str:
    return f"{table}_{begin:%Y_%m}"


def _period(table: str, name: str) -> tuple[datetime | None, datetime | None]:
    """Since when and until when a partition has rows, by its name."""
    try:
        begin = datetime.strptime(name, f"{table}_%Y_%m").replace(tzinfo=UTC).date()
    except ValueError:
        return None, None
    return _moment(begin), _moment(_later(begin, 1))


def _first_of(day: date) -> date:
    return day.replace(day=1)


def _later(first: date, months: int) -> date:
    """The first day of the month so many months later."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, 1)


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
