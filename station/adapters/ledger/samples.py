# SPDX-License-Identifier: Apache-2.0
"""Samples in SQL: which boards they are, how their attempts ended, and when they were due and met. Units of work, and reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import get_args

from sqlalchemy import Connection, Row, bindparam, insert, literal, select

from station.adapters.ledger import dispositions, lots, sqlite, tables
from station.adapters.ledger.driver import Prepared
from station.adapters.ledger.sampled import is_sample
from station.domain.disposition import Disposition
from station.domain.identity import IdentityState
from station.domain.intervention import Decision, DecisionRefused
from station.domain.samples import (
    Circumstances,
    Expected,
    SampleAdded,
    SampleChecked,
    SampleEvent,
    SampleRemoved,
    SamplesDue,
    SamplesMet,
)
from station.domain.target import UID

_attempt, _identity, _event = tables.attempt, tables.identity, tables.sample_event
TYPES: Mapping[str, type[SampleEvent]] = {event.on_disk.name: event for event in get_args(SampleEvent)}
_SETS = (SampleAdded.on_disk.name, SampleRemoved.on_disk.name)
# The statements of each attempt are built once: building one costs more than executing it for a row.
_ALL_SETS = Prepared(select(_event).where(tables.among(_event.c.type, _SETS)).order_by(_event.c.id))
_MET = Prepared(select(_event).where(_event.c.type == SamplesMet.on_disk.name).order_by(_event.c.id.desc()).limit(1))
_LATER = Prepared(select(_event).where(_event.c.id > bindparam("after")).order_by(_event.c.id))


@dataclass(frozen=True, slots=True)
class State:
    """What the ledger knows of the samples.

    `good` are those that have ended as expected since they were due; `met` is the last time that all had, and on what line.
    `due` is the reason for which they are due, None if the last word is that they were met.
    """

    known: Mapping[UID, Expected]
    good: frozenset[UID]
    met: tuple[datetime, Circumstances] | None
    due: str | None


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """One sample. The last three are of its newest check, None before the first."""

    uid: str
    verdict: str
    fault: str | None
    added_at: datetime
    account: str
    reason: str
    checked_at: datetime | None
    attempt: int | None
    good: bool | None


def add(connection: Connection, uid: UID, expected: Expected, decision: Decision, at: datetime) -> None:
    """Makes a board a sample; raises `DecisionRefused`. A good one must have passed here: it gets no certificate as a sample."""
    decision.check()
    try:
        expected.check()
    except ValueError as exc:
        raise DecisionRefused(str(exc)) from exc
    if uid in _known(connection):
        raise DecisionRefused(f"the board {uid} is a sample already; remove it first")
    if dispositions.of(connection, uid) is Disposition.SCRAPPED:
        raise DecisionRefused(f"the unit with UID {uid} is scrapped already")
    row = connection.execute(select(_identity).where(_identity.c.uid == str(uid))).first()
    if expected.verdict == "pass" and (row is None or row.state != IdentityState.PASSED.value):
        raise DecisionRefused(f"the board {uid} has not passed here: only such a board can be a good sample")
    if row is not None and not connection.scalar(select(is_sample(literal(str(uid))))):
        lots.gave_up(connection, row.lot)
    record(connection, SampleAdded(expected.verdict, expected.fault), at, uid, decision)


def remove(connection: Connection, uid: UID, decision: Decision, at: datetime) -> None:
    """Takes a board off the list; raises `DecisionRefused`."""
    decision.check()
    if uid not in _known(connection):
        raise DecisionRefused(f"the board {uid} is no sample")
    record(connection, SampleRemoved(), at, uid, decision)


def record(
    connection: Connection, event: SampleEvent, at: datetime, uid: UID | None = None, by: Decision | None = None
) -> None:
    """Records an event; without a person, what the line has found."""
    body = {key: getattr(event, field.name) for key, field in zip(event.on_disk.keys, fields(event), strict=True)}
    row = {"uid": None if uid is None else str(uid), "at": at, "type": event.on_disk.name, "body": body}
    person = {"account": by.account if by else None, "reason": by.reason if by else ""}
    connection.execute(insert(_event), row | person)


def state(connection: Connection) -> State:
    """What is known now, from the events alone."""
    known = _known(connection)
    met = _MET.first(connection)
    good, due = set[UID](), None
    for row in _LATER.all(connection, {"after": 0 if met is None else met.id}):
        match row.type:
            case SamplesDue.on_disk.name:
                due, good = row.body["why"], set()
            case SampleChecked.on_disk.name if row.body["good"]:
                good.add(_uid(row.uid))
            case SampleChecked.on_disk.name | SampleRemoved.on_disk.name:
                good.discard(_uid(row.uid))
            case SampleAdded.on_disk.name:
                good.discard(_uid(row.uid))
                due = due or "a sample was added"
    proven = None if met is None else (met.at, _proven(met.body))
    return State(known, frozenset(good & known.keys()), proven, due)


def first_probes(connection: Connection, since: datetime) -> dict[str, str]:
    """The probe with which each slot was first used since then."""
    newest_first = select(_attempt.c.slot, _attempt.c.probe).where(_attempt.c.started_at >= since)
    return {row.slot: row.probe for row in connection.execute(newest_first.order_by(_attempt.c.id.desc()))}


def listed(path: Path) -> list[SampleRecord]:
    """The samples, the oldest first; raises `LedgerUnavailable`."""
    with sqlite.reading(path) as connection, connection.begin():
        found = []
        for uid, expected in _known(connection).items():
            added, checked = _newest(connection, uid, _SETS), _newest(connection, uid, (SampleChecked.on_disk.name,))
            assert added is not None
            found.append(
                SampleRecord(
                    str(uid),
                    expected.verdict,
                    expected.fault,
                    added.at,
                    added.account,
                    added.reason,
                    checked.at if checked else None,
                    checked.body["attempt"] if checked else None,
                    checked.body["good"] if checked else None,
                )
            )
        return found


def _known(connection: Connection) -> dict[UID, Expected]:
    known: dict[UID, Expected] = {}
    for row in _ALL_SETS.all(connection):
        if row.type == SampleAdded.on_disk.name:
            known[_uid(row.uid)] = Expected(row.body["verdict"], row.body["fault"])
        else:
            known.pop(_uid(row.uid), None)
    return known


def _newest(connection: Connection, uid: UID, types: tuple[str, ...]) -> Row[*tuple[object, ...]] | None:
    mine = select(_event).where(_event.c.uid == str(uid), _event.c.type.in_(types))
    return connection.execute(mine.order_by(_event.c.id.desc()).limit(1)).first()


def _proven(body: Mapping[str, object]) -> Circumstances:
    made: Callable[..., SamplesMet] = SamplesMet  # type: ignore[explicit-any]  # from JSON
    was = made(**body)
    return Circumstances(was.recipe, frozenset(was.images), was.programmer, was.probes)


def _uid(text: str) -> UID:
    return UID.parse(text)
