# SPDX-License-Identifier: Apache-2.0
"""The journal's lines about one lot, for a bundle, with the hashes that link them to the chain's head.

A line about the lot has its text. Lines about other lots, which the bundle's reader has no right to, are one row: their
numbers, and the hash of the last.
"""

import json
from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import Connection

from station.adapters.ledger import chain
from station.domain.shared import Line

Belongs = Callable[[int | None, Mapping[str, object]], bool | None]
"""Whether a line of this attempt with this body is about the lot; None if it is about no unit, lot or attempt at all."""

SECRET = "sealed"  # noqa: S105  the key of what a fact holds under the fleet's key
PAGE = 2000
GENERAL = frozenset({"IncarnationBegun", "Checkpoint", "IntermediateSeen"})
"""Facts about no lot that say nothing of another one."""


def unchained(event: int, attempt: int, told: tuple[str, str, object]) -> dict[str, object]:
    """An event from before the chain began: the same text without a number, and no hash."""
    at, name, body = told
    return {"event": event, "text": json.dumps([None, at, name, attempt, body], ensure_ascii=False)}


def lines(
    connection: Connection, belongs: Belongs, awaited: tuple[int, int] | None = None
) -> Iterator[dict[str, object]]:
    """The lines from the first about the lot to the chain's head; the hash of the awaited line is among them."""
    begun = False
    bases = "SELECT incarnation, number, hash FROM chain_base ORDER BY incarnation"
    for incarnation, number, base in chain.driver(connection).execute(bases).fetchall():
        before, given = (number, bytes(base)), None
        if begun:
            yield run(incarnation, *before)
            given = number
        for line in _all(connection, incarnation, number):
            if _is_told(line.text, belongs, begun=begun):
                if given != before[0]:
                    yield run(incarnation, *before)
                begun, given = True, line.number
                place = {"incarnation": incarnation, "number": line.number}
                yield {**place, "text": line.text.decode(), "hash": line.hash.hex()}
            elif begun and (incarnation, line.number) == awaited:
                yield run(incarnation, line.number, line.hash)
                given = line.number
            before = line.number, line.hash
        if begun and given != before[0]:
            yield run(incarnation, *before)


def first_event(connection: Connection) -> int | None:
    """The first event that a line of the chain covers; None if the chain has no line of an event."""
    query = "SELECT event_id FROM chain WHERE event_id IS NOT NULL ORDER BY incarnation, number LIMIT 1"
    row = chain.driver(connection).execute(query).fetchone()
    return None if row is None else int(row[0])


def head(connection: Connection) -> dict[str, object] | None:
    """The newest line of the chain; None if it has none."""
    query = "SELECT incarnation, number, hash FROM chain ORDER BY incarnation DESC, number DESC LIMIT 1"
    row = chain.driver(connection).execute(query).fetchone()
    return None if row is None else {"incarnation": row[0], "number": row[1], "hash": bytes(row[2]).hex()}


def run(incarnation: int, last: int, hashed: bytes) -> dict[str, object]:
    """Lines of others up to this one, which has this hash."""
    return {"incarnation": incarnation, "upto": last, "hash": hashed.hex()}


def _all(connection: Connection, incarnation: int, after: int) -> Iterator[Line]:
    while page := chain.unsent(connection, incarnation, after, PAGE):
        yield from page
        after = page[-1].number


def _is_told(text: bytes, belongs: Belongs, *, begun: bool) -> bool:
    _, _, name, attempt, body = json.loads(text)
    if body.get(SECRET):
        return False
    found = belongs(attempt, body)
    return (begun and name in GENERAL) if found is None else found
