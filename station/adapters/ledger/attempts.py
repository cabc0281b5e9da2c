# SPDX-License-Identifier: Apache-2.0
"""Attempts and their events in SQL: units of work for the writer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from station.adapters.ledger import (
    attempt_facts,
    dispositions,
    events,
    figures,
    identities,
    lots,
    outbox,
    tables,
    totals,
)
from station.adapters.ledger.driver import Prepared
from station.adapters.system.version import Version
from station.domain.attempt import VERDICTS, Attempt, Event, Failed, IdentityReserved, Voided
from station.domain.identity import moves
from station.domain.target import UID
from station.domain.transitions import after
from station.domain.work_order import Traced
from station.interfaces import RecordedRecipe, Reports

_attempt, _event = tables.attempt, tables.event
# The statements are built once: building one costs more than executing it for a row.
_NEW_EVENT = Prepared(insert(_event))
_BEGUN = Prepared(insert(_attempt).returning(_attempt.c.id))
# SQLite writes the pages of an index whenever a statement names its column, so most events have a statement without them.
_OF_NUMBER = update(_attempt).where(_attempt.c.id == bindparam("number"))
_SUMMED_UP, _TIMED = Prepared(_OF_NUMBER), Prepared(_OF_NUMBER)


@dataclass(frozen=True, slots=True)
class Sum:
    """An attempt and its times: the content of all summary columns."""

    started_at: datetime
    last_at: datetime
    attempt: Attempt = field(default_factory=Attempt)

    def after(self, at: datetime, event: Event) -> "Sum":
        """`ValueError` where the attempt's table does not allow the event."""
        return Sum(self.started_at, at, after(self.attempt, event))

    @property
    def columns(self) -> dict[str, object]:
        return self.facts | self.times

    @property
    def facts(self) -> dict[str, object]:
        attempt = self.attempt
        return {
            "uid": None if attempt.uid is None else str(attempt.uid),
            "dac_serial_number": attempt.dac_serial_number,
            "verdict": VERDICTS.get(attempt.phase),
            "fault": attempt.fault,
            "ended_at": self.last_at if attempt.ended else None,
            "laboratory": attempt.laboratory,
        }

    @property
    def times(self) -> dict[str, object]:
        return {
            "seconds": (self.last_at - self.started_at).total_seconds(),
            "steps": {phase.value: seconds for phase, seconds in self.attempt.seconds.items()},
        }


Entry = tuple[Event, Sum]
"""An event, and the sum of the attempt's events up to it."""


def summed_up(before: Sum, at: datetime, follow: Iterable[Event]) -> list[Entry]:
    """The events of one moment, each with its sum. `ValueError` where the attempt's table does not allow one."""
    entries: list[Entry] = []
    for event in follow:
        before = before.after(at, event)
        entries.append((event, before))
    return entries


def begin(
    connection: Connection,
    *,
    station: str,
    version: Version,
    slot: str,
    probe: str,
    tty: str,
    recipe: RecordedRecipe,
    at: datetime,
    first: Sequence[Entry],
) -> tuple[int, Traced]:
    """A new attempt with its first events. Returns its number, and the lot that it is traced to until its unit is known."""
    traced = lots.traced(connection, recipe)
    images = {image.name: image.sha256 for image in recipe.images}
    values = {
        "station": station,
        "slot": slot,
        "probe": probe,
        "tty": tty,
        "recipe": recipe.name,
        "recipe_sha256": recipe.sha256,
        "images": images,
        "lot": traced.lot,
        "started_at": at,
        "station_version": version.number,
        "station_commit": version.commit,
    }
    number = _BEGUN.one(int, connection, values | Sum(at, at).columns)
    totals.begun(connection)
    attempt_facts.begun(connection, at, number, values, recipe.release)
    append(connection, number, Sum(at, at), first)
    return number, traced


@dataclass(frozen=True, slots=True)
class Followed:
    """What followed from events: the lot of the unit that they tell, if that is a work order's; a unit's quarantine."""

    traced: Traced | None = None
    quarantined: bool = False


def append(
    connection: Connection,
    number: int,
    written: Sum,
    journal: Sequence[Entry],
    reports: Reports | None = None,
    quarantine_after: int = 0,
) -> Followed:
    """Appends events in their order, and updates the attempt's columns, its identity's state, the totals, the figures and the outbox.

    `written` is the sum of the events before them, which the columns have.
    A unit that has failed for good by the last of them, its `quarantine_after`th fail, goes into quarantine.
    """
    rows = [
        {"attempt_id": number, "at": now.last_at, "type": event.on_disk.name, "body": events.body(event)}
        for event, now in journal
    ]
    _NEW_EVENT.run_many(connection, rows)
    attempt_facts.follow(connection, number, rows)
    traced, quarantined = None, False
    for event, now in journal:
        totals.follow(connection, number, event, now.attempt)
        if now is journal[-1][1] or outbox.is_told(event, reports):
            if now.facts != written.facts:
                _SUMMED_UP.run(connection, now.columns | {"number": number})
            elif now.times != written.times:  # the first events are of the moment at which the attempt begins
                _TIMED.run(connection, now.times | {"number": number})
            written = now
        if now.attempt.ended:
            figures.add(connection, number)
        if moves(now.attempt, event):
            identities.advance(connection, now.attempt.uid, event, now.last_at)
        outbox.report(connection, number, event, now.last_at, reports)
        if now.attempt.ended:
            attempt_facts.ended(connection, now.last_at, number)
        match event:
            case IdentityReserved() if not now.attempt.laboratory:
                traced = lots.trace(connection, number, now.attempt.uid)
            case Failed(fault) if now.attempt.counts_in_yield and now.attempt.uid is not None:
                unit = now.attempt.uid
                quarantined = dispositions.judge(connection, unit, number, fault, quarantine_after, now.last_at)
    return Followed(traced, quarantined)


def close_open(
    connection: Connection, station: str, fault: str, at: datetime, reports: Reports | None = None
) -> list[int]:
    """Voids every attempt of this station without a verdict, as of its last event; returns their numbers."""
    its_own = (_attempt.c.verdict.is_(None), _attempt.c.station == station)
    numbers = connection.scalars(select(_attempt.c.id).where(*its_own).order_by(_attempt.c.id)).all()
    for number in numbers:
        so_far = _replayed(connection, number)
        event = Voided(fault, {"step": so_far.attempt.phase.value, "found_at": tables.iso(at)})
        append(connection, number, so_far, [(event, so_far.after(so_far.last_at, event))], reports)
    return list(numbers)


def last_entry(connection: Connection) -> datetime | None:
    """The time of the newest entry: the one recorded last, not the one with the latest time."""
    times = [
        connection.scalar(select(_event.c.at).order_by(_event.c.id.desc()).limit(1)),
        connection.scalar(select(_attempt.c.started_at).order_by(_attempt.c.id.desc()).limit(1)),
    ]
    return max((at for at in times if at is not None), default=None)


def rebuild(connection: Connection) -> None:
    """Computes every summary column from the events alone."""
    for number in connection.scalars(select(_attempt.c.id)).all():
        columns = _replayed(connection, number).columns
        connection.execute(update(_attempt).where(_attempt.c.id == number), columns)
    identities.rebuild(connection)
    dispositions.rebuild(connection)
    lots.rebuild(connection)
    totals.rebuild(connection)
    figures.rebuild(connection)


def _replayed(connection: Connection, number: int) -> Sum:
    started_at = connection.execute(select(_attempt.c.started_at).where(_attempt.c.id == number)).scalar_one()
    journal = select(_event.c.at, _event.c.type, _event.c.body).where(_event.c.attempt_id == number)
    result = Sum(started_at, started_at)
    for row in connection.execute(journal.order_by(_event.c.id)):
        result = result.after(row.at, events.event(row.type, row.body))
    return result


def recipe_of_passed(connection: Connection, uid: UID) -> str | None:
    """The name of the recipe of the board's newest passed attempt that was no laboratory's."""
    passed = select(_attempt.c.recipe).where(_attempt.c.uid == str(uid), _attempt.c.verdict == "pass")
    return connection.scalar(passed.where(~_attempt.c.laboratory).order_by(_attempt.c.id.desc()).limit(1))
