# SPDX-License-Identifier: Apache-2.0
"""Reads attempts that an engineer asks for by period, place and outcome, and counts them. Never returns a secret."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Literal

from sqlalchemy import ColumnElement, Connection, Integer, RowMapping, Select, Text, func, select, type_coerce
from sqlalchemy.engine.interfaces import DBAPICursor

from station.adapters.ledger import figures, sqlite, tables
from station.domain import numbers as domain
from station.domain.numbers import Attempted, AttemptedRow, Numbers
from station.domain.step_seconds import packed

_attempt, _identity, _figure = tables.attempt, tables.identity, tables.figure
_JOINED = frozenset(
    {"number", "serial_number", "work_order", "step"}
)  # of an `AttemptRecord`: no columns of its attempt
AT_ONCE = 10_000  # rows in memory at a time


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
    probe: str | None = None
    other_than: str | None = None
    """A slot, whose attempts are left out."""

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        found = [_attempt.c[name] == value for name, value in self._equal.items()]
        if self.since is not None:
            found.append(_attempt.c.started_at >= self.since)
        if self.until is not None:
            found.append(_attempt.c.started_at < self.until)
        if self.step is not None:
            found.append(figures.STEP.in_([self.step]))
        if self.other_than is not None:
            found.append(_attempt.c.slot != self.other_than)
        return found

    @property
    def of_figures(self) -> list[ColumnElement[bool]]:
        """The same for the table of figures, whose passes have no step."""
        found = [_figure.c[name] == value for name, value in self._equal.items()]
        if self.since is not None:
            found.append(_figure.c.began >= tables.milliseconds(self.since))
        if self.until is not None:
            found.append(_figure.c.began < tables.milliseconds(self.until))
        if self.step is not None:
            found.append(_figure.c.step == self.step)
        if self.other_than is not None:
            found.append(_figure.c.slot != self.other_than)
        return found

    @property
    def _equal(self) -> Mapping[str, str]:
        equal = {"slot": self.slot, "verdict": self.verdict, "fault": self.fault, "lot": self.lot, "probe": self.probe}
        return {name: value for name, value in equal.items() if value is not None}


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
    number, step = _attempt.c.id.label("number"), figures.STEP.label("step")
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
    laboratory = select(func.count()).select_from(_figure).where(*selection.of_figures, _figure.c.laboratory)
    with sqlite.reading(path) as connection, connection.begin():
        running = _running(connection, selection)
        cursor = connection.execute(_ended(selection)).cursor
        attempted = _merged(_parts(cursor), [_at_work(row) for row in running if not row["laboratory"]])
        laboratory_runs = sum(row["laboratory"] for row in running)
        return domain.numbers(attempted, limits, laboratory=laboratory_runs + (connection.scalar(laboratory) or 0))


def _ended(selection: Selection) -> Select[*tuple[object, ...]]:
    """Selects the columns of `Attempted`, as SQLite has them: to convert a hundred thousand values takes longer than to read them."""
    plain = {"steps": Text, "first": Integer}
    columns = (type_coerce(_figure.c[name], plain.get(name, _figure.c[name].type)) for name in Attempted._fields)
    return select(*columns).where(*selection.of_figures, ~_figure.c.laboratory).order_by(_figure.c.began, _figure.c.id)


def _running(connection: Connection, selection: Selection) -> list[RowMapping]:
    """All that run are few, and the database finds them at once if it is not asked for their times, too."""
    columns = ("started_at", "seconds", "slot", "probe", "uid", "laboratory")
    timeless = replace(selection, since=None, until=None)
    query = select(*(_attempt.c[name] for name in columns)).where(_attempt.c.verdict.is_(None), *timeless.conditions)
    since, until = (
        selection.since or datetime.min.replace(tzinfo=UTC),
        selection.until or datetime.max.replace(tzinfo=UTC),
    )
    rows = connection.execute(query.order_by(_attempt.c.id)).mappings()
    return sorted((row for row in rows if since <= row["started_at"] < until), key=itemgetter("started_at"))


def _at_work(row: RowMapping) -> Attempted:
    began = tables.milliseconds(row["started_at"])
    return Attempted(
        began, row["seconds"], row["slot"], row["probe"], row["uid"], None, None, None, first=False, steps=packed({})
    )


def _parts(cursor: DBAPICursor) -> Iterator[Sequence[AttemptedRow]]:
    """The rows as the database's module gives them, since SQLAlchemy's take as long again."""
    while part := cursor.fetchmany(AT_ONCE):
        yield part


def _merged(parts: Iterable[Sequence[AttemptedRow]], running: Sequence[AttemptedRow]) -> Iterator[AttemptedRow]:
    """The ended attempts and those that run, which are few, in the order in which they began."""
    for part in parts:
        earlier = [each for each in running if each[0] <= part[-1][0]]
        yield from sorted([*part, *earlier], key=itemgetter(0)) if earlier else part
        running = running[len(earlier) :]
    yield from running
