# SPDX-License-Identifier: Apache-2.0
"""Reads attempts that an engineer asks for by period, place and outcome, and counts them. Never returns a secret."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Literal

from sqlalchemy import ColumnElement, Row, Select, Text, and_, case, func, literal, select, type_coerce

from station.adapters.ledger import sqlite, tables
from station.domain.attempt import StepStarted
from station.domain.numbers import Attempted, Numbers
from station.domain.numbers import numbers as figures

_attempt, _event, _identity = tables.attempt, tables.event, tables.identity
_earlier = _attempt.alias("earlier")
_JOINED = frozenset(
    {"number", "serial_number", "work_order", "step"}
)  # of an `AttemptRecord`: no columns of its attempt
AT_ONCE = 10_000  # rows in memory at a time
_BAD = _attempt.c.verdict.in_(["fail", "void"])
_STEP = (
    select(_event.c.body["step"].as_string())
    .where(_event.c.attempt_id == _attempt.c.id, _event.c.type == StepStarted.on_disk.name)
    .order_by(_event.c.id.desc())
    .limit(1)
    .correlate(_attempt)
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that a selected attempt fulfils; None asks for nothing. It began at `since` or later, and before `until`."""

    since: datetime | None = None
    until: datetime | None = None
    slot: str | None = None
    verdict: str | None = None
    fault: str | None = None
    lot: str | None = None
    step: str | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.since is not None:
            found.append(_attempt.c.started_at >= self.since)
        if self.until is not None:
            found.append(_attempt.c.started_at < self.until)
        equal = {"slot": self.slot, "verdict": self.verdict, "fault": self.fault, "lot": self.lot}
        found.extend(_attempt.c[name] == value for name, value in equal.items() if value is not None)
        if self.step is not None:
            found.append(_STEP.in_([self.step]))
        return found


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt, and the step that it began last; verdict and `ended_at` are None while it runs."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    uid: str | None
    serial_number: str | None
    lot: str
    work_order: str | None
    slot: str
    verdict: str | None
    fault: str | None
    step: str | None
    seconds: float
    probe: str
    recipe: str
    recipe_sha256: str
    station: str
    station_version: str | None
    station_commit: str | None
    dac_serial_number: str | None
    laboratory: bool


def attempts_after(path: Path, selection: Selection, number: int, most: int) -> list[AttemptRecord]:
    """The selected attempts after the one of this number, in the order of their numbers."""
    query = _records(selection).where(_attempt.c.id > number).order_by(_attempt.c.id).limit(most)
    with sqlite.reading(path) as connection:
        return [AttemptRecord(**row) for row in connection.execute(query).mappings()]


def attempts(path: Path, selection: Selection, *, newest: int | None = None) -> Iterator[AttemptRecord]:
    """The selected attempts in the order in which they began; with `newest` only the last ones, the newest first."""
    query = _records(selection)
    if newest is None:
        query = query.order_by(_attempt.c.started_at, _attempt.c.id)
    else:
        query = query.order_by(_attempt.c.started_at.desc(), _attempt.c.id.desc()).limit(newest)
    with sqlite.reading(path) as connection:
        for row in connection.execute(query).mappings():
            yield AttemptRecord(**row)


def names_of(path: Path, column: Literal["slot", "fault"]) -> set[str]:
    """All slots or faults that the ledger's attempts have; reads every attempt."""
    with sqlite.reading(path) as connection:
        return set(connection.scalars(select(_attempt.c[column]).distinct().where(_attempt.c[column].is_not(None))))


def _records(selection: Selection) -> Select[*tuple[object, ...]]:
    """Selects the attempts with the columns of an `AttemptRecord`."""
    columns = (_attempt.c[name] for name in AttemptRecord.__slots__ if name not in _JOINED)
    number, step = _attempt.c.id.label("number"), _STEP.label("step")
    return (
        select(number, _identity.c.serial_number, tables.lot.c.work_order, step, *columns)
        .join_from(_attempt, _identity, _identity.c.uid == _attempt.c.uid, isouter=True)
        .join(tables.lot, tables.lot.c.name == _attempt.c.lot, isouter=True)
        .where(*selection.conditions)
    )


def numbers(path: Path, selection: Selection, limits: Mapping[str, float] | None = None) -> Numbers:
    """The figures of the selected attempts.

    A board counts in the yield where its first judged attempt of all is selected. `limits` are the steps' longest seconds.
    """
    laboratory = select(func.count()).select_from(_attempt).where(*selection.conditions, _attempt.c.laboratory)
    with sqlite.reading(path) as connection, connection.begin():
        found = connection.execute(_counted(selection), execution_options={"yield_per": AT_ONCE})
        attempted = chain.from_iterable(map(_attempted, found.partitions()))
        return figures(attempted, limits, laboratory=connection.scalar(laboratory) or 0)


def _attempted(found: Sequence[Row[*tuple[object, ...]]]) -> Iterator[Attempted]:
    """Reads the seconds by step of all the rows as one document: one by one would cost twice as much."""
    steps = json.loads(f"[{','.join(row.steps for row in found)}]")
    for row, seconds in zip(found, steps, strict=True):
        yield Attempted._make((*row[:-1], seconds))


def _counted(selection: Selection) -> Select[*tuple[object, ...]]:
    """Selects the columns of `Attempted`, with the seconds by step as text."""
    before = select(literal(1)).where(
        _earlier.c.uid == _attempt.c.uid,
        _earlier.c.id < _attempt.c.id,
        _earlier.c.verdict.in_(["pass", "fail"]),
        ~_earlier.c.laboratory,
    )
    first = and_(
        _attempt.c.verdict.in_(["pass", "fail"]), _attempt.c.uid.is_not(None), ~before.correlate(_attempt).exists()
    )
    columns = (_attempt.c[name] for name in ("started_at", "seconds", "slot", "probe", "uid", "verdict", "fault"))
    step = case((_BAD, _STEP))  # a pass has no step that matters, and is most of the rows
    steps = type_coerce(_attempt.c.steps, Text).label("steps")
    return (
        select(*columns, step, first, steps)
        .where(*selection.conditions, ~_attempt.c.laboratory)
        .order_by(_attempt.c.started_at, _attempt.c.id)
    )
