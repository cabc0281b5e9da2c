# SPDX-License-Identifier: Apache-2.0
"""The numbers of attempts and units by outcome: one row, written in the transaction of the rows that it counts."""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import ColumnElement, Connection, bindparam, distinct, func, select, update

from station.adapters.ledger import tables
from station.adapters.ledger.driver import Prepared
from station.domain.attempt import VERDICTS, Attempt, Event, LaboratoryUnit, Phase

_attempt, _identity, _totals = tables.attempt, tables.identity, tables.totals
_ROW = update(_totals).where(_totals.c.id == 1)
_COLUMNS = {"pass": "passed", "fail": "failed", "void": "void"}
_JUDGED = tables.among(_attempt.c.verdict, ["pass", "fail"]) & ~_attempt.c.laboratory
_FIRST_OTHER = Prepared(
    select(_attempt.c.id, _attempt.c.verdict)
    .where(_attempt.c.uid == bindparam("board"), _JUDGED, _attempt.c.id != bindparam("number"))
    .order_by(_attempt.c.id)
    .limit(1)
)


def begun(connection: Connection) -> None:
    """Counts one more attempt."""
    _add(connection, {"attempts": 1})


def reserved(connection: Connection) -> None:
    """Counts one more identity."""
    _add(connection, {"units": 1})


def follow(connection: Connection, number: int, event: Event, attempt: Attempt) -> None:
    """Counts an event; `attempt` is the attempt after it. Call this before the attempt's columns are written."""
    if isinstance(event, LaboratoryUnit):
        known = connection.scalar(select(_attempt.c.laboratory).where(_attempt.c.id == number))
        _add(connection, {"laboratory": int(not known)})
    elif attempt.ended:
        _add(connection, {_COLUMNS[VERDICTS[attempt.phase]]: 1} | _judged(connection, number, attempt))


def _judged(connection: Connection, number: int, attempt: Attempt) -> dict[str, int]:
    """Counts a verdict for first-pass yield, which is that of each board's first judged attempt."""
    if not attempt.counts_in_yield:
        return {}
    passed = int(attempt.phase is Phase.PASSED)
    first = _FIRST_OTHER.first(connection, {"board": str(attempt.uid), "number": number})
    if first is None:
        return {"judged": 1, "passed_first": passed}
    if number < first.id:  # an attempt that began earlier was judged later
        return {"passed_first": passed - int(first.verdict == "pass")}
    return {}


def rebuild(connection: Connection) -> None:
    """Computes every total from the attempts and identities."""
    firsts = select(func.min(_attempt.c.id)).where(_JUDGED, _attempt.c.uid.is_not(None)).group_by(_attempt.c.uid)
    counts: dict[str, ColumnElement[int]] = {
        "attempts": _count_of_attempts(),
        **{column: _count_of_attempts(_attempt.c.verdict == verdict) for verdict, column in _COLUMNS.items()},
        "units": select(func.count()).select_from(_identity).scalar_subquery(),
        "judged": select(func.count(distinct(_attempt.c.uid))).where(_JUDGED).scalar_subquery(),
        "passed_first": _count_of_attempts(_attempt.c.id.in_(firsts), _attempt.c.verdict == "pass"),
        "laboratory": _count_of_attempts(_attempt.c.laboratory),
    }
    connection.execute(_ROW.values(counts))


def _count_of_attempts(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count()).select_from(_attempt).where(*conditions).scalar_subquery()


def _add(connection: Connection, changes: Mapping[str, int]) -> None:
    _adding(tuple(changes)).run(connection, {f"more_{name}": by for name, by in changes.items()})


@cache
def _adding(columns: tuple[str, ...]) -> Prepared:
    return Prepared(_ROW.values({name: _totals.c[name] + bindparam(f"more_{name}") for name in columns}))
