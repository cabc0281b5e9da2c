# SPDX-License-Identifier: Apache-2.0
"""The journal of a shared ledger for the centre, in SQL: lines in one order, each with a hash over the line before it.

A line is an event of an attempt, or a fact that today's tables hold. It is written in the unit of work of what it tells, by the
driver's own statements: through SQLAlchemy they would cost half as much as the rest of an attempt. A standalone ledger
writes none for the centre; incarnation 0, which every ledger has and no centre gets, is written by `recording`.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import get_args

from sqlalchemy import Connection

from station.adapters.ledger.tables import iso
from station.domain.facts import Body, Fact
from station.domain.shared import Line
from station.domain.target import UID

GENESIS = bytes(32)
"""The hash before the first line of a station's first incarnation."""

_CLASSES: tuple[type[Fact], ...] = get_args(Fact)
TYPES: Mapping[str, type[Fact]] = {fact.on_disk.name: fact for fact in _CLASSES}
_FIELDS: Mapping[type, tuple[tuple[str, str], ...]] = {
    fact: tuple(zip(fact.on_disk.keys, (field.name for field in fields(fact)), strict=True)) for fact in _CLASSES
}
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

_INCARNATION = "SELECT incarnation FROM shared_state WHERE one = 1"
_PRESENT = (
    "SELECT incarnation, number, hash FROM chain"
    " WHERE incarnation = (SELECT incarnation FROM shared_state WHERE one = 1 AND incarnation > 0)"
    " ORDER BY number DESC LIMIT 1"
)
_BASE = "SELECT number, hash FROM chain_base WHERE incarnation = ?"
_HASH = "SELECT hash FROM chain WHERE incarnation = ? AND number = ?"
_HASH_OF_BASE = "SELECT hash FROM chain_base WHERE incarnation = ? AND number = ?"
_APPEND = "INSERT INTO chain (incarnation, number, at, type, body, hash) VALUES (?, ?, ?, ?, ?, ?)"
_LINK = "INSERT INTO chain (incarnation, number, event_id, hash) VALUES (?, ?, ?, ?)"
_LINES = (
    "SELECT c.number, c.hash, c.event_id, coalesce(c.at, e.at), coalesce(c.type, e.type), e.attempt_id, c.body, e.body"
    " FROM chain AS c LEFT JOIN event AS e ON e.id = c.event_id"
    " WHERE c.incarnation = ? AND c.number > ? ORDER BY c.number LIMIT ?"
)

_Row = tuple[int, bytes, int | None, str, str, int | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Head:
    """The newest line of an incarnation; number 0 before its first."""

    incarnation: int
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line that is not as it was written."""

    incarnation: int
    number: int
    reason: str


def is_kept(connection: Connection) -> bool:
    """Whether this ledger was opened as a shared one, so that lines are written."""
    return "chain" in connection.info


def driver(connection: Connection) -> sqlite3.Connection:
    """The driver's connection, in the transaction of SQLAlchemy's."""
    found: object = connection.connection.dbapi_connection  # which is the driver's, for SQLite, and two look-ups nearer
    assert isinstance(found, sqlite3.Connection)
    return found


def body_of(fact: Fact) -> Body:
    """The fact's fields as JSON values, by their keys on disk."""
    return {key: _plain(getattr(fact, name)) for key, name in _FIELDS[type(fact)]}


def tell(connection: Connection, at: datetime, fact: Fact) -> int:
    """Appends a fact. Returns its number; 0 in a standalone ledger, and in one before its first enrolment."""
    if not is_kept(connection):
        return 0
    told = iso(at), fact.on_disk.name, ENCODER.encode(body_of(fact))
    return _append(driver(connection), told)


def follow(connection: Connection, first: int, attempt: int, events: Sequence[tuple[datetime, str, Body]]) -> None:
    """Appends links to events of an attempt that this unit of work has written, numbered from `first` on: moment, type, body."""
    raw = driver(connection)
    there = _head(raw)
    if not there.incarnation:
        return
    number, hashed, rows = there.number, there.hash, []
    for event, (at, name, body) in enumerate(events, first):
        number += 1
        hashed = hashlib.sha256(hashed + line_text(number, attempt, (iso(at), name, ENCODER.encode(body)))).digest()
        rows.append((there.incarnation, number, event, hashed))
    raw.executemany(_LINK, rows)


def head(connection: Connection) -> Head:
    """The newest line of the present incarnation."""
    return _head(driver(connection))


def unsent(connection: Connection, incarnation: int, after: int, most: int) -> list[Line]:
    """The lines after this number, at most so many. Reads only: the connection may be a reader's."""
    return [Line(row[0], _text(row), row[1]) for row in driver(connection).execute(_LINES, (incarnation, after, most))]


def hash_at(connection: Connection, incarnation: int, number: int) -> bytes | None:
    """The hash of this line; None for a line that is not there, or was pruned with the lines before the base."""
    raw, place = driver(connection), (incarnation, number)
    row = raw.execute(_HASH, place).fetchone() or raw.execute(_HASH_OF_BASE, place).fetchone()
    return row[0] if row is not None and isinstance(row[0], bytes) else None


def verify(connection: Connection) -> Broken | None:
    """Recomputes every hash of every incarnation that the centre gets, in constant memory. Returns the first line that differs."""
    raw = driver(connection)
    for incarnation, number, base in raw.execute(
        "SELECT incarnation, number, hash FROM chain_base WHERE incarnation > 0 ORDER BY incarnation"
    ):
        expected, previous = number, bytes(base)
        for row in raw.execute(_LINES, (incarnation, number, -1)):
            expected += 1
            if row[0] != expected:
                return Broken(incarnation, expected, "it is missing")
            if row[2] is not None and row[7] is None:
                return Broken(incarnation, expected, f"its event {row[2]} is missing")
            previous = hashlib.sha256(previous + _text(row)).digest()
            if previous != row[1]:
                return Broken(incarnation, expected, "it was changed, or a line before it")
    return None


def is_first(connection: Connection, pai: str) -> bool:
    """Whether this incarnation has not told this intermediate certificate yet; from now on it has."""
    raw = driver(connection)
    (incarnation,) = raw.execute(_INCARNATION).fetchone()
    noted = raw.execute("INSERT OR IGNORE INTO shared_told (incarnation, pai) VALUES (?, ?)", (incarnation, pai))
    return noted.rowcount == 1


def acknowledged(connection: Connection, incarnation: int, number: int) -> None:
    """Records that the centre has the lines up to this one; never goes back."""
    raise_to = "UPDATE chain_base SET acked = max(acked, ?) WHERE incarnation = ?"
    driver(connection).execute(raise_to, (number, incarnation))


def acked(connection: Connection, incarnation: int) -> int:
    """The last line that the centre has."""
    row = driver(connection).execute("SELECT acked FROM chain_base WHERE incarnation = ?", (incarnation,)).fetchone()
    return 0 if row is None else int(row[0])


def prune(connection: Connection, incarnation: int, keep_days: int, now: datetime, most: int = 20_000) -> int:
    """Removes lines that the centre has and that are older than so many days, at most about `most`. Returns how many.

    The lines' events stay. The last removed line's hash becomes the base.
    """
    raw = driver(connection)
    horizon = iso(now - timedelta(days=keep_days))
    (base, last) = raw.execute("SELECT number, acked FROM chain_base WHERE incarnation = ?", (incarnation,)).fetchone()
    facts = "SELECT number, at, hash FROM chain WHERE incarnation = ? AND number > ? AND number <= ? AND at IS NOT NULL"
    old = None
    for number, at, hashed in raw.execute(f"{facts} ORDER BY number", (incarnation, base, last)):
        if at >= horizon or (old is not None and number > base + most):
            break
        old = number, hashed
    if old is None:
        return 0
    raw.execute("DELETE FROM chain WHERE incarnation = ? AND number <= ?", (incarnation, old[0]))
    raw.execute("UPDATE chain_base SET number = ?, hash = ? WHERE incarnation = ?", (*old, incarnation))
    return int(old[0] - base)


def begin(connection: Connection, incarnation: int, previous: bytes) -> None:
    """Begins the chain of a new incarnation, after this hash."""
    row = (incarnation, 0, previous, 0)
    driver(connection).execute("INSERT INTO chain_base (incarnation, number, hash, acked) VALUES (?, ?, ?, ?)", row)


def _append(raw: sqlite3.Connection, told: tuple[str, str, str]) -> int:
    there = _head(raw)
    if not there.incarnation:
        return 0
    number = there.number + 1
    hashed = hashlib.sha256(there.hash + line_text(number, None, told)).digest()
    raw.execute(_APPEND, (there.incarnation, number, *told, hashed))
    return number


def _head(raw: sqlite3.Connection) -> Head:
    if (found := raw.execute(_PRESENT).fetchone()) is not None:
        return Head(*found)
    (incarnation,) = raw.execute(_INCARNATION).fetchone()
    base = raw.execute(_BASE, (incarnation,)).fetchone()
    return Head(incarnation, *(base or (0, GENESIS)))


def line_text(number: int, attempt: int | None, told: tuple[str, str, str]) -> bytes:
    """The canonical JSON of a line: `json.dumps([number, at, type, attempt, body])`; moments and types need no escape."""
    at, name, body = told
    text = f'[{number},"{at}","{name}",{"null" if attempt is None else attempt},{body}]'
    return text.encode(errors="backslashreplace")  # which of a lone surrogate makes JSON's own escape


def _text(row: _Row) -> bytes:
    number, _, event, at, name, attempt, fact, body = row
    content = fact if event is None else ENCODER.encode(json.loads(body or "null"))
    return line_text(number, attempt, (at, name, content or ""))


def _plain(value: object) -> object:
    match value:
        case bytes():
            return value.hex()
        case datetime():
            return iso(value)
        case UID():
            return str(value)
        case _:
            return value
