# SPDX-License-Identifier: Apache-2.0
"""The journal's way to the centre: lines in their order, behind a cursor that the centre keeps."""

from dataclasses import dataclass

from station.adapters.ledger.shared import Stopped
from station.adapters.ledger.shared_state import Standing
from station.domain.shared import MOST_LINES
from station.replication.interfaces import Centre, SharedLedger, SharedReader


@dataclass(frozen=True, slots=True)
class Pushed:
    """How far the centre has the journal now."""

    cursor: int
    """The last line that it has."""
    waiting: int
    """Lines that it has not."""
    stopped: Stopped | None = None


async def push(
    centre: Centre,
    reader: SharedReader,
    ledger: SharedLedger,
    after: int,
    most: int = MOST_LINES,
    *,
    note: bool = True,
) -> Pushed:
    """Pushes the lines after this number, at most `most`. May be repeated after a lost answer: nothing is taken twice.

    The centre's answer is where its cursor stands, which may be elsewhere: later after a lost answer, earlier after the
    centre was set back. A cursor whose hash is not this ledger's stops the ledger for good. Before the first line the
    centre has the hash at which the enrolment was asked for, and boards may have been made since.
    """
    standing = reader.standing()
    previous = reader.hash_at(after)
    if previous is None:
        return await _stop(ledger, standing, after, Stopped.FORKED)
    cursor = await centre.push(standing.incarnation, after + 1, previous, reader.unsent(after, most))
    reached = cursor.next_line - 1
    if reached and reader.hash_at(reached) != cursor.head:
        return await _stop(ledger, standing, reached, Stopped.FORKED)
    if note and reached > standing.acked:
        await ledger.acknowledged(reached)
    if cursor.closed:
        return await _stop(ledger, standing, reached, Stopped.FENCED)
    return Pushed(reached, reader.standing().lines - reached)


async def _stop(ledger: SharedLedger, standing: Standing, cursor: int, why: Stopped) -> Pushed:
    if standing.stopped != why:
        await ledger.stopped(why)
    return Pushed(cursor, standing.lines - cursor, why)
