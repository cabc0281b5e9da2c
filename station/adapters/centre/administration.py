# SPDX-License-Identifier: Apache-2.0
"""What people do at the centre, over a connection as its owner: each function is one transaction."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from station.adapters.centre import rights, schema
from station.adapters.centre.sessions import Refused
from station.adapters.centre.version import KNOWN
from station.domain.serial_range import ranges

TICKS = 1_000_000  # more than there can have been grants since a backup
INCARNATIONS = 1000  # more than there can have been enrolments
EXACT = 1_000_000  # units above which their number is the server's estimate
RELEASE = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class CentreStanding:
    revision: str
    tick: int
    system_id: str
    timeline: int
    same_server: bool
    """Whether it runs where it did when it was made or its restoration was accepted."""
    started_at: datetime
    """The server's start."""
    open_from: datetime
    frozen: str | None
    stations: int
    lots: int
    units: int
    anomalies: int
    """Those that nobody has settled."""
    server_version: str


@dataclass(frozen=True, slots=True)
class LotRow:
    """A lot; `given`, `held`, `returned` and `burned` count blocks. The next new block that is given has `next_block` as its number."""

    name: str
    serial_format: str
    first: int
    size: int
    grid: int
    given: int
    held: int
    returned: int
    burned: int
    releases: Sequence[str]
    next_block: int


@dataclass(frozen=True, slots=True)
class StationRow:
    """A station by its newest incarnation; 0 and None before the first one.

    `skew_ms` is how far its newest line's moment is in the future, None if it is not. `items_left` are the serial numbers of its
    blocks that no unit has got yet, as far as its journal is here.
    """

    name: str
    db_role: str
    incarnation: int
    closed: bool
    retired: bool
    heard_at: datetime | None
    newest_at: datetime | None
    lines: int
    skew_ms: int | None
    blocks_held: int
    items_left: int


@dataclass(frozen=True, slots=True)
class Retired:
    """How many incarnations were closed and how many blocks burned."""

    incarnations: int
    blocks: int


@dataclass(frozen=True, slots=True)
class AnomalyRow:
    id: int
    at: datetime
    kind: str
    detail: Mapping[str, object]
    settled_by: str | None


@dataclass(frozen=True, slots=True)
class AcceptedRestore:
    """How many blocks of each lot were skipped, and the tick from which the centre goes on."""

    lots: Mapping[str, int]
    tick: int


def init(connection: Connection) -> Sequence[str]:
    """Makes the roles and tables, or brings them up to date. May be repeated.

    Returns the SQL that this role may not run: empty if all is done, otherwise have it run and repeat.
    """
    if missing := _make_roles(connection):
        return missing
    upgrade(connection)
    return []


def upgrade(connection: Connection) -> tuple[str | None, str]:
    """Brings the tables up to date; returns their revision before and after."""
    with connection.transaction():
        before = _revision(connection)
        if before is not None and not schema.known(before):
            raise Refused(
                f"a later version of the station made its tables: they are of version {before}, and this one knows those up to"
                f" {KNOWN}. Use the later version"
            )
        if script := schema.script(before):
            connection.execute(script.encode())
        connection.execute(
            "INSERT INTO central (system_id, timeline) SELECT system_id, timeline FROM server ON CONFLICT DO NOTHING"
        )
        rights.grant(connection)
    return before, KNOWN


def standing(connection: Connection) -> CentreStanding:
    with connection.transaction():
        row = _one(
            connection,
            "SELECT (SELECT version_num FROM central_version), c.tick, c.system_id, c.timeline,"
            "   (c.system_id, c.timeline) = (s.system_id, s.timeline), s.started_at, c.open_from, c.frozen,"
            "   (SELECT count(*) FROM station), (SELECT count(*) FROM lot),"
            "   (SELECT reltuples::bigint FROM pg_class WHERE oid = 'unit'::regclass),"
            "   (SELECT count(*) FROM anomaly WHERE settled_by IS NULL), current_setting('server_version')"
            " FROM central c, server s",
        )
        estimated = CentreStanding(*row)
        if estimated.units >= EXACT:
            return estimated
        (units,) = _one(connection, "SELECT count(*) FROM unit")
    return replace(estimated, units=units)


def add_lot(connection: Connection, name: str, serial_format: str, first: int, size: int) -> None:
    """Makes a lot known. Raises `Refused` if it could make a serial number of another lot."""
    try:
        new = list(ranges(serial_format, first, size))
    except ValueError as exc:
        raise Refused(f"the serial number format {serial_format!r} does not fit: {exc}") from exc
    if not new:
        raise Refused("a lot has at least one serial number")
    with connection.transaction():
        connection.execute("LOCK TABLE lot IN SHARE ROW EXCLUSIVE MODE")
        for other, other_format, other_first, other_size in connection.execute(
            "SELECT name, serial_format, first, size FROM lot"
        ).fetchall():
            if other == name:
                raise Refused(f"there is a lot {name} already")
            if any(one.meets(two) for one in new for two in ranges(other_format, other_first, other_size)):
                raise Refused(
                    f"lot {other} ({other_format}, {other_size} from {other_first}) has serial numbers of this one"
                )
        connection.execute(
            "INSERT INTO lot (name, serial_format, first, size) VALUES (%s, %s, %s, %s)",
            [name, serial_format, first, size],
        )


def lots(connection: Connection) -> Sequence[LotRow]:
    rows = connection.execute(
        "SELECT l.name, l.serial_format, l.first, l.size, l.grid, count(b.number),"
        "   count(b.number) FILTER (WHERE b.state = 'held'), count(b.number) FILTER (WHERE b.state = 'returned'),"
        "   count(b.number) FILTER (WHERE b.state = 'burned'),"
        "   ARRAY(SELECT release FROM approval a WHERE a.lot = l.name ORDER BY approved_at, release), l.next_block"
        " FROM lot l LEFT JOIN block b ON b.lot = l.name GROUP BY l.name ORDER BY l.name"
    )
    return [LotRow(*row) for row in rows.fetchall()]


def approve(connection: Connection, release: str, lot: str | None = None) -> Sequence[str]:
    """Has blocks of the lot (None: of every lot that there is) given for the release. Returns the lots' names."""
    if not RELEASE.fullmatch(release):
        raise Refused("a release is named by 64 hexadecimal digits, as `station status` has them")
    with connection.transaction():
        approved = connection.execute(
            "SELECT name FROM lot WHERE name = coalesce(%s::text, name) ORDER BY name", [lot]
        ).fetchall()
        if not approved:
            raise Refused(f"there is no lot {lot}" if lot else "there is no lot yet: `station central lots add`")
        connection.execute(
            "INSERT INTO approval (lot, release) SELECT n.lot, %s FROM unnest(%s::text[]) AS n(lot)"
            " ON CONFLICT DO NOTHING",
            [release, [name for (name,) in approved]],
        )
    return [name for (name,) in approved]


def revoke(connection: Connection, release: str, lot: str | None = None) -> Sequence[str]:
    """Takes approvals back: no more blocks are given for the release. What stations hold they still use."""
    gone = connection.execute(
        "DELETE FROM approval WHERE release = %s AND lot = coalesce(%s::text, lot) RETURNING lot", [release, lot]
    )
    return sorted(name for (name,) in gone.fetchall())


def add_station(connection: Connection, name: str, db_role: str, public_key: bytes | None = None) -> Sequence[str]:
    """Makes a station known by its role, and its public key (Ed25519, 32 bytes) if it signs.

    Makes the role, too, if there is none, with the rights of a station. Returns the SQL that this role may not run, as `init`.
    """
    with connection.transaction():
        try:
            connection.execute(
                "INSERT INTO station (name, db_role, public_key) VALUES (%s, %s, %s)", [name, db_role, public_key]
            )
        except psycopg.errors.UniqueViolation as exc:
            raise Refused(f"a station {name}, or one with the role {db_role}, is known already") from exc
    role = sql.Identifier(db_role)
    wanted = [sql.SQL("GRANT {} TO {}").format(sql.Identifier(rights.WRITER), role)]
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [db_role]).fetchone() is None:
        wanted.insert(0, sql.SQL("CREATE ROLE {} LOGIN").format(role))
    return _run_or_return(connection, [each.as_string(connection) for each in wanted])


def stations(connection: Connection) -> Sequence[StationRow]:
    rows = connection.execute(
        "SELECT s.name, s.db_role, coalesce(i.number, 0), coalesce(i.closed, false), coalesce(i.retired, false), i.heard_at,"
        "   i.newest_at, coalesce(i.next_line - 1, 0),"
        "   CASE WHEN i.newest_at > i.heard_at THEN (extract(epoch FROM i.newest_at - i.heard_at) * 1000)::bigint END,"
        "   (SELECT count(*) FROM block b WHERE b.station = s.id AND b.state = 'held'),"
        "   (SELECT coalesce(sum(least(l.grid, l.size - b.number * l.grid) - b.taken), 0)::bigint"
        "    FROM block b JOIN lot l ON l.name = b.lot WHERE b.station = s.id AND b.state = 'held')"
        " FROM station s LEFT JOIN LATERAL"
        "   (SELECT * FROM incarnation WHERE station = s.id ORDER BY number DESC LIMIT 1) i ON true ORDER BY s.name"
    )
    return [StationRow(*row) for row in rows.fetchall()]


def retire(connection: Connection, name: str) -> Retired:
    """A station will never come back: its blocks are burned, and nobody waits for the answers to its requests any more."""
    with connection.transaction():
        row = connection.execute("SELECT id FROM station WHERE name = %s FOR UPDATE", [name]).fetchone()
        if row is None:
            raise Refused(f"there is no station {name}")
        closed = connection.execute(
            "UPDATE incarnation SET closed = true, retired = true WHERE station = %s AND NOT retired", row
        )
        burned = connection.execute("UPDATE block SET state = 'burned' WHERE station = %s AND state = 'held'", row)
    return Retired(closed.rowcount, burned.rowcount)


def anomalies(connection: Connection, *, settled: bool = False) -> Sequence[AnomalyRow]:
    """The anomalies that nobody has settled, or all of them."""
    rows = connection.execute(
        "SELECT id, at, kind, detail, settled_by FROM anomaly WHERE settled_by IS NULL OR %s ORDER BY id", [settled]
    )
    return [AnomalyRow(*row) for row in rows.fetchall()]


def settle(connection: Connection, number: int, by: str) -> None:
    settled = connection.execute(
        "UPDATE anomaly SET settled_by = %s WHERE id = %s AND settled_by IS NULL", [by, number]
    )
    if not settled.rowcount:
        raise Refused(f"there is no anomaly {number} that is not settled")


def join(connection: Connection, station: str, hashes: Sequence[int]) -> int:
    """Enters the pairs of a ledger that was standalone. Returns how many of them another station has, too.

    The ledger may tell of serial numbers of that time from now on. Their blocks are given to nobody, so have a ledger join before
    stations get blocks of its lots.
    """
    with connection.transaction():
        row = connection.execute("UPDATE station SET joined = true WHERE name = %s RETURNING id", [station]).fetchone()
        if row is None:
            raise Refused(f"there is no station {station}")
        connection.execute(
            "INSERT INTO pairing (hash, station, incarnation)"
            " SELECT n.hash, %s, 0 FROM unnest(%s::bigint[]) AS n(hash) ORDER BY n.hash ON CONFLICT DO NOTHING",
            [row[0], list(hashes)],
        )
        (others,) = _one(
            connection,
            "SELECT count(*) FROM pairing WHERE hash = ANY(%s::bigint[]) AND station <> %s",
            [list(hashes), row[0]],
        )
    return int(others)


def open_now(connection: Connection) -> None:
    """Ends the wait after the server's start."""
    connection.execute("UPDATE central SET open_from = now()")


def least_skip(connection: Connection) -> int:
    """The fewest blocks that must be skipped of each lot: 1 if the centre was set back, which cannot know more, else 0."""
    found = standing(connection)
    return 0 if found.same_server and found.frozen is None else 1


def accept_restore(connection: Connection, skip: int) -> AcceptedRestore:
    """Has a centre that was set back go on: it skips so many blocks of each lot, and may give again.

    `skip` must be more than what any lot has lost since the backup: look at what the stations hold.
    """
    if skip < (least := least_skip(connection)):
        raise Refused(f"at least {least} block of each lot must be skipped")
    with connection.transaction():
        # In the order in which grants lock rows.
        connection.execute("UPDATE station SET incarnations = incarnations + %s", [INCARNATIONS])
        before = dict[str, int](connection.execute("SELECT name, next_block FROM lot FOR UPDATE").fetchall())
        after = connection.execute(
            "UPDATE lot SET next_block = least(next_block + %s, (size + grid - 1) / grid) RETURNING name, next_block",
            [skip],
        ).fetchall()
        (tick,) = _one(
            connection,
            "UPDATE central SET tick = tick + %s, generation = gen_random_uuid(), started_at = now(), open_from = now(),"
            "   frozen = NULL, system_id = server.system_id, timeline = server.timeline FROM server RETURNING tick",
            [TICKS],
        )
    return AcceptedRestore({name: number - before[name] for name, number in sorted(after)}, tick)


def _revision(connection: Connection) -> str | None:
    if _one(connection, "SELECT to_regclass('central_version')") == (None,):
        return None
    connection.execute("LOCK TABLE central_version IN EXCLUSIVE MODE")  # two people upgrade one after the other
    row = connection.execute("SELECT version_num FROM central_version").fetchone()
    return row[0] if row else None


def _make_roles(connection: Connection) -> Sequence[str]:
    return _run_or_return(connection, rights.missing_roles(connection))


def _run_or_return(connection: Connection, statements: Sequence[str]) -> Sequence[str]:
    """Runs the statements, or returns them all if this role may not run one of them."""
    try:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege:
        return statements
    return []


def _one(connection: Connection, query: str, values: Sequence[object] = ()) -> TupleRow:
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return row
