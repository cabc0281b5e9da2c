# SPDX-License-Identifier: Apache-2.0
"""Whether a ledger is still as its station wrote it: the chain of its audit trail, computed anew from the rows by docs/audit.md."""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.evidence import Evidence
from tests.campaign.referee.ledgers import address
from tests.campaign.referee.violation import Promise, Violation

GENESIS = bytes(32)
NUMBERED = ("attempt", "event", "identity", "pki_request")  # tables that nobody deletes from

_OPEN = "station slot probe tty recipe recipe_sha256 images started_at station_version station_commit"
COLUMNS: Mapping[str, tuple[str, Sequence[str]]] = {
    name: (key, columns.split())
    for name, key, columns in (
        ("attempt", "id", f"{_OPEN} lot uid dac_serial_number verdict fault ended_at seconds steps laboratory"),
        ("identity", "id", "uid lot lot_index serial_number discriminator manufacturing_date reserved_at state"),
        ("pki_request", "id", "key uid csr submitted_at outcome reason answered_at due_at excused closed"),
        ("certificate", "request_id", "key dac_serial_number dac pai issued_at"),
        ("spare_certificate", "id", "request_id key serial_number kind found_at reason content closed"),
        ("unit_event", "id", "uid at account reason type body"),
        ("label_event", "id", "at station uid type copy who reason slot other"),
    )
}
"""Key and columns of each table whose rows a campaign writes; a line has the SHA-256 of the columns' values."""
OPEN = len(_OPEN.split())  # the first columns, which an attempt without a verdict has
_LINES = """SELECT c.number, c.hash, c.event_id, coalesce(c.at, e.at), coalesce(c.type, e.type), e.attempt_id, c.body, e.body
    FROM chain c LEFT JOIN event e ON e.id = c.event_id WHERE c.incarnation = 0 ORDER BY c.number"""


def untouched(evidence: Evidence) -> Iterator[Violation]:
    """Each row has its line, each line its row, and each hash is that of the line before it and its own."""
    for ledger in evidence.ledgers:
        for each in flaws(ledger.path):
            yield Violation(Promise.UNTOUCHED, f"{ledger.path.parent.name}: {each}")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the chain, with the event that it links to."""

    number: int
    hash: bytes
    event: int | None
    at: str
    type: str
    attempt: int | None
    fact: str | None
    event_body: str | None

    @property
    def text(self) -> bytes:
        body = self.fact if self.event is None else canonical(json.loads(self.event_body or "null"))
        head = json.dumps([self.number, self.at, self.type, self.attempt], separators=(",", ":"), ensure_ascii=False)
        return f"{head[:-1]},{body}]".encode(errors="backslashreplace")

    @property
    def name(self) -> str:
        of = "" if self.event is None else f", {self.type} of attempt {self.attempt} (event {self.event})"
        return f"line {self.number}{of}"


def flaws(path: Path) -> Iterator[str]:
    """What in this ledger is not as the station wrote it."""
    with closing(sqlite3.connect(address(path), uri=True)) as connection:
        newest: dict[tuple[str, object], str] = {}
        links = Counter[int]()
        hashed, number = GENESIS, 0
        after: dict[str, int] = {}
        for line in (Line(*row) for row in connection.execute(_LINES)):
            number += 1
            if line.number != number:
                yield f"the chain goes on with line {line.number} in place of {number}"
                number = line.number
            if hashlib.sha256(hashed + line.text).digest() != line.hash:
                yield f"{line.name} is not as it was written"
            hashed = line.hash
            if line.event is not None:
                links[line.event] += 1
            elif line.type == "ChainBegun":
                after = json.loads(str(line.fact))["after"]
            else:
                said = json.loads(str(line.fact))
                newest[said["table"], said["key"]] = said["content"]
        if not number:
            yield "it has no chain"
        yield from _events(connection, links, after)
        for table in COLUMNS:
            yield from _rows(connection, table, newest, after)
        yield from _cut(connection)


def _events(connection: sqlite3.Connection, links: Counter[int], after: Mapping[str, int]) -> Iterator[str]:
    """Events with no line, or with two; lines whose event is gone have another hash already."""
    query = "SELECT id, type, attempt_id FROM event WHERE id > ? ORDER BY id"
    for number, kind, attempt in connection.execute(query, (after.get("event", 0),)):
        if links[number] != 1:
            yield f"event {number}, {kind} of attempt {attempt}, has {links[number]} lines"


def _rows(
    connection: sqlite3.Connection, table: str, newest: Mapping[tuple[str, object], str], after: Mapping[str, int]
) -> Iterator[str]:
    there = set[object]()
    for key, content in contents(connection, table):
        there.add(key)
        wanted = newest.get((table, key))
        if wanted is None and key > after.get(table, 0):
            yield f"{table} {key} has no line"
        elif wanted is not None and wanted != content:
            yield f"{table} {key} is not as it was written"
    for (name, one), content in newest.items():
        if name == table and content and one not in there:
            yield f"{table} {one} is gone"


def _cut(connection: sqlite3.Connection) -> Iterator[str]:
    for table in NUMBERED:
        given = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        (last,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608  names of this module
        if given is not None and given[0] != last:
            yield f"{table} ends with {last}, and has had {given[0]}"


def contents(connection: sqlite3.Connection, table: str) -> Iterator[tuple[int, str]]:
    """The key and the SHA-256 of each row of a table."""
    key, columns = COLUMNS[table]
    names = ", ".join(f'"{name}"' for name in (key, *columns))
    for number, *row in connection.execute(f"SELECT {names} FROM {table} ORDER BY {key}").fetchall():  # noqa: S608  names of this module
        values = row[:OPEN] if table == "attempt" and row[columns.index("verdict")] is None else row
        yield number, digest(values)


def digest(values: Sequence[object]) -> str:
    plain = [value.hex() if isinstance(value, bytes) else value for value in values]
    return hashlib.sha256(json.dumps(plain, separators=(",", ":")).encode()).hexdigest()


def canonical(body: object) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
