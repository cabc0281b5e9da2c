# SPDX-License-Identifier: Apache-2.0
"""Compares the centre's tables with the journals that it keeps: every chain is computed anew, and all verdicts are counted.

Attempts and segments that were detached are left out.
"""

import hashlib
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import Connection

from station.adapters.centre.anomalies import Kind
from station.adapters.centre.attempts import hour_of
from station.adapters.centre.told import Unreadable, told
from station.domain.facts import AttemptEnded
from station.domain.shared import Line, checkpoint_text

Key = tuple[datetime, int, str, str, str, str, str]
"""Hour, station, slot, lot, release, verdict, and fault or nothing: as in `yield`."""


Heard = Callable[[str, int, int], None]


@dataclass
class Journal:
    """One incarnation's journal, and how far its chain has been followed.

    `expected` and `previous` are the number of the next line and the hash before it, which is None before the first segment.
    Both are None there for a journal whose beginning was detached.
    """

    station: int
    name: str
    incarnation: int
    public_key: bytes | None
    next_line: int
    """Of the centre's cursor, as `head`."""
    head: bytes
    expected: int | None
    previous: bytes | None
    checkpoints: Mapping[int, tuple[bytes, bytes]]
    """Head and signature by line."""
    failed: frozenset[int]
    """Lines that are known to have no effect."""
    first: int = 1
    """The first line that is kept."""
    ended: "array[int]" = field(default_factory=lambda: array("q"))
    """The lines that tell of an ended attempt."""

    def at(self, line: int, until: int | None = None) -> str:
        lines = f"line {line}" if until in {None, line} else f"lines {line} to {until}"
        return f"{self.name}, incarnation {self.incarnation}, {lines}"


def audit(connection: Connection, heard: Heard = lambda *_: None) -> Iterator[str]:
    """The first difference of each journal, and the differences of all counts, as sentences; none if all is right.

    The yield of a station whose journal differs is not compared, since its attempts cannot be counted.
    `heard` is told after each segment: the station, the line that it ends with, and the last line that there is.
    """
    counts, differing = Counter[Key](), set[int]()
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        (kept_from,) = connection.execute("SELECT kept_from FROM central").fetchone() or (None,)
        for journal in _journals(connection, kept_from):
            difference = _chain_differs(connection, journal, counts, heard, kept_from)
            if difference:
                differing.add(journal.station)
            if difference or (difference := _attempts_differ(connection, journal, kept_from)):
                yield difference
        yield from _yields_differ(connection, counts, kept_from, differing)


def _journals(connection: Connection, kept_from: datetime | None) -> Iterator[Journal]:
    rows = connection.execute(
        "SELECT s.id, s.name, i.number, s.public_key, i.next_line, i.head FROM incarnation i"
        " JOIN station s ON s.id = i.station ORDER BY s.name, i.number"
    ).fetchall()
    for station, name, number, public_key, next_line, head in rows:
        signed = connection.execute(
            "SELECT line, head, signature FROM checkpoint WHERE station = %s AND incarnation = %s", [station, number]
        ).fetchall()
        failed = connection.execute(
            "SELECT (detail->>'line')::bigint FROM anomaly"
            " WHERE kind = %s AND detail->>'station' = %s AND (detail->>'incarnation')::int = %s",
            [Kind.EFFECT_FAILED.value, name, number],
        ).fetchall()
        yield Journal(
            station,
            name,
            number,
            public_key,
            next_line,
            head,
            expected=1 if kept_from is None else None,
            previous=None,
            checkpoints={line: (at, signature) for line, at, signature in signed},
            failed=frozenset(line for (line,) in failed),
        )


def _chain_differs(
    connection: Connection, journal: Journal, counts: Counter[Key], heard: Heard, kept_from: datetime | None
) -> str | None:
    with connection.cursor(name="segments") as cursor:
        cursor.itersize = 20
        cursor.execute(
            "SELECT first_line, last_line, previous, head, body FROM segment WHERE station = %s AND incarnation = %s"
            " ORDER BY first_line, received_at",
            [journal.station, journal.incarnation],
        )
        for first, last, previous, head, body in cursor:
            difference = _segment_differs(journal, first, last, previous)
            if difference or (difference := _content_differs(journal, (first, last), head, body, counts, kept_from)):
                return difference
            heard(journal.name, last, journal.next_line - 1)
    ends = (journal.expected, journal.previous or journal.head)
    if journal.expected is not None and ends != (journal.next_line, journal.head):
        return f"{journal.at(journal.expected)}: the kept lines end before it, and the cursor is at {journal.next_line}"
    return None


def _segment_differs(journal: Journal, first: int, last: int, previous: bytes) -> str | None:
    if journal.expected is None:
        journal.expected = journal.first = first
    if journal.previous is None:
        journal.previous = previous
    if first > journal.expected:
        return f"{journal.at(journal.expected, first - 1)}: missing"
    if first < journal.expected:
        return f"{journal.at(first, last)}: kept twice"
    if previous != journal.previous:
        return f"{journal.at(first)}: it does not follow the line before it"
    return None


def _content_differs(
    journal: Journal,
    lines: tuple[int, int],
    head: bytes,
    body: bytes,
    counts: Counter[Key],
    kept_from: datetime | None,
) -> str | None:
    first, last = lines
    try:
        texts = zlib.decompress(body).split(b"\n")
    except zlib.error:
        return f"{journal.at(first, last)}: their segment cannot be unpacked"
    if len(texts) != last - first + 1:
        return f"{journal.at(first, last)}: their segment has {len(texts)} lines"
    at = journal.previous or b""
    chain = list[bytes]()
    for text in texts:
        at = hashlib.sha256(at + text).digest()
        chain.append(at)
    if at != head:
        return f"{journal.at(first, last)}: their content was changed, its chain ends with another hash"
    for number, text, now in zip(range(first, last + 1), texts, chain, strict=True):
        if difference := _line_differs(journal, Line(number, text, now), counts, kept_from):
            return difference
    journal.expected, journal.previous = last + 1, at
    return None


def _line_differs(journal: Journal, line: Line, counts: Counter[Key], kept_from: datetime | None) -> str | None:
    if line.number in journal.checkpoints and (difference := _checkpoint_differs(journal, line)):
        return difference
    if line.number in journal.failed:
        return None
    try:
        found = told(line)
    except Unreadable as exc:
        return f"{journal.at(line.number)}: {exc}, and no anomaly says so"
    if found is not None and isinstance(found.fact, AttemptEnded):
        fact = found.fact
        if kept_from is None or fact.started_at >= kept_from:
            journal.ended.append(line.number)
            if not fact.laboratory:
                hour = hour_of(fact.started_at)
                key = (hour, journal.station, fact.slot, fact.lot, fact.release, fact.verdict, fact.fault or "")
                counts[key] += 1
    return None


def _checkpoint_differs(journal: Journal, line: Line) -> str | None:
    head, signature = journal.checkpoints[line.number]
    if head != line.hash:
        return f"{journal.at(line.number)}: the station's checkpoint has another hash"
    if journal.public_key is not None:
        try:
            Ed25519PublicKey.from_public_bytes(journal.public_key).verify(
                signature, checkpoint_text(journal.station, journal.incarnation, line.number, head)
            )
        except InvalidSignature:
            return f"{journal.at(line.number)}: the signature of the station's checkpoint is wrong"
    return None


def _attempts_differ(connection: Connection, journal: Journal, kept_from: datetime | None) -> str | None:
    with connection.cursor(name="attempts") as cursor:
        cursor.execute(
            "SELECT last_line FROM attempt WHERE station = %(station)s AND incarnation = %(incarnation)s"
            "   AND last_line >= %(first)s AND (%(kept_from)s::timestamptz IS NULL OR started_at >= %(kept_from)s)"
            " ORDER BY last_line",
            {
                "station": journal.station,
                "incarnation": journal.incarnation,
                "first": journal.first,
                "kept_from": kept_from,
            },
        )
        rows = (line for (line,) in cursor)
        for said, counted in zip_longest(journal.ended, rows):
            if said != counted:
                line = min(each for each in (said, counted) if each is not None)
                what = "no row is there" if line == said else "a row is there, and the journal tells of none"
                return f"{journal.at(line)}: an ended attempt, of which {what}"
    return None


def _yields_differ(
    connection: Connection, counts: Counter[Key], kept_from: datetime | None, without: AbstractSet[int]
) -> Iterator[str]:
    names = dict[int, str](connection.execute("SELECT id, name FROM station").fetchall())
    with connection.cursor(name="yields") as cursor:
        cursor.execute(
            "SELECT hour, station, slot, lot, release, verdict, fault, attempts FROM yield"
            " WHERE (%(kept_from)s::timestamptz IS NULL OR hour >= %(kept_from)s) AND station <> ALL(%(without)s)"
            " ORDER BY hour, station, slot, lot, release, verdict, fault",
            {"kept_from": kept_from, "without": list(without)},
        )
        for *row, attempts in cursor:
            key = _key(row)
            if (counted := counts.pop(key, 0)) != attempts:
                yield _counts(names, key, counted, attempts)
    for key, counted in sorted(counts.items()):
        if key[1] not in without:
            yield _counts(names, key, counted, 0)


def _key(row: Sequence[object]) -> Key:
    match row:
        case [datetime() as hour, int(station), str(slot), str(lot), str(release), str(verdict), str(fault)]:
            return hour.astimezone(UTC), station, slot, lot, release, verdict, fault
    raise ValueError(row)


def _counts(names: Mapping[int, str], key: Key, counted: int, yielded: int) -> str:
    hour, station, slot, lot, _, verdict, fault = key
    what = f"{verdict} {fault}".strip()
    return (
        f"{names[station]}, slot {slot}, lot {lot}, hour {hour:%Y-%m-%d %H:%M}Z: its journals tell of {counted} attempts"
        f" with {what}, and the yield counts {yielded}"
    )
