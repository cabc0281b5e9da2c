# SPDX-License-Identifier: Apache-2.0
"""The chain that every ledger keeps for itself, as incarnation 0 of `chain`: a line for each row that its one connection writes.

Triggers in the connection's temporary tables note each written row, and the lines follow at the commit, in the same transaction. A
row that another program writes gets none, so `verifying` finds it. A line about an event links to it; any other has the
SHA-256 of its row's content.
"""

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from sqlalchemy import Connection, LargeBinary, event

from station.adapters.ledger import chain, tables
from station.adapters.ledger.tables import iso
from station.adapters.system import version
from station.domain import recorded_row

LOCAL = 0  # the incarnation
BEGUN, ROW = "ChainBegun", "RowRecorded"  # types of lines
REMOVED = ""  # the content of a row that is not there any more

Key = int | str


@dataclass(frozen=True, slots=True)
class Covered:
    """A table whose rows get lines: its key, and the columns of a row's content.

    `while_open` are the columns of a row whose verdict is none yet.
    """

    table: str
    key: str
    columns: Sequence[str]
    while_open: Sequence[str] = ()
    when: str = ""
    """The condition of a change that gets a line."""

    def contents(
        self, raw: sqlite3.Connection, where: str = "", values: Sequence[object] = ()
    ) -> Iterator[tuple[Key, str]]:
        """The key and the content's SHA-256 of each such row, in the order of the keys."""
        for key, *row in raw.execute(self._query(where), values):
            yield key, recorded_row.digest(self._plain(row))

    @cache  # noqa: B019  of a few tables, which live as long as the process
    def _query(self, where: str) -> str:
        names = ", ".join(f'"{name}"' for name in (self.key, *self.columns))
        return f'SELECT {names} FROM "{self.table}" {where} ORDER BY "{self.key}"'  # noqa: S608  names of this module

    def content(self, raw: sqlite3.Connection, key: Key) -> str:
        row = self._row(raw, key)
        return REMOVED if row is None else recorded_row.digest(row)

    def named(self, raw: sqlite3.Connection, key: Key) -> list[tuple[str, object]] | None:
        """The names and values of which that is the content; None where there is no such row."""
        row = self._row(raw, key)
        return None if row is None else [*zip(self.columns, row, strict=False)]  # some columns, while it is open

    def _row(self, raw: sqlite3.Connection, key: Key) -> list[object] | None:
        found = raw.execute(self._query(f'WHERE "{self.key}" = ?'), (key,)).fetchone()
        return None if found is None else self._plain(found[1:])

    def _plain(self, row: Sequence[object]) -> list[object]:
        if self.while_open and row[self.columns.index("verdict")] is None:
            row = row[: len(self.while_open)]  # which are the first of the columns
        return [_told(value, is_bytes=each) for value, each in zip(row, self._octets(), strict=False)]

    @cache  # noqa: B019  as `_query`
    def _octets(self) -> tuple[bool, ...]:
        """Which of the columns hold bytes."""
        table = tables.metadata.tables[self.table]
        return tuple(isinstance(table.c[name].type, LargeBinary) for name in self.columns)


def _told(value: object, *, is_bytes: bool) -> object:
    """A value as it is hashed: bytes in hexadecimal. One of another kind than the station writes there is like none that it writes."""
    if isinstance(value, bytes):
        return value.hex() if is_bytes else f"bytes {value.hex()}"
    return f"text {value}" if is_bytes and value is not None else value


def _changed(columns: Sequence[str]) -> str:
    return " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in columns)


_DECIDED = ("id", "uid", "at", "account", "reason", "type", "body")
_SPARE = ("request_id", "key", "serial_number", "kind", "found_at", "reason", "content", "closed")
_LABEL = ("at", "station", "uid", "type", "copy", "who", "reason", "slot", "other")
_SECRETS = ("at", "station", "who", "deed", "uid", "lot", "units", "recipient", "reason")
_LOT = ("work_order", "recipe", "recipe_sha256", "planned", "pattern", "first", "size")
_OUTBOX = ("at", "account", "action", "message", "sink", "key", "type", "reason")

EVENT = "event"  # its lines are links
TABLES = (
    Covered(
        "attempt",
        "id",
        recorded_row.ATTEMPT,
        while_open=recorded_row.ATTEMPT_BEGUN,
        when="NEW.verdict IS NOT NULL OR OLD.verdict IS NOT NULL",
    ),
    Covered("identity", "id", recorded_row.IDENTITY, when=_changed(recorded_row.IDENTITY)),
    Covered("pki_request", "id", recorded_row.REQUEST),
    Covered("certificate", "request_id", recorded_row.CERTIFICATE),
    Covered("pki_answer", "request_id", ("at", "content")),
    Covered("spare_certificate", "id", _SPARE),
    Covered("pki_decision", "id", ("at", "account", "action", "subject", "reason")),
    Covered("unit_release", "id", ("uid", "at", "account", "reason", "incarnation")),
    Covered("intervention", "id", ("station", "at", "who", "deed", "slot", "fault", "reason")),
    Covered("lot", "name", _LOT, when=_changed(("name", *_LOT))),
    Covered("lot_event", "id", ("lot", "at", "account", "reason", "type", "body")),
    Covered("lot_range", "id", ("lot", "shape", "fixed", "low", "high")),
    Covered("unit_event", "id", _DECIDED[1:]),
    Covered("sample_event", "id", _DECIDED[1:]),
    Covered("label_event", "id", _LABEL),
    Covered("secrets_deed", "id", _SECRETS),
    Covered("outbox_decision", "id", _OUTBOX),
    Covered("audit_decision", "id", ("at", "account", "reason", "checkpoint", "number")),
)
BY_NAME = {covered.table: covered for covered in TABLES}

_APPEND = "INSERT INTO chain (incarnation, number, event_id, at, type, body, hash) VALUES (0, ?, ?, ?, ?, ?, ?)"
_HEAD = (
    "SELECT number, hash FROM chain WHERE incarnation = 0 AND typeof(number) = 'integer' AND typeof(hash) = 'blob'"
    " ORDER BY number DESC LIMIT 1"
)
_EVENTS = "SELECT id, at, type, attempt_id, body FROM event WHERE id BETWEEN ? AND ?"
_NAMED = frozenset({"lot"})  # tables whose keys are names


def begin(connection: Connection) -> None:
    """Keeps the chain from now on, in every transaction of this connection. The caller's transaction begins it in a new or older ledger."""
    raw = chain.driver(connection)
    if not raw.execute("SELECT 1 FROM chain_base WHERE incarnation = 0").fetchone():
        chain.begin(connection, LOCAL, chain.GENESIS)
        after = {name: _last(raw, name, key) for name, key in _keys()}
        said = {"chain": secrets.token_hex(16), "version": version.running().number, "after": after}
        _write(raw, [(iso(datetime.now(UTC)), BEGUN, chain.ENCODER.encode(said))])
    if "recorded" in connection.info:
        return
    connection.info["recorded"] = True
    raw.execute("CREATE TEMP TABLE touched (number INTEGER PRIMARY KEY, name TEXT NOT NULL, key NOT NULL)")
    for statement in _triggers():
        raw.execute(statement)


def listen(connection: Connection) -> None:
    """Has the lines written before each commit of the connection's engine."""
    event.listen(connection.engine, "commit", follow)


def follow(connection: Connection) -> None:
    """Writes the lines of the rows that this transaction has written so far, if the connection keeps the chain."""
    if "recorded" not in connection.info:
        return
    raw = chain.driver(connection)
    touched: list[tuple[str, Key]] = raw.execute("SELECT name, key FROM temp.touched ORDER BY number").fetchall()
    if not touched:
        return
    raw.execute("DELETE FROM temp.touched")
    at = iso(datetime.now(UTC))
    lines: list[_Told] = []
    written = dict.fromkeys(touched)
    events = [int(key) for name, key in written if name == EVENT]
    told = {row[0]: row for row in raw.execute(_EVENTS, (min(events), max(events)))} if events else {}
    for name, key in written:
        if name == EVENT:
            number, moment, kind, attempt, body = told[int(key)]
            canonical = body if body == "{}" else chain.ENCODER.encode(json.loads(body))
            lines.append(_Link(number, attempt, (moment, kind, canonical)))
        else:
            content = BY_NAME[name].content(raw, key)
            shown = f'"{key}"' if name in _NAMED else key
            lines.append((at, ROW, f'{{"content":"{content}","key":{shown},"table":"{name}"}}'))
    _write(raw, lines)


class _Link(NamedTuple):
    """A line about an event: its number, its attempt, and its moment, type and canonical body."""

    event: int
    attempt: int
    told: tuple[str, str, str]


_Told = _Link | tuple[str, str, str]
"""An event's; or moment, type and body of a line of its own."""


def head(raw: sqlite3.Connection) -> tuple[int, bytes]:
    """Number and hash of the newest line; number 0 before the first."""
    number, hashed = raw.execute(_HEAD).fetchone() or (0, chain.GENESIS)
    return number, bytes(hashed)


def _write(raw: sqlite3.Connection, lines: Sequence[_Told]) -> None:
    number, hashed = head(raw)
    rows: list[tuple[object, ...]] = []
    for line in lines:
        number += 1
        if isinstance(line, _Link):
            hashed = hashlib.sha256(hashed + chain.line_text(number, line.attempt, line.told)).digest()
            rows.append((number, line.event, None, None, None, hashed))
        else:
            hashed = hashlib.sha256(hashed + chain.line_text(number, None, line)).digest()
            rows.append((number, None, *line, hashed))
    raw.executemany(_APPEND, rows)


def _keys() -> Iterator[tuple[str, str]]:
    yield EVENT, "id"
    yield from ((covered.table, covered.key) for covered in TABLES)


def _last(raw: sqlite3.Connection, table: str, key: str) -> Key | list[str]:
    """The highest key of a table of before; all keys of one whose keys are names."""
    if table == "lot":
        return [name for (name,) in raw.execute("SELECT name FROM lot ORDER BY name")]
    (last,) = raw.execute(f'SELECT coalesce(max("{key}"), 0) FROM "{table}"').fetchone()  # noqa: S608  names of this module
    return int(last)


def _triggers() -> Iterator[str]:
    for table, key in _keys():
        covered = BY_NAME.get(table)
        changed = f" WHEN {covered.when}" if covered and covered.when else ""
        for deed, of, when in (("INSERT", "NEW", ""), ("UPDATE", "NEW", changed), ("DELETE", "OLD", "")):
            yield (
                f"CREATE TEMP TRIGGER touched_{table}_{deed} AFTER {deed} ON main.{table}{when}"  # noqa: S608  names of this module
                f" BEGIN INSERT INTO touched (name, key) VALUES ('{table}', {of}.{key}); END"
            )


def is_kept(connection: Connection) -> bool:
    """Whether the ledger has such a chain: it is of this version, and was opened by it."""
    raw = chain.driver(connection)
    if not raw.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'audit_decision'").fetchone():
        return False
    return raw.execute("SELECT 1 FROM chain WHERE incarnation = 0 LIMIT 1").fetchone() is not None


def since(connection: Connection) -> tuple[str, int]:
    """When the chain began, and after which event."""
    row = chain.driver(connection).execute("SELECT at, body FROM chain WHERE incarnation = 0 AND number = 1").fetchone()
    if row is None:
        return "a line that is missing", 0
    try:
        return str(row[0]), int(json.loads(row[1])["after"][EVENT])
    except (ValueError, TypeError, KeyError, RecursionError):
        return "a line that was changed", 0
