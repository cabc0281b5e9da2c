# SPDX-License-Identifier: Apache-2.0
"""The journal's lines about one lot, for a bundle, with the hashes that link them to the chain's head.

They are those of the chain that every ledger keeps for itself (`recording`). A line about the lot has its text, and the newest
about a row the row's content. Lines about other lots, which the bundle's reader has no right to, are one row: the number and
the hash of the last.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Protocol

from sqlalchemy import Connection

from station.adapters.ledger import chain, recording
from station.adapters.ledger.recording import BEGUN, BY_NAME, LOCAL, ROW
from station.domain import recorded_row
from station.domain.shared import Line

PAGE = 2000
_BASE = "SELECT number, hash FROM chain_base WHERE incarnation = 0"
_FIRST = "SELECT event_id FROM chain WHERE incarnation = 0 AND event_id IS NOT NULL ORDER BY number LIMIT 1"


class Belongs(Protocol):
    """Whether attempts and rows are the lot's."""

    def attempt(self, number: object) -> bool: ...

    def row(self, table: str, key: object) -> bool: ...


def unchained(event: int, attempt: int, told: tuple[str, str, object]) -> dict[str, object]:
    """An event from before the chain began: the same text without a number, and no hash."""
    at, name, body = told
    return {"event": event, "text": json.dumps([None, at, name, attempt, body], ensure_ascii=False)}


def lines(connection: Connection, belongs: Belongs, awaited: int | None) -> Iterator[dict[str, object]]:
    """The lines from the first about the lot to the chain's head; the hash of the awaited line is among them."""
    base = chain.driver(connection).execute(_BASE).fetchone()
    if base is None:
        return
    before, given, begun = (base[0], bytes(base[1])), None, False
    for line in _all(connection, base[0]):
        if (told := _told(connection, line, belongs, begun=begun)) is not None:
            if given != before[0]:
                yield _passed(*before)
            begun, given = True, line.number
            yield told
        elif begun and line.number == awaited:
            yield _passed(line.number, line.hash)
            given = line.number
        before = line.number, line.hash
    if begun and given != before[0]:
        yield _passed(*before)


def first_event(connection: Connection) -> int | None:
    """The first event that a line of the chain covers; None if the chain has no line of an event."""
    row = chain.driver(connection).execute(_FIRST).fetchone()
    return None if row is None else int(row[0])


def head(connection: Connection) -> dict[str, object] | None:
    """The newest line of the chain; None if it has none."""
    number, hashed = recording.head(chain.driver(connection))
    return {"incarnation": LOCAL, "number": number, "hash": hashed.hex()} if number else None


def _all(connection: Connection, after: int) -> Iterator[Line]:
    while page := chain.unsent(connection, LOCAL, after, PAGE):
        yield from page
        after = page[-1].number


def _told(connection: Connection, line: Line, belongs: Belongs, *, begun: bool) -> dict[str, object] | None:
    """A line as the bundle has it; None for one that is not about the lot."""
    _, _, name, attempt, body = json.loads(line.text)
    told = {"incarnation": LOCAL, "number": line.number, "text": line.text.decode(), "hash": line.hash.hex()}
    if attempt is not None:
        return told if belongs.attempt(attempt) else None
    if name != ROW:
        return told if begun or name == BEGUN else None
    if not belongs.row(body["table"], body["key"]) and not (begun and _is_gone(connection, body)):
        return None
    row = _row(connection, body)
    return told if row is None else {**told, "row": row}


def _row(connection: Connection, body: Mapping[str, object]) -> list[tuple[str, object]] | None:
    """The row's content, if it is still the one that the line records."""
    key = body["key"]
    assert isinstance(key, int | str)
    row = BY_NAME[str(body["table"])].named(chain.driver(connection), key)
    return row if row is not None and recorded_row.digest([value for _, value in row]) == body["content"] else None


def _is_gone(connection: Connection, body: Mapping[str, object]) -> bool:
    """Whether nobody can tell any more which lot the row was about, since it was removed."""
    covered = BY_NAME[str(body["table"])]
    query = f'SELECT 1 FROM "{covered.table}" WHERE "{covered.key}" = ?'  # noqa: S608  names of `recording`
    return chain.driver(connection).execute(query, (body["key"],)).fetchone() is None


def _passed(last: int, hashed: bytes) -> dict[str, object]:
    """Lines of others up to this one, which has this hash."""
    return {"incarnation": LOCAL, "upto": last, "hash": hashed.hex()}
