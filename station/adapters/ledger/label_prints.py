# SPDX-License-Identifier: Apache-2.0
"""The labels of units in SQL: each print, the scan that binds it, and which units wait for their first. Rows are never edited."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, insert, select

from station.adapters.ledger import sqlite, tables, vault
from station.adapters.ledger.vault import FORGOTTEN, Vault
from station.domain.identity import IdentityState, OnboardingSecrets
from station.domain.intervention import DecisionRefused
from station.domain.labelling import LabelDeed, LabelEvent, LabelState, PrintReason
from station.domain.target import UID

_attempt, _identity, _sealed = tables.attempt, tables.identity, tables.sealed_secret
_table, _floor, _required = tables.label_event, tables.label_floor, tables.label_required
_PRINTED = _table.c.type == LabelEvent.PRINT_STARTED.value


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """One event of a label, as the ledger has it."""

    at: datetime
    station: str
    uid: str
    type: str
    copy: int
    who: str
    reason: str
    slot: str | None
    other: str | None


@dataclass(frozen=True, slots=True)
class UnitLabel:
    """How far the label of one passed unit is; `remembered` is whether its passcode is."""

    serial_number: str
    remembered: bool
    state: LabelState


def record(connection: Connection, station: str, deed: LabelDeed) -> None:
    """Records one event. A print with a number that the unit's label has had is refused by the table."""
    connection.execute(
        insert(_table),
        {
            "at": deed.at,
            "station": station,
            "uid": str(deed.uid),
            "type": deed.event.value,
            "copy": deed.copy,
            "who": deed.who,
            "reason": deed.reason,
            "slot": deed.slot,
            "other": deed.other,
        },
    )


def begin_print(
    connection: Connection, station: str, deed: LabelDeed, reason: PrintReason, reprints: int, *, engineer: bool
) -> None:
    """Records that a print begins, if it is still the next one; raises `DecisionRefused`."""
    if state_of(connection, deed.uid).next_copy(reason, reprints, engineer=engineer) != deed.copy:
        raise DecisionRefused("another print of this label was begun meanwhile")
    record(connection, station, deed)


def state_of(connection: Connection, uid: UID) -> LabelState:
    """How often the unit's label was printed, and whether its newest print is bound."""
    query = select(_table.c.type, _table.c.copy).where(_table.c.uid == str(uid)).order_by(_table.c.id)
    return LabelState.of([(LabelEvent(row.type), row.copy) for row in connection.execute(query)])


def of_unit(connection: Connection, uid: str) -> tuple[LabelRecord, ...]:
    """The events of this unit's label, in their order."""
    query = select(*(_table.c[name] for name in LabelRecord.__slots__)).where(_table.c.uid == uid).order_by(_table.c.id)
    return tuple(LabelRecord(*row) for row in connection.execute(query))


def history(path: Path) -> Iterator[LabelRecord]:
    """All events in their order."""
    query = select(*(_table.c[name] for name in LabelRecord.__slots__)).order_by(_table.c.id)
    with sqlite.reading(path) as connection:
        for row in connection.execute(query):
            yield LabelRecord(*row)


def newest(path: Path) -> int:
    """The number of the newest event; 0 before the first."""
    with sqlite.reading(path) as connection:
        return connection.scalar(select(func.max(_table.c.id))) or 0


def of_units(path: Path, uids: Collection[UID]) -> Mapping[UID, UnitLabel]:
    """The labels of those units that have passed."""
    wanted = sorted(map(str, uids))
    units = select(_identity.c.uid, _identity.c.serial_number, _sealed.c.key_id).join_from(_identity, _sealed)
    units = units.where(_identity.c.uid.in_(wanted), _identity.c.state == IdentityState.PASSED.value)
    events = select(_table.c.uid, _table.c.type, _table.c.copy).where(_table.c.uid.in_(wanted)).order_by(_table.c.id)
    of: defaultdict[str, list[tuple[LabelEvent, int]]] = defaultdict(list)
    with sqlite.reading(path) as connection:
        for row in connection.execute(events):
            of[row.uid].append((LabelEvent(row.type), row.copy))
        return {
            UID.parse(row.uid): UnitLabel(row.serial_number, row.key_id != FORGOTTEN, LabelState.of(of[row.uid]))
            for row in connection.execute(units)
        }


def begin_labels(connection: Connection, recipe: str) -> None:
    """From now on, units that pass by this recipe get a label; those of before get none by themselves."""
    if connection.execute(select(_floor.c.recipe).where(_floor.c.recipe == recipe)).first() is None:
        last = connection.execute(select(func.coalesce(func.max(_attempt.c.id), 0))).scalar_one()
        connection.execute(insert(_floor), {"recipe": recipe, "first_attempt": last + 1})


def end_labels(connection: Connection, recipe: str) -> None:
    """The recipe's units get no label by themselves any more."""
    connection.execute(delete(_floor).where(_floor.c.recipe == recipe))


def require(connection: Connection, recipe_sha256: str) -> None:
    """The units of this recipe are done once their label is bound."""
    known = select(_required.c.recipe_sha256).where(_required.c.recipe_sha256 == recipe_sha256)
    if connection.execute(known).first() is None:
        connection.execute(insert(_required), {"recipe_sha256": recipe_sha256})


def is_required(connection: Connection, recipe_sha256: str | None) -> bool:
    """Whether `require` was called for this recipe."""
    known = select(_required.c.recipe_sha256).where(_required.c.recipe_sha256 == recipe_sha256)
    return connection.execute(known).first() is not None


def waiting(path: Path, recipe: str, after: int) -> tuple[list[UID], int]:
    """The passed units of this recipe whose first label waits, in their order; and the attempt before which nobody need look again."""
    first = select(_floor.c.first_attempt).where(_floor.c.recipe == recipe).scalar_subquery()
    # A wrong label, scanned at the board before its own came, is an event without a print.
    printed = exists().where(_table.c.uid == _attempt.c.uid, _table.c.type == LabelEvent.PRINT_STARTED.value)
    query = (
        select(_attempt.c.uid, func.min(_attempt.c.id).label("number"))
        .join(_identity, _identity.c.uid == _attempt.c.uid)
        .join(_sealed, _sealed.c.identity_id == _identity.c.id)
        .where(_attempt.c.id >= first, _attempt.c.id > after, _attempt.c.recipe == recipe, ~_attempt.c.laboratory)
        .where(_attempt.c.verdict == "pass", _identity.c.state == IdentityState.PASSED.value)
        .where(_sealed.c.key_id != FORGOTTEN, ~printed)
        .group_by(_attempt.c.uid)
        .order_by("number")
    )
    with sqlite.reading(path) as connection:
        last = connection.execute(select(func.coalesce(func.max(_attempt.c.id), 0))).scalar_one()
        unfinished = connection.execute(
            select(func.min(_attempt.c.id)).where(_attempt.c.verdict.is_(None))
        ).scalar_one_or_none()
        found = connection.execute(query).all()
    floor = min([last, *([unfinished - 1] if unfinished else []), *(row.number - 1 for row in found)])
    return [UID.parse(row.uid) for row in found], max(after, floor)


def unproven(path: Path, most: int) -> list[tuple[str, int]]:
    """Up to so many units whose newest print nobody confirms, neither the printer nor a scan; and the print's number."""
    later, sure = _table.alias(), _table.alias()
    begun = LabelEvent.PRINT_STARTED.value
    proofs = [LabelEvent.PRINTED.value, LabelEvent.BOUND.value]
    query = select(_table.c.uid, _table.c.copy).where(
        _table.c.type == begun,
        ~exists().where(later.c.uid == _table.c.uid, later.c.type == begun, later.c.copy > _table.c.copy),
        ~exists().where(sure.c.uid == _table.c.uid, sure.c.type.in_(proofs), sure.c.copy == _table.c.copy),
    )
    with sqlite.reading(path) as connection:
        return [(row.uid, row.copy) for row in connection.execute(query.order_by(_table.c.id).limit(most))]


def bound(path: Path, most: int) -> list[UID]:
    """Up to so many passed and remembered units whose newest print is bound to its board."""
    query = select(_identity.c.uid).join_from(_identity, _sealed)
    query = query.where(_identity.c.state == IdentityState.PASSED.value, _sealed.c.key_id != FORGOTTEN, is_bound())
    with sqlite.reading(path) as connection:
        return [UID.parse(uid) for uid in connection.scalars(query.order_by(_identity.c.id).limit(most))]


def is_bound() -> ColumnElement[bool]:
    """Of an identity: whether its unit's newest print is bound to its board."""
    prints = _table.alias()
    newest = (
        select(func.coalesce(func.max(prints.c.copy), 0))
        .where(prints.c.uid == _identity.c.uid, prints.c.type == LabelEvent.PRINT_STARTED.value)
        .correlate(_identity)
        .scalar_subquery()
    )
    of_unit = (_table.c.uid == _identity.c.uid, _table.c.type == LabelEvent.BOUND.value)
    return exists().where(*of_unit, _table.c.copy == newest).correlate(_identity)


def has_print() -> ColumnElement[bool]:
    """Of an identity: whether a label of its unit was ever begun to be printed."""
    return exists().where(_table.c.uid == _identity.c.uid, _PRINTED).correlate(_identity)


def prints(*conditions: ColumnElement[bool]) -> Select[str, int]:
    """How many prints each lot has, of those that fulfil the conditions, `is_void` for one."""
    query = select(_identity.c.lot, func.count()).join_from(_table, _identity, _identity.c.uid == _table.c.uid)
    return query.where(_PRINTED, *conditions).group_by(_identity.c.lot)


def copies(connection: Connection, lot: str) -> int:
    """How many further copies the lot's units have, by the number of each unit's newest print."""
    newest = select(func.max(_table.c.copy).label("copy")).join(_identity, _identity.c.uid == _table.c.uid)
    units = newest.where(_PRINTED, _identity.c.lot == lot).group_by(_table.c.uid).subquery()
    return connection.scalar(select(func.coalesce(func.sum(units.c.copy - 1), 0))) or 0


def is_void() -> ColumnElement[bool]:
    """Of a print: whether a later one of the same unit voids it."""
    later = _table.alias()
    of_unit = (later.c.uid == _table.c.uid, later.c.type == LabelEvent.PRINT_STARTED.value)
    return exists().where(*of_unit, later.c.id > _table.c.id).correlate(_table)


def with_discriminator(path: Path, opened: Vault, discriminator: int) -> Iterator[tuple[UID, str, OnboardingSecrets]]:
    """The remembered units with this discriminator: one in 4096 of all."""
    columns = (_identity.c.id, _identity.c.uid, _identity.c.serial_number, _identity.c.discriminator, _sealed)
    query = select(*columns).join_from(_identity, _sealed)
    query = query.where(_identity.c.discriminator == discriminator, _sealed.c.key_id != FORGOTTEN)
    with sqlite.reading(path) as connection:
        for row in connection.execute(query.order_by(_identity.c.id)):
            yield UID.parse(row.uid), row.serial_number, vault.of_row(opened, row)
