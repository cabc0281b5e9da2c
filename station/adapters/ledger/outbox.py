# SPDX-License-Identifier: Apache-2.0
"""The outbox in SQL: messages for the MES, written in the transaction of the event that they tell, and kept until delivered."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, insert, not_, or_, select, text, update

from station.adapters.ledger import sqlite, tables
from station.adapters.ledger.custody import Custody
from station.domain.attempt import Event
from station.domain.intervention import Decision, DecisionRefused
from station.interfaces import Reports
from station.mes.message import Counts, Facts, Message, Waiting

_table, _decision = tables.outbox, tables.outbox_decision
_attempt, _identity, _ledger = tables.attempt, tables.identity, tables.ledger
# Word for word as the indexes have it, without which SQLite does not use them.
_PENDING, _DEAD = text("sent_at IS NULL AND dead_at IS NULL"), text("dead_at IS NOT NULL")
_UNSENT = text("sent_at IS NULL")
_NEW = insert(_table)

LONGEST_WAIT = timedelta(days=1, minutes=10)  # a message that waits longer was postponed by a wrong clock
PRUNED_AT_ONCE = 500
ALL_DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message that is not delivered, as people see it."""

    number: int
    sink: str
    key: str
    type: str
    created_at: datetime
    tries: int
    next_at: datetime | None
    error: str | None
    dead_at: datetime | None


def is_told(event: Event, reports: Reports | None) -> bool:
    """Whether the event makes messages."""
    return reports is not None and type(event) in reports.wanted


def report(connection: Connection, number: int, event: Event, at: datetime, reports: Reports | None) -> None:
    """Writes the messages that an event of an attempt makes, in the event's own transaction.

    Call it when the attempt's columns sum up the events to this one.
    """
    if reports is None or not is_told(event, reports):
        return
    columns = (
        _attempt.c.station,
        _attempt.c.slot,
        _attempt.c.recipe,
        _attempt.c.lot,
        tables.lot.c.work_order,
        _attempt.c.started_at,
        _attempt.c.uid,
        _attempt.c.dac_serial_number,
        _attempt.c.verdict,
        _attempt.c.fault,
        _attempt.c.seconds,
        _attempt.c.steps,
        _attempt.c.laboratory,
    )
    query = select(*columns).join_from(_attempt, tables.lot, tables.lot.c.name == _attempt.c.lot, isouter=True)
    row = connection.execute(query.where(_attempt.c.id == number)).mappings().one()
    serial_number = None
    if row["uid"] is not None:
        serial_number = connection.scalar(select(_identity.c.serial_number).where(_identity.c.uid == row["uid"]))
    incarnation = connection.scalar(select(_ledger.c.incarnation).where(_ledger.c.one == 1)) or 1
    facts = Facts(attempt=number, incarnation=incarnation, at=at, event=event, serial_number=serial_number, **dict(row))
    write(connection, reports.of(facts), at)


def write(connection: Connection, messages: Sequence[Message], at: datetime) -> None:
    if messages:
        rows = [
            {"sink": each.sink, "key": each.key, "type": each.type, "body": each.body, "created_at": at}
            for each in messages
        ]
        connection.execute(_NEW, rows)


class Outbox:
    """The outbox of the running daemon (`interfaces.Outbox`). Reads in a thread, and writes through the ledger's writer."""

    def __init__(self, path: Path, custody: Custody) -> None:
        self._path = path
        self._custody = custody

    async def put(self, messages: Sequence[Message], at: datetime) -> None:
        """Writes messages that no attempt makes."""
        await self._custody.do_anyhow(partial(write, messages=messages, at=at))

    async def due(self, sink: str, now: datetime, most: int) -> list[Waiting]:
        """The messages that may be tried now, the least tried first; of each key only the first that is pending."""
        return await asyncio.to_thread(_due, self._path, sink, now, most)

    async def next_due(self, sink: str) -> datetime | None:
        """When the first of the postponed messages is due."""
        return await asyncio.to_thread(_next_due, self._path, sink)

    async def counts(self, sink: str) -> Counts:
        return await asyncio.to_thread(_counts, self._path, sink)

    async def delivered(self, number: int, at: datetime) -> None:
        await self._custody.do(partial(_end, number=number, values={"sent_at": at, "error": None}))

    async def postponed(self, number: int, error: str, until: datetime, *, refused: bool) -> None:
        await self._custody.do(partial(_postpone, number=number, error=error, until=until, refused=refused))

    async def died(self, number: int, error: str, at: datetime) -> None:
        values = {"dead_at": at, "error": error, "next_at": None, "refusals": _table.c.refusals + 1}
        await self._custody.do(partial(_end, number=number, values=values))

    async def prune(self, before: datetime) -> int:
        """Removes messages that were delivered before that time; returns how many."""
        removed = 0
        while gone := await self._custody.do(partial(_prune, before=before)):
            removed += gone
        return removed

    async def retry(self, numbers: Sequence[int] | None, decision: Decision, at: datetime) -> int:
        """Has messages tried again now, the dead ones among them; None means all dead ones. Raises `DecisionRefused`."""
        return await self._custody.do(partial(retry, numbers=numbers, decision=decision, at=at))

    async def drop(self, numbers: Sequence[int], decision: Decision, at: datetime) -> int:
        """Gives messages up for good; raises `DecisionRefused`."""
        return await self._custody.do(partial(drop, numbers=numbers, decision=decision, at=at))


def retry(connection: Connection, numbers: Sequence[int] | None, decision: Decision, at: datetime) -> int:
    """Has messages tried again at once, and records who decided it."""
    decision.check()
    if numbers is None:
        numbers = connection.scalars(select(_table.c.id).where(_DEAD).order_by(_table.c.id)).all()
    rows = _chosen(connection, numbers)
    for row in rows:
        values = {"dead_at": None, "next_at": None, "tries": 0, "refusals": 0}
        connection.execute(update(_table).where(_table.c.id == row["id"]).values(values))
    _record(connection, "retry", rows, decision, at)
    return len(rows)


def drop(connection: Connection, numbers: Sequence[int], decision: Decision, at: datetime) -> int:
    """Removes messages that shall never be delivered. Who decided it stays; the journal still has what they told."""
    decision.check()
    rows = _chosen(connection, numbers)
    for row in rows:
        connection.execute(_table.delete().where(_table.c.id == row["id"]))
    _record(connection, "drop", rows, decision, at)
    return len(rows)


def listed(path: Path, after: int = 0, most: int | None = None, sink: str | None = None) -> list[Entry]:
    """The messages that are pending or dead, in the order in which they were written; raises `LedgerUnavailable`."""
    columns = [_table.c.id.label("number"), *(_table.c[name] for name in Entry.__slots__ if name != "number")]
    query = select(*columns).where(_UNSENT, _table.c.id > after)
    if sink is not None:
        query = query.where(_table.c.sink == sink)
    with sqlite.reading(path) as connection:
        return [Entry(**row) for row in connection.execute(query.order_by(_table.c.id).limit(most)).mappings()]


def _due(path: Path, sink: str, now: datetime, most: int) -> list[Waiting]:
    earlier = _table.alias("earlier")
    blocked = (
        select(earlier.c.id)
        .where(
            earlier.c.sink == _table.c.sink,
            earlier.c.key == _table.c.key,
            earlier.c.id < _table.c.id,
            text("earlier.sent_at IS NULL AND earlier.dead_at IS NULL"),
        )
        .exists()
    )
    next_at = _table.c.next_at
    ready: ColumnElement[bool] = or_(next_at.is_(None), next_at <= now, next_at > now + LONGEST_WAIT)
    pending = text("outbox.sent_at IS NULL AND outbox.dead_at IS NULL")
    query = select(_table).where(and_(_table.c.sink == sink, pending, ready, not_(blocked)))
    with sqlite.reading(path) as connection:
        rows = connection.execute(query.order_by(_table.c.tries, _table.c.id).limit(most)).mappings()
        return [_waiting(row) for row in rows]


def _waiting(row: RowMapping) -> Waiting:
    event_id = _event_id(row["body"]) or str(row["id"])
    return Waiting(row["id"], event_id, row["type"], row["body"], row["tries"], row["refusals"])


def _event_id(body: str) -> str | None:
    """The id by which receivers know a repetition: a CloudEvent's, or a CFX envelope's."""
    try:
        event: object = json.loads(body)
    except ValueError:  # somebody has edited the row: the receiver may say what it thinks of it
        return None
    match event:
        case {"id": str(found)} | {"UniqueID": str(found)}:
            return found
    return None


def _next_due(path: Path, sink: str) -> datetime | None:
    query = select(_table.c.next_at).where(_table.c.sink == sink, _PENDING, _table.c.next_at.is_not(None))
    with sqlite.reading(path) as connection:
        found: datetime | None = connection.scalar(query.order_by(_table.c.next_at).limit(1))
        return found


def _counts(path: Path, sink: str) -> Counts:
    pending = select(func.count()).where(_table.c.sink == sink, _PENDING)
    # The concatenation keeps SQLite from an index by sink, after which it would sort all that is pending.
    of_sink = _table.c.sink.concat("") == sink
    first = select(_table.c.created_at).where(of_sink, _UNSENT, _table.c.dead_at.is_(None))
    dead = select(func.count()).where(_table.c.sink == sink, _DEAD)
    with sqlite.reading(path) as connection:
        oldest: datetime | None = connection.scalar(first.order_by(_table.c.id).limit(1))
        return Counts(connection.scalar(pending) or 0, oldest, connection.scalar(dead) or 0)


def _end(connection: Connection, number: int, values: dict[str, object]) -> None:
    connection.execute(update(_table).where(_table.c.id == number).values(tries=_table.c.tries + 1, **values))


def _postpone(connection: Connection, number: int, error: str, until: datetime, *, refused: bool) -> None:
    values = {"error": error, "next_at": until, "refusals": _table.c.refusals + refused}
    _end(connection, number, values)


def _prune(connection: Connection, before: datetime) -> int:
    old = select(_table.c.id).where(text("sent_at IS NOT NULL"), _table.c.sent_at < before)
    numbers = connection.scalars(old.limit(PRUNED_AT_ONCE)).all()
    for number in numbers:
        connection.execute(_table.delete().where(_table.c.id == number))
    return len(numbers)


def _chosen(connection: Connection, numbers: Sequence[int]) -> list[RowMapping]:
    rows = []
    for number in dict.fromkeys(numbers):
        columns = (_table.c.id, _table.c.sink, _table.c.key, _table.c.type, _table.c.sent_at)
        row = connection.execute(select(*columns).where(_table.c.id == number)).mappings().first()
        if row is None:
            raise DecisionRefused(f"the outbox has no message {number}")
        if row["sent_at"] is not None:
            raise DecisionRefused(f"message {number} was delivered at {tables.iso(row['sent_at'])}")
        rows.append(row)
    return rows


def _record(connection: Connection, action: str, rows: Sequence[RowMapping], decision: Decision, at: datetime) -> None:
    about = {"at": at, "account": decision.account, "action": action, "reason": decision.reason}
    for row in rows:
        subject = {"message": row["id"], "sink": row["sink"], "key": row["key"], "type": row["type"]}
        connection.execute(insert(_decision), about | subject)
