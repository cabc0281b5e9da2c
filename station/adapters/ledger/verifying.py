# SPDX-License-Identifier: Apache-2.0
"""Compares a ledger with its chain: each line with the one before it, each row with its line, and the chain with its checkpoints.

Reads one state of the file, also beside the daemon. What it must remember of the lines is in a temporary table, not in memory.
"""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from station.adapters.ledger import chain, checkpoints, recording, schema
from station.adapters.ledger.recording import BY_NAME, EVENT, TABLES, Covered
from station.adapters.ledger.timestamps import NotAStamp, StampAuthority
from station.domain.checkpoint import NotACheckpoint, Signed, verified

_LINES = (
    "SELECT c.number, c.hash, c.event_id, c.at, c.type, c.body, e.at, e.type, e.attempt_id, e.body"
    " FROM chain AS c LEFT JOIN event AS e ON e.id = c.event_id WHERE c.incarnation = 0 ORDER BY c.number"
)
_COUNTED = "SELECT name, seq FROM sqlite_sequence"
_ADDED = "SELECT name, sql, type, tbl_name FROM sqlite_schema WHERE type IN ('trigger', 'view') ORDER BY name"
_BYTES = 32  # of a hash


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the station wrote it; `line` is the chain's, None for a row or checkpoint without one."""

    line: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.line is None else f"line {self.line}: {self.what}"


@dataclass(slots=True)
class Verified:
    """What a verification went through. Complete once `findings` has ended."""

    since: str = ""
    chain: str = ""
    after_event: int = 0
    lines: int = 0
    rows: int = 0
    head: str = ""
    checkpoints: int = 0
    stamps: int = 0
    """Time stamps of an authority that were checked."""
    unchecked_stamps: int = 0
    stamped: str = ""
    """What the latest of them proves."""
    accepted: list[str] = field(default_factory=list)
    """Checkpoints that the ledger contradicts, which a person has accepted."""
    after: dict[str, object] = field(default_factory=dict)


def findings(
    connection: Connection,
    said: Verified,
    copies: Sequence[tuple[str, bytes]],
    keys: Collection[bytes],
    authority: StampAuthority | None = None,
) -> Iterator[Finding]:
    """Everything that differs. `copies` are texts of checkpoints from elsewhere with their places; by one of `keys` if any is given.

    Time stamps are checked by `authority`, if it is given.
    """
    raw = chain.driver(connection)
    raw.text_factory = _text
    raw.execute(
        "CREATE TEMP TABLE newest (name TEXT, key, content TEXT, line INTEGER, PRIMARY KEY (name, key)) WITHOUT ROWID"
    )
    raw.execute("CREATE TEMP TABLE linked (event INTEGER PRIMARY KEY)")
    yield from _added(raw)
    yield from _lines(raw, said)
    yield from _events(raw, said)
    for covered in TABLES:
        yield from _rows(raw, covered, said)
    yield from _cut(raw)
    yield from _checkpoints(connection, said, copies, keys, authority)


def _text(octets: bytes) -> str | bytes:
    """A text of the file, which may be none: then its bytes, which no text equals."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


def _added(raw: sqlite3.Connection) -> Iterator[Finding]:
    """Triggers and views that are not the station's: its own connection would carry out what they say, and record that."""
    ours = {" ".join(each.split()) for each in schema.statements()}
    for name, statement, kind, table in raw.execute(_ADDED):
        if " ".join(str(statement).split()) not in ours:
            yield Finding(
                None, f"{kind} {name} of {table} is not the station's: what it does looks as if the station did it"
            )


def _lines(raw: sqlite3.Connection, said: Verified) -> Iterator[Finding]:
    base = raw.execute("SELECT number, hash FROM chain_base WHERE incarnation = 0").fetchone()
    if base != (0, chain.GENESIS):
        yield Finding(None, "the chain's beginning is missing or was changed (table chain_base, incarnation 0)")
    follower = _Follower(raw, said)
    for row in raw.execute(_LINES):
        yield from follower.follow(_Line(*row))
    said.lines, said.head = follower.number, follower.hash.hex()
    if not said.since:
        yield Finding(1, "the chain's first line is missing")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    hash: bytes
    event: int | None
    at: str | None
    type: str | None
    body: str | None
    event_at: str | None
    event_type: str | None
    attempt: int | None
    event_body: str | None

    @property
    def is_linkable(self) -> bool:
        """Whether number, event and hash are of their kinds: SQLite takes any value in any column."""
        kinds = (isinstance(self.number, int), isinstance(self.event, int | None), isinstance(self.hash, bytes))
        return all(kinds) and len(self.hash) == _BYTES

    @property
    def is_whole(self) -> bool:
        """Whether the other columns are, too: a line about an event has nothing in them."""
        told = (self.at, self.type, self.body)
        return told == (None, None, None) if self.event is not None else all(isinstance(each, str) for each in told)

    @property
    def name(self) -> str:
        """What the line is about, for people."""
        if self.event is not None:
            of = f" ({self.event_type} of attempt {self.attempt})" if self.attempt is not None else ""
            return f"event {self.event}{of}"
        try:
            said = json.loads(self.body or "")
            return f"{said['table']} {said['key']}"
        except (ValueError, TypeError, KeyError, RecursionError):
            return str(self.type)

    def texts(self) -> tuple[str, str, str] | None:
        """Moment, type and canonical body; None if they cannot be read."""
        if self.event is None:
            return str(self.at), str(self.type), str(self.body)
        if not all(isinstance(each, str) for each in (self.event_at, self.event_type, self.event_body)):
            return None
        try:
            return str(self.event_at), str(self.event_type), chain.ENCODER.encode(json.loads(str(self.event_body)))
        except (ValueError, RecursionError):
            return None


class _Follower:
    """Follows the lines one after another; after a damaged one it goes on, so that each is named."""

    def __init__(self, raw: sqlite3.Connection, said: Verified) -> None:
        self._raw = raw
        self._said = said
        self.number, self.hash = 0, chain.GENESIS
        self._computed = chain.GENESIS
        self._last_event = 0

    def follow(self, line: _Line) -> Iterator[Finding]:
        before, computed = self.hash, self._computed
        if not line.is_linkable:
            yield Finding(None, f"the line after line {self.number} was changed: a value in it is of another kind")
            return
        if not line.is_whole:
            yield Finding(line.number, "it was changed: a value in it is of another kind, or belongs to its event")
        if (missing := line.number - self.number - 1) > 0:
            which = (
                f"line {line.number - 1} is" if missing == 1 else f"lines {self.number + 1} to {line.number - 1} are"
            )
            yield Finding(line.number, f"{which} missing before it")
        self.number, self.hash = line.number, line.hash
        yield from self._linked(line, before, computed, missing)
        if line.event is not None:
            self._raw.execute("INSERT OR IGNORE INTO linked VALUES (?)", (line.event,))
            self._last_event = line.event
        else:
            yield from self._told(line)

    def _linked(self, line: _Line, before: bytes, computed: bytes, missing: int) -> Iterator[Finding]:
        if line.event is not None and line.event_body is None:
            self._computed = self.hash
            yield Finding(line.number, f"its event {line.event} was removed")
            return
        texts = line.texts()
        if texts is None:
            self._computed = self.hash
            yield Finding(line.number, f"{line.name} was changed: a value in it is of another kind, or it is no JSON")
            return
        text = chain.line_text(line.number, line.attempt, texts)
        self._computed = hashlib.sha256(before + text).digest()
        if self._computed != self.hash:
            if computed != before and hashlib.sha256(computed + text).digest() == self.hash:
                self._computed = self.hash  # the line before has another hash than it was written with, and was named
            elif line.event is not None and line.event < self._last_event:
                yield Finding(line.number, f"{line.name} or its line is at another place than it was written")
            elif not missing:
                yield Finding(line.number, f"{line.name} was changed, or its line")
        if line.event is not None and line.event_body != json.dumps(json.loads(str(line.event_body))):
            yield Finding(line.number, f"{line.name} was changed: its text is not as the station writes it")

    def _told(self, line: _Line) -> Iterator[Finding]:
        try:
            said = json.loads(line.body or "")
            if line.type == recording.BEGUN and line.number == 1:
                self._said.since, self._said.chain = str(line.at), str(said["chain"])
                self._said.after = dict(said["after"])
                self._said.after_event = int(said["after"][EVENT])
            elif line.type == recording.ROW and said["table"] in BY_NAME:
                row = (said["table"], said["key"], said["content"], line.number)
                self._raw.execute("INSERT OR REPLACE INTO newest VALUES (?, ?, ?, ?)", row)
            else:
                yield Finding(line.number, f"a line of an unknown type, {line.type}, was inserted or changed")
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError, sqlite3.Error):
            yield Finding(line.number, f"its {line.type} cannot be read: it was changed")


def _events(raw: sqlite3.Connection, said: Verified) -> Iterator[Finding]:
    """Events that no line covers. The station counts from 1."""
    query = (
        "SELECT id, type, attempt_id FROM event WHERE NOT id BETWEEN 1 AND ? AND NOT EXISTS"
        " (SELECT 1 FROM linked WHERE event = id) ORDER BY id"
    )
    for number, kind, attempt in raw.execute(query, (said.after_event,)):
        yield Finding(
            None, f"event {number} ({kind} of attempt {attempt}) has no line: something else than the station wrote it"
        )
    (count,) = raw.execute("SELECT count(*) FROM linked").fetchone()
    said.rows += count


def _rows(raw: sqlite3.Connection, covered: Covered, said: Verified) -> Iterator[Finding]:
    """Rows of a table that differ from their newest line, have none, or are not there any more."""
    raw.execute("CREATE TEMP TABLE IF NOT EXISTS seen (key PRIMARY KEY) WITHOUT ROWID")
    raw.execute("DELETE FROM temp.seen")
    after = said.after.get(covered.table, 0)
    newest = "SELECT content, line FROM newest WHERE name = ? AND key = ?"
    writer = raw.cursor()
    for key, content in covered.contents(raw):
        writer.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,))
        said.rows += 1
        found = writer.execute(newest, (covered.table, key)).fetchone()
        name = f"{covered.table} {key}{_of(raw, covered, key)}"
        if found is None:
            if not _is_older(key, after):
                yield Finding(None, f"{name} has no line: something else than the station wrote it")
        elif found[0] == recording.REMOVED:
            yield Finding(found[1], f"{name} was inserted: the station had removed it")
        elif found[0] != content:
            yield Finding(found[1], f"{name} was changed: its row is not as the station wrote it")
    gone = (
        "SELECT key, line FROM newest WHERE name = ? AND content <> '' AND NOT EXISTS"
        " (SELECT 1 FROM seen WHERE seen.key = newest.key) ORDER BY line"
    )
    for key, line in raw.execute(gone, (covered.table,)):
        yield Finding(line, f"{covered.table} {key} was removed")


def _of(raw: sqlite3.Connection, covered: Covered, key: object) -> str:
    """The unit of a row, for people."""
    if "uid" not in covered.columns:
        return ""
    row = raw.execute(f'SELECT uid FROM "{covered.table}" WHERE "{covered.key}" = ?', (key,)).fetchone()  # noqa: S608  names of `recording`
    return f" (unit {row[0]})" if row and row[0] else ""


def _is_older(key: object, after: object) -> bool:
    """Whether a row is from before the chain. The station counts from 1."""
    if isinstance(after, list):
        return key in after
    return isinstance(key, int) and isinstance(after, int) and 0 < key <= after


def _cut(raw: sqlite3.Connection) -> Iterator[Finding]:
    """Tables whose newest rows are not there any more. The station removes none from those whose rows SQLite counts."""
    for table, given in raw.execute(_COUNTED).fetchall():
        if table != EVENT and table not in BY_NAME:
            continue
        (last,) = raw.execute(f'SELECT coalesce(max(id), 0) FROM "{table}"').fetchone()  # noqa: S608  names of `recording`
        if given != last:
            yield Finding(
                None, f"{table}: the newest row is {last}, and the ledger has had {given}: the end was cut off"
            )


def _checkpoints(
    connection: Connection,
    said: Verified,
    copies: Sequence[tuple[str, bytes]],
    keys: Collection[bytes],
    authority: StampAuthority | None,
) -> Iterator[Finding]:
    own = ((f"the ledger's checkpoint of line {number}", text) for number, text in checkpoints.texts(connection))
    for place, text in (*own, *copies):
        said.checkpoints += 1
        try:
            signed = verified(text, *keys)
        except NotACheckpoint as exc:
            yield Finding(None, f"{place}: {exc}")
            continue
        yield from _stamp(place, signed, said, authority)
        if (different := checkpoints.difference(connection, signed)) is None:
            continue
        if checkpoints.is_accepted(connection, signed) or _is_of_before(connection, signed):
            said.accepted.append(f"{place}: {different}")
        else:
            yield Finding(None, f"{place}: {different}")


def _stamp(place: str, signed: Signed, said: Verified, authority: StampAuthority | None) -> Iterator[Finding]:
    if signed.timestamp is None:
        return
    if authority is None:
        said.unchecked_stamps += 1
        return
    point = signed.checkpoint
    try:
        at = authority.check(point.statement(), signed.timestamp)
    except NotAStamp as exc:
        yield Finding(None, f"{place}: its time stamp proves nothing: {exc}")
        return
    said.stamps += 1
    said.stamped = f"line {point.number} of chain {point.ledger} was there on {at:%Y-%m-%dT%H:%M:%SZ}"


def _is_of_before(connection: Connection, signed: Signed) -> bool:
    """Whether a person has accepted a later checkpoint of the same lost end."""
    raw = chain.driver(connection)
    for number, text in raw.execute("SELECT number, checkpoint FROM audit_decision ORDER BY id"):
        try:
            accepted = Signed.read(text).checkpoint
        except NotACheckpoint:
            continue  # it was changed, and was named
        point = signed.checkpoint
        if accepted.ledger == point.ledger and number < point.number <= accepted.number and point.at <= accepted.at:
            return True
    return False
