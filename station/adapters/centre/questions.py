# SPDX-License-Identifier: Apache-2.0
"""Questions about all stations, over a connection that only reads. No answer holds a secret, not even a sealed one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from station.domain.serial_number import SerialNumberPattern
from station.domain.serial_range import ranges
from station.domain.shared import Rank
from station.domain.target import UID

By = Literal["station", "slot", "hour", "fault"]
ROWS = 500  # that a server-side cursor brings at once

_UNIT = """
SELECT u.uid, u.serial_number, u.lot, u.station, u.rank, u.verdict, u.fault, u.attempts,
       (SELECT upper(encode(c.dac_serial, 'hex')) FROM certificate c WHERE c.uid = u.uid ORDER BY c.told_at DESC LIMIT 1)
FROM unit_shown u
"""
_FILTERED = """
WHERE (%(lot)s::text IS NULL OR u.lot = %(lot)s) AND (%(station)s::text IS NULL OR u.station = %(station)s)
  AND (%(verdict)s::text IS NULL OR u.verdict = %(verdict)s)
"""
# The newest of each station by its index, and then the newest of these.
_JOIN_NEWEST = """
JOIN (SELECT n.uid, n.seen_at FROM station s CROSS JOIN LATERAL
        (SELECT uid, seen_at FROM unit WHERE unit.station = s.id AND (%(verdict)s::text IS NULL OR verdict = %(verdict)s)
         ORDER BY seen_at DESC LIMIT %(newest)s) n
      WHERE %(station)s::text IS NULL OR s.name = %(station)s ORDER BY n.seen_at DESC LIMIT %(newest)s) AS n ON n.uid = u.uid
ORDER BY n.seen_at DESC
"""
# A unit has mostly the identity that was entered for it. CASE keeps PostgreSQL from guessing that few have, and from reading all.
_JOIN_NEWEST_OF_LOT = """
JOIN (SELECT i.uid, i.idx FROM identity i JOIN unit n ON n.uid = i.uid JOIN station s ON s.id = n.station
      WHERE i.lot = %(lot)s AND CASE WHEN n.lot = i.lot AND n.idx = i.idx THEN true ELSE false END AND (%(station)s::text IS NULL OR s.name = %(station)s)
        AND (%(verdict)s::text IS NULL OR n.verdict = %(verdict)s)
      ORDER BY i.idx DESC LIMIT %(newest)s) AS n ON n.uid = u.uid
ORDER BY n.idx DESC
"""
_YIELD = """
SELECT {name}, coalesce(sum(attempts) FILTER (WHERE verdict = 'pass'), 0)::bigint,
       coalesce(sum(attempts) FILTER (WHERE verdict = 'fail'), 0)::bigint,
       coalesce(sum(attempts) FILTER (WHERE verdict = 'void'), 0)::bigint
FROM yield y JOIN station s ON s.id = y.station
WHERE (%(since)s::timestamptz IS NULL OR y.hour >= %(since)s) AND (%(until)s::timestamptz IS NULL OR y.hour < %(until)s)
  AND (%(lot)s::text IS NULL OR y.lot = %(lot)s) AND ({condition})
GROUP BY 1 ORDER BY 1
"""
_NAMES: dict[By, tuple[sql.SQL, sql.SQL]] = {
    "station": (sql.SQL("s.name"), sql.SQL("true")),
    "slot": (sql.SQL("s.name || ' ' || y.slot"), sql.SQL("true")),
    "hour": (sql.SQL("to_char(y.hour AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI\"Z\"')"), sql.SQL("true")),
    "fault": (sql.SQL("y.fault"), sql.SQL("y.fault <> ''")),
}


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit as the centre knows it; `station` is where it was last."""

    uid: UID
    serial_number: str | None
    lot: str | None
    station: str
    rank: Rank
    verdict: str | None
    fault: str | None
    attempts: int
    dac_serial_number: str | None
    """That of its newest certificate."""


@dataclass(frozen=True, slots=True)
class CertificateRow:
    key: str
    dac_serial_number: str


@dataclass(frozen=True, slots=True)
class AttemptRow:
    station: str
    number: int
    slot: str
    verdict: str
    fault: str | None
    started_at: datetime
    seconds: float
    lot: str
    release: str
    laboratory: bool


@dataclass(frozen=True, slots=True)
class UnitStory:
    """One unit with all that stations have told of it; the newest attempt and certificate are last."""

    unit: UnitRow
    epoch: int
    began_at: str | None
    """The station that took its identity."""
    certificates: Sequence[CertificateRow]
    attempts: Sequence[AttemptRow]

    @property
    def stations(self) -> Sequence[str]:
        """Where it was, in order."""
        names = [self.began_at] if self.began_at else []
        return list(dict.fromkeys([*names, *(each.station for each in self.attempts), self.unit.station]))


@dataclass(frozen=True, slots=True)
class YieldRow:
    """Attempts by verdict; `name` is a station, a station and its slot, an hour in UTC, or a fault's code."""

    name: str
    passed: int
    failed: int
    void: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A station as others see it; its attempts are those of this hour and the one before."""

    name: str
    heard_at: datetime | None
    newest_at: datetime | None
    """The moment of the newest line of its journal that the centre has."""
    items_left: int
    passed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Neighbours:
    stations: Sequence[Neighbour]
    anomalies: int
    """Those that nobody has settled."""


def units(
    connection: Connection,
    *,
    newest: int | None = None,
    lot: str | None = None,
    station: str | None = None,
    verdict: str | None = None,
) -> Iterator[UnitRow]:
    """Units in constant memory: all, or the newest so many, which of a lot are those of the highest serial numbers."""
    which = _FILTERED if newest is None else _JOIN_NEWEST if lot is None else _JOIN_NEWEST_OF_LOT
    given = {"newest": newest, "lot": lot, "station": station, "verdict": verdict}
    with connection.transaction(), connection.cursor(name="units") as cursor:
        cursor.itersize = ROWS
        cursor.execute((_UNIT + which).encode(), given)
        for row in cursor:
            yield _unit(row)


def unit(connection: Connection, name: str) -> UnitStory | None:
    """The unit with this UID or serial number."""
    with connection.transaction():
        uid = _uid(connection, name)
        if uid is None:
            return None
        row = connection.execute((_UNIT + "WHERE u.uid = %s").encode(), [uid]).fetchone()
        if row is None:
            return None
        epoch, began_at = _first(connection, "SELECT epoch, began_at FROM unit_shown WHERE uid = %s", uid)
        certificates = connection.execute(
            "SELECT encode(key, 'hex'), upper(encode(dac_serial, 'hex')) FROM certificate WHERE uid = %s"
            " ORDER BY told_at, key",
            [uid],
        ).fetchall()
        attempts = connection.execute(
            "SELECT s.name, a.number, a.slot, a.verdict, a.fault, a.started_at, a.seconds, a.lot, a.release, a.laboratory"
            " FROM attempt a JOIN station s ON s.id = a.station WHERE a.uid = %s ORDER BY a.started_at, a.number",
            [uid],
        ).fetchall()
    return UnitStory(
        _unit(row),
        epoch,
        began_at,
        [CertificateRow(*each) for each in certificates],
        [AttemptRow(*each) for each in attempts],
    )


def yields(
    connection: Connection, by: By, since: datetime | None = None, until: datetime | None = None, lot: str | None = None
) -> Sequence[YieldRow]:
    """The attempts of production by their verdicts. `since` and `until` are hours, the later one excluded."""
    name, condition = _NAMES[by]
    query = sql.SQL(_YIELD).format(name=name, condition=condition)
    rows = connection.execute(query, {"since": since, "until": until, "lot": lot})
    return [YieldRow(*row) for row in rows.fetchall()]


def neighbours(connection: Connection) -> Neighbours:
    with connection.transaction():
        rows = connection.execute(
            "SELECT s.name, i.heard_at, i.newest_at,"
            "   (SELECT coalesce(sum(least(l.grid, l.size - b.number * l.grid) - b.taken), 0)::bigint"
            "    FROM block b JOIN lot l ON l.name = b.lot WHERE b.station = s.id AND b.state = 'held'),"
            "   coalesce(y.passed, 0)::bigint, coalesce(y.failed, 0)::bigint"
            " FROM station s LEFT JOIN LATERAL"
            "   (SELECT * FROM incarnation WHERE station = s.id ORDER BY number DESC LIMIT 1) i ON true"
            " LEFT JOIN (SELECT station, sum(attempts) FILTER (WHERE verdict = 'pass') AS passed,"
            "      sum(attempts) FILTER (WHERE verdict = 'fail') AS failed"
            "    FROM yield WHERE hour > now() - interval '2 hours' GROUP BY station) y"
            "   ON y.station = s.id"
            " ORDER BY s.name"
        ).fetchall()
        (anomalies,) = _first(connection, "SELECT count(*) FROM anomaly WHERE settled_by IS NULL")
    return Neighbours([Neighbour(*row) for row in rows], anomalies)


def _uid(connection: Connection, name: str) -> bytes | None:
    try:
        return UID.parse(name).raw
    except ValueError:
        pass
    for lot, form, first, size in connection.execute("SELECT name, serial_format, first, size FROM lot").fetchall():
        if any(each.has(name) for each in ranges(form, first, size)):
            pattern = SerialNumberPattern.parse(form)
            number = int(name[len(pattern.before) : len(name) - len(pattern.after)])
            found = connection.execute(
                "SELECT uid FROM identity WHERE lot = %s AND idx = %s AND serial_number = %s",
                [lot, number - first, name],
            ).fetchone()
            if found is not None:
                return bytes(found[0])
    return None


def _unit(row: TupleRow) -> UnitRow:
    uid, serial_number, lot, station, rank, *rest = row
    return UnitRow(UID(uid), serial_number, lot, station, Rank(rank), *rest)


def _first(connection: Connection, query: str, *values: object) -> TupleRow:
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return row
