# SPDX-License-Identifier: Apache-2.0
"""Lots for work orders in SQL: units of work for the writer. The lot's count is part of the transaction that gives an identity."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from types import SimpleNamespace
from typing import get_args

from sqlalchemy import Connection, bindparam, func, insert, select, update

from station.adapters.ledger import incarnations, tables
from station.adapters.ledger.driver import Prepared
from station.adapters.ledger.sampled import is_sample
from station.domain.identity import IdentityState, Lot
from station.domain.intervention import Decision, DecisionRefused
from station.domain.serial_range import SerialRange, ranges
from station.domain.target import UID
from station.domain.work_order import Left, LotEvent, LotOpened, LotResumed, LotState, Traced, state_after
from station.faults.line import LotFull, LotNotOpen, LotRecipeChanged
from station.interfaces import RecordedRecipe

_attempt, _identity = tables.attempt, tables.identity
_lot, _event, _range = tables.lot, tables.lot_event, tables.lot_range

_OPEN = Prepared(select(_lot).where(_lot.c.state == LotState.OPEN.value))
_NAMED = Prepared(select(_lot).where(_lot.c.name == bindparam("lot")))
_OF_UNIT = Prepared(
    select(_lot).join(_identity, _identity.c.lot == _lot.c.name).where(_identity.c.uid == bindparam("board"))
)
_LAST_INDEX = Prepared(select(func.max(_identity.c.lot_index)).where(_identity.c.lot == bindparam("lot")))
_COUNTED = Prepared(
    update(_lot)
    .where(_lot.c.name == bindparam("lot"), _lot.c.live + bindparam("by") >= 0)
    .values(live=_lot.c.live + bindparam("by"))
)
_LOT_OF_UNIT = Prepared(
    select(_identity.c.lot, _lot.c.work_order)
    .join(_lot, _lot.c.name == _identity.c.lot, isouter=True)
    .where(_identity.c.uid == bindparam("board"))
)
_LOT_OF_ATTEMPT = Prepared(select(_attempt.c.lot).where(_attempt.c.id == bindparam("number")))
_TRACED = Prepared(update(_attempt).where(_attempt.c.id == bindparam("number")))
_NEWEST = Prepared(select(func.max(_event.c.id)))

GONE = (IdentityState.BURNED.value, IdentityState.RELEASED.value)
TYPES: Mapping[str, type[LotEvent]] = {event.on_disk.name: event for event in get_args(LotEvent)}


def body(event: LotEvent) -> dict[str, object]:
    """The event's fields by their keys on disk."""
    return {key: getattr(event, field.name) for key, field in zip(event.on_disk.keys, fields(event), strict=True)}


def event(name: str, content: Mapping[str, object]) -> LotEvent:
    """The event of this type with this body."""
    kind = TYPES[name]
    made: Callable[..., LotEvent] = kind  # type: ignore[explicit-any]  # each has fields of its own
    return made(**{field.name: content[key] for key, field in zip(kind.on_disk.keys, fields(kind), strict=True)})


def open_new(connection: Connection, opened: LotOpened, decision: Decision, at: datetime) -> None:
    """Opens a lot; raises `DecisionRefused` if the person cannot have it so."""
    decision.check()
    try:
        opened.check()
    except ValueError as exc:
        raise DecisionRefused(str(exc)) from exc
    if _row(connection, opened.name) is not None:
        raise DecisionRefused(f"there is a lot {opened.name} already; a name is never given twice")
    used = select(_identity.c.id).where(_identity.c.lot == opened.name).limit(1)
    if connection.scalar(used) is not None:
        raise DecisionRefused(f"units have been made in a lot {opened.name} already: the recipe's; take another name")
    _check_none_open(connection)
    found = list(ranges(opened.pattern, opened.first, opened.size))
    for each in found:
        _check_apart(connection, each)
    columns = {name: getattr(opened, name) for name in ("name", "work_order", "recipe", "recipe_sha256")}
    numbers = {name: getattr(opened, name) for name in ("planned", "pattern", "first", "size")}
    connection.execute(insert(_lot), {**columns, **numbers, "state": LotState.OPEN.value, "live": 0})
    rows = [
        {"lot": opened.name, "shape": each.shape, "fixed": each.fixed, "low": each.low, "high": each.high}
        for each in found
    ]
    connection.execute(insert(_range), rows)
    _record(connection, opened, decision, at)


def change(connection: Connection, changed: LotEvent, recipe: str | None, decision: Decision, at: datetime) -> None:
    """Pauses, resumes or closes a lot; raises `DecisionRefused`. `recipe`: SHA-256 of the recipe that it is resumed for."""
    decision.check()
    row = _row(connection, changed.name)
    try:
        state = state_after(changed.name, None if row is None else LotState(row.state), changed)
    except ValueError as exc:
        raise DecisionRefused(str(exc)) from exc
    assert row is not None
    if isinstance(changed, LotResumed):
        _check_none_open(connection)
        if row.recipe_sha256 != recipe:
            raise DecisionRefused(
                f"lot {row.name} was opened for the recipe {row.recipe} with the SHA-256 {row.recipe_sha256[:12]}…, and the"
                " line's recipe is another one or has changed since: put it back, or close the lot and open another"
            )
    connection.execute(update(_lot).where(_lot.c.name == changed.name), {"state": state.value})
    _record(connection, changed, decision, at)


def source(connection: Connection, of_recipe: Lot, recipe_sha256: str) -> Lot:
    """The lot that a new unit of this recipe comes from: the open work order's, or the recipe's if there never was an order.

    Raises `LotNotOpen`, `LotRecipeChanged` or `LotFull`.
    """
    row = _open(connection)
    if row is None:
        newest = _NEWEST.scalar(int, connection)
        if newest is None:
            return of_recipe
        last = connection.execute(select(_lot).join(_event).where(_event.c.id == newest)).one()
        raise LotNotOpen(f"{last.name} is {last.state}")
    if row.recipe_sha256 != recipe_sha256:
        raise LotRecipeChanged(row.name, f"{row.recipe} {row.recipe_sha256[:12]}", recipe_sha256[:12])
    if row.live >= row.planned:
        raise LotFull(row.name, row.planned)
    return Lot(row.name, row.pattern, row.first, row.size)


def took(connection: Connection, lot: str) -> None:
    """Counts one more identity of the lot, if it is one for a work order."""
    _count(connection, lot, 1)


def gave_up(connection: Connection, lot: str) -> None:
    """Counts one identity less, which is burned: another unit may take its place."""
    _count(connection, lot, -1)


def took_over(connection: Connection, lot: str) -> None:
    """Counts a unit that another station began, up to the planned number: there may be more units than this station's order says."""
    more = update(_lot).where(_lot.c.name == lot, _lot.c.live < _lot.c.planned)
    connection.execute(more.values(live=_lot.c.live + 1))


def left_of(connection: Connection, uid: UID) -> Left | None:
    """What is left of the unit's lot, if that is one for a work order."""
    row = _OF_UNIT.first(connection, {"board": str(uid)})
    if row is None:
        return None
    return Left(row.name, row.planned, row.planned - row.live, row.size - next_index(connection, row.name))


def next_index(connection: Connection, lot: str) -> int:
    """The index of the lot's next serial number, counted from 0."""
    last = _LAST_INDEX.scalar(int, connection, {"lot": lot})
    return max(0 if last is None else last + 1, incarnations.first_index(connection, lot))


def traced(connection: Connection, recipe: RecordedRecipe) -> Traced:
    """What a new attempt is traced to: the open work order's lot if it is for this recipe, otherwise the recipe's lot."""
    row = _open(connection)
    if row is None or row.recipe_sha256 != recipe.sha256:
        return Traced(recipe.lot_name)
    return Traced(row.name, row.work_order)


def making(connection: Connection, recipe: RecordedRecipe) -> str | None:
    """The lot from which new units of this recipe come, also while its work order is paused; None if there is none.

    In a ledger that never had an order it is the recipe's.
    """
    row = _open(connection)
    if row is None:
        newest = connection.scalar(select(_event.c.lot).order_by(_event.c.id.desc()).limit(1))
        row = None if newest is None else _row(connection, newest)
        if row is None:
            return recipe.lot_name
    makes = row.recipe_sha256 == recipe.sha256 and row.state != LotState.CLOSED.value
    return row.name if makes else None


def trace(connection: Connection, number: int, uid: UID | None) -> Traced | None:
    """Traces an attempt to the lot of its unit; None where neither was made for a work order."""
    row = _LOT_OF_UNIT.first(connection, {"board": str(uid)})
    if row is None:
        return None
    if row.work_order is None:
        of_attempt = _LOT_OF_ATTEMPT.scalar(str, connection, {"number": number})
        if of_attempt is None or _row(connection, of_attempt) is None:
            return None
    _TRACED.run(connection, {"number": number, "lot": row.lot})
    return Traced(row.lot, row.work_order)


def work_order(connection: Connection, uid: UID) -> str | None:
    """The number of the order for which this unit was made; None for a unit of a recipe's lot."""
    query = select(_lot.c.work_order).join(_identity, _identity.c.lot == _lot.c.name)
    return connection.scalar(query.where(_identity.c.uid == str(uid)))


def rebuild(connection: Connection) -> None:
    """Computes each lot's state from its events, and its count from the identities."""
    states: dict[str, LotState | None] = {}
    for row in connection.execute(select(_event).order_by(_event.c.id)):
        states[row.lot] = state_after(row.lot, states.get(row.lot), event(row.type, row.body))
    connection.execute(update(_lot), {"state": LotState.CLOSED.value})  # two are never open, on the way either
    for name, state in states.items():
        alive = (_identity.c.lot == name, _identity.c.state.not_in(GONE), ~is_sample(_identity.c.uid))
        live = connection.scalar(select(func.count()).select_from(_identity).where(*alive)) or 0
        planned = connection.execute(select(_lot.c.planned).where(_lot.c.name == name)).scalar_one()
        connection.execute(
            update(_lot).where(_lot.c.name == name),
            {"state": state.value if state else "closed", "live": min(live, planned)},
        )


def _count(connection: Connection, lot: str, by: int) -> None:
    _COUNTED.run(connection, {"lot": lot, "by": by})


def _open(connection: Connection) -> SimpleNamespace | None:
    return _OPEN.first(connection)


def _row(connection: Connection, name: str) -> SimpleNamespace | None:
    return _NAMED.first(connection, {"lot": name})


def _check_none_open(connection: Connection) -> None:
    row = _open(connection)
    if row is not None:
        raise DecisionRefused(
            f"lot {row.name} is open: pause or close it first, since new units come from one lot only"
        )


def _check_apart(connection: Connection, new: SerialRange) -> None:
    """Refuses serial numbers of another lot, and any that a unit has already. The table's trigger refuses the former again."""
    for row in connection.execute(select(_range).where(_range.c.shape == new.shape)):
        if new.meets(SerialRange(row.shape, row.fixed, row.low, row.high, "", "")):
            raise DecisionRefused(
                f"lot {row.lot} has serial numbers among {new.first} to {new.last} already: take others"
            )
    number = _identity.c.serial_number
    query = select(number, _identity.c.lot).where(number.between(new.first, new.last))
    for row in connection.execute(query.where(func.length(number) == len(new.first))):
        if new.has(row.serial_number):
            raise DecisionRefused(
                f"a unit of lot {row.lot} has the serial number {row.serial_number} already: take others"
            )


def _record(connection: Connection, what: LotEvent, decision: Decision, at: datetime) -> None:
    row = {"lot": what.name, "at": at, "account": decision.account, "reason": decision.reason}
    connection.execute(insert(_event), row | {"type": what.on_disk.name, "body": body(what)})
