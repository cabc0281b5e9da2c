# SPDX-License-Identifier: Apache-2.0
"""The table `figure`: of each ended attempt what the numbers of a period need. Written with the verdict, and can be rebuilt."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    bindparam,
    case,
    delete,
    insert,
    literal,
    select,
    update,
)

from station.adapters.ledger import tables
from station.adapters.ledger.driver import Prepared
from station.domain.attempt import StepStarted
from station.domain.step_seconds import packed

_attempt, _event, _figure = tables.attempt, tables.event, tables.figure
_other = _attempt.alias("other")
AT_ONCE = 10_000  # rows in memory at a time
STEP = (
    select(_event.c.body["step"].as_string())
    .where(_event.c.attempt_id == _attempt.c.id, _event.c.type == StepStarted.on_disk.name)
    .order_by(_event.c.id.desc())
    .limit(1)
    .correlate(_attempt)
    .scalar_subquery()
)
"""The step that an attempt began last."""


_JUDGES = and_(tables.among(_attempt.c.verdict, ["pass", "fail"]), _attempt.c.uid.is_not(None), ~_attempt.c.laboratory)
_OTHER_JUDGES = and_(tables.among(_other.c.verdict, ["pass", "fail"]), ~_other.c.laboratory)


def _judged(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether another attempt that fulfils the conditions has judged the same board."""
    others = select(literal(1)).where(_other.c.uid == _attempt.c.uid, _OTHER_JUDGES, *conditions)
    return others.correlate(_attempt).exists()


_ENDED = select(
    *(_attempt.c[name] for name in ("id", "started_at", "slot", "probe", "lot", "uid", "verdict", "fault", "seconds")),
    _attempt.c.steps,
    _attempt.c.laboratory,
    case((_attempt.c.verdict != "pass", STEP)).label(
        "step"
    ),  # a pass has no step that matters, and is most of the rows
    and_(_JUDGES, ~_judged(_other.c.id < _attempt.c.id)).label("first"),
).where(_attempt.c.verdict.is_not(None))
_JUST_ENDED = Prepared(_ENDED.where(_attempt.c.id == bindparam("number")))
_NEW = insert(_figure)
_NEW_ONE = Prepared(_NEW)
_LATER = Prepared(
    select(_other.c.id, _other.c.started_at).where(
        _OTHER_JUDGES, _other.c.uid == bindparam("board"), _other.c.id > bindparam("number")
    )
)


def add(connection: Connection, number: int) -> None:
    """Adds an attempt that has just ended. Call this after its columns are written."""
    row = _JUST_ENDED.first(connection, {"number": number})
    assert row is not None
    _NEW_ONE.run(connection, _values(vars(row)))
    if not row.first:
        return
    # An attempt that began earlier was judged later: the board's first one is this one, and no longer that one.
    for later in _LATER.all(connection, {"board": row.uid, "number": number}):
        is_later = and_(_figure.c.began == tables.milliseconds(later.started_at), _figure.c.id == later.id)
        connection.execute(update(_figure).where(is_later).values(first=False))


def rebuild(connection: Connection) -> None:
    """Computes the table from the attempts and their events."""
    connection.execute(delete(_figure))
    after = 0
    pages = _ENDED.order_by(_attempt.c.id).limit(AT_ONCE)
    while rows := connection.execute(pages.where(_attempt.c.id > after)).mappings().all():
        connection.execute(_NEW, [_values(row) for row in rows])
        after = rows[-1]["id"]


def _values(row: RowMapping | dict[str, Any]) -> dict[str, object]:  # type: ignore[explicit-any]  # what the columns hold
    values = {name: value for name, value in row.items() if name != "started_at"}
    return values | {"began": tables.milliseconds(row["started_at"]), "steps": packed(row["steps"])}
