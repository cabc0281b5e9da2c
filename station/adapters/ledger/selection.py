# SPDX-License-Identifier: Apache-2.0
"""Reads attempts that an engineer asks for by period, place and outcome, and counts them. Never returns a secret."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Select, case, func, literal, select

from station.adapters.ledger import sqlite, tables
from station.domain.attempt import StepStarted

_attempt, _event, _identity = tables.attempt, tables.event, tables.identity
_earlier = _attempt.alias("earlier")
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


@dataclass(frozen=True, slots=True)
class Group:
    """How many production attempts ended with one verdict and fault, at one slot, probe and step."""

    slot: str
    probe: str
    verdict: str | None
    fault: str | None
    step: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """Boards whose first judged attempt is selected, those of them that passed it, and the selected attempts in groups."""

    judged: int
    passed_first: int
    laboratory: int
    """Attempts of the laboratory, which are in no group."""
    groups: tuple[Group, ...]


def attempts(path: Path, selection: Selection, *, newest: int | None = None) -> Iterator[AttemptRecord]:
    """The selected attempts in the order in which they began; with `newest` only the last ones, the newest first."""
    columns = (_attempt.c[name] for name in AttemptRecord.__slots__ if name not in {"number", "serial_number", "step"})
    query = (
        select(_attempt.c.id.label("number"), _identity.c.serial_number, _STEP.label("step"), *columns)
        .join_from(_attempt, _identity, _identity.c.uid == _attempt.c.uid, isouter=True)
        .where(*selection.conditions)
    )
    if newest is None:
        query = query.order_by(_attempt.c.started_at, _attempt.c.id)
    else:
        query = query.order_by(_attempt.c.started_at.desc(), _attempt.c.id.desc()).limit(newest)
    with sqlite.reading(path) as connection:
        for row in connection.execute(query).mappings():
            yield AttemptRecord(**row)


def numbers(path: Path, selection: Selection) -> Numbers:
    """Counts the selected attempts. A board counts in the yield where its first judged attempt of all is selected."""
    laboratory = select(func.count()).select_from(_attempt).where(*selection.conditions, _attempt.c.laboratory)
    with sqlite.reading(path) as connection, connection.begin():
        judged, passed_first = connection.execute(_yield(selection)).one()
        groups = tuple(Group(**row) for row in connection.execute(_groups(selection)).mappings())
        return Numbers(judged, passed_first or 0, connection.scalar(laboratory) or 0, groups)


def _yield(selection: Selection) -> Select[int, int | None]:
    before = select(literal(1)).where(
        _earlier.c.uid == _attempt.c.uid,
        _earlier.c.id < _attempt.c.id,
        _earlier.c.verdict.in_(["pass", "fail"]),
        ~_earlier.c.laboratory,
    )
    return select(func.count(), func.sum(case((_attempt.c.verdict == "pass", 1), else_=0))).where(
        *selection.conditions,
        _attempt.c.verdict.in_(["pass", "fail"]),
        ~_attempt.c.laboratory,
        _attempt.c.uid.is_not(None),
        ~before.correlate(_attempt).exists(),
    )


def _groups(selection: Selection) -> Select[*tuple[object, ...]]:
    step = case((_BAD, _STEP)).label("step")  # a pass has no step that matters, and is most of the rows
    keys = (_attempt.c.slot, _attempt.c.probe, _attempt.c.verdict, _attempt.c.fault, step)
    return (
        select(*keys, func.count().label("attempts"))
        .where(*selection.conditions, ~_attempt.c.laboratory)
        .group_by(*keys)
    )
