# SPDX-License-Identifier: Apache-2.0
"""Identities in SQL: units of work for the writer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Select, bindparam, func, insert, select, update

from station.adapters.ledger import chain, events, issuance, leases, lots, sharing, tables, totals, unit_starts
from station.adapters.ledger.driver import Prepared
from station.adapters.ledger.sealing import Sealed
from station.adapters.ledger.sharing import Shared
from station.adapters.ledger.vault import Vault
from station.domain.attempt import FLASHING, Confirmed, CoprocessorReady, Event, StepStarted
from station.domain.facts import IdentityAdvanced, IdentityTaken
from station.domain.identity import (
    Confirmation,
    Identity,
    IdentityState,
    Lot,
    NewIdentity,
    OnboardingSecrets,
    advanced,
    state_after,
)
from station.domain.shared import Rank
from station.domain.target import UID
from station.faults.line import LotExhausted, SerialNumberTaken
from station.interfaces import RecordedRecipe

_attempt, _event, _identity, _secret = tables.attempt, tables.event, tables.identity, tables.sealed_secret
_ATTEMPTS = select(func.count()).where(_attempt.c.uid == _identity.c.uid).scalar_subquery()
_FOUND = Prepared(
    select(_identity, _secret, _ATTEMPTS.label("attempts"))
    .join_from(_identity, _secret)
    .where(_identity.c.uid == bindparam("board"))
)
_WITH_PAIR = Prepared(select(_identity.c.id).where(_identity.c.pairing_hash == bindparam("mark")))
_WITH_NUMBER = Prepared(select(_identity.c.id).where(_identity.c.serial_number == bindparam("taken")))
_OF_UNIT = Prepared(select(_identity.c.id, _identity.c.lot).where(_identity.c.uid == bindparam("board")))
_NEW = Prepared(insert(_identity).returning(_identity.c.id))
_STATE = Prepared(
    select(_identity.c.id, _identity.c.state, _identity.c.lot, _identity.c.lot_index).where(
        _identity.c.uid == bindparam("board")
    )
)
_MOVED = Prepared(update(_identity).where(_identity.c.id == bindparam("number")))

# The states that the centre is told of; a confirmed unit passes a moment later.
RANKS: Mapping[IdentityState, Rank] = {
    IdentityState.ON_BOARD: Rank.ON_BOARD,
    IdentityState.CERTIFIED: Rank.CERTIFIED,
    IdentityState.PASSED: Rank.PASSED,
}


def find(connection: Connection, uid: UID, vault: Vault, *, owned: bool = False) -> Identity | None:
    """The identity that belongs to this board, if it has one; raises `UnitForgotten` if its secrets are gone.

    `owned`: only one that this ledger vouches for.
    """
    row = _FOUND.first(connection, {"board": str(uid)})
    if row is None or (owned and not row.owned):
        return None
    sealed = Sealed(row.key_id, row.wrapped_key, row.content)
    onboarding, rotating_device_id = vault.opened(row.id, uid, row.discriminator, sealed)
    return Identity(
        uid=uid,
        ordinal=row.id,
        attempts=row.attempts,
        state=IdentityState(row.state),
        credentials=issuance.of_board(connection, uid),
        serial_number=row.serial_number,
        secrets=onboarding,
        manufacturing_date=row.manufacturing_date,
        rotating_device_id=rotating_device_id,
        confirmation=_confirmation(connection, uid),
        coprocessor=_coprocessor(connection, uid),
    )


def reserve(
    connection: Connection, new: NewIdentity, recipe: RecordedRecipe, pairing_hash: bytes, at: datetime, vault: Vault
) -> Identity | None:
    """Gives a new identity its lot's next serial number; None if another unit may have the same passcode and discriminator.

    The lot is the open work order's, or the recipe's where there never was an order. Raises `LotFull`, `LotNotOpen`,
    `LotRecipeChanged`, `LotExhausted` or `SerialNumberTaken`; of a shared ledger the fault for a lot without blocks.
    """
    lot, shared = lots.source(connection, new.lot, recipe.sha256), sharing.of(connection)
    if _WITH_PAIR.first(connection, {"mark": pairing_hash}) is not None:
        if shared is not None:
            leases.burn(connection, shared.fleet, new.secrets)
        return None
    if shared is not None and not leases.use(connection, shared.fleet, new.secrets):
        return None
    index = _next_index(connection, lot) if shared is None else _leased_index(connection, lot, recipe, shared)
    serial_number = lot.serial_number(index)
    if _WITH_NUMBER.first(connection, {"taken": serial_number}) is not None:
        raise SerialNumberTaken(lot.name, serial_number)
    row = IdentityRow(
        lot=lot.name,
        lot_index=index,
        serial_number=serial_number,
        pairing_hash=pairing_hash,
        manufacturing_date=new.manufacturing_date,
        reserved_at=at,
        state=IdentityState.RESERVED,
    )
    enter(connection, row, new.uid, new.secrets, new.rotating_device_id, vault)
    lots.took(connection, lot.name)
    if shared is not None:
        sealed = shared.fleet.seal(new.uid, new.secrets, new.rotating_device_id, new.manufacturing_date)
        chain.tell(connection, at, IdentityTaken(new.uid, lot.name, index, serial_number, sealed))
    return find(connection, new.uid, vault)


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """An identity's columns beside its unit and its secrets."""

    lot: str
    lot_index: int
    serial_number: str
    pairing_hash: bytes
    manufacturing_date: str
    reserved_at: datetime
    state: IdentityState


def enter(
    connection: Connection,
    new: IdentityRow,
    uid: UID,
    onboarding: OnboardingSecrets,
    rotating_device_id: str | None,
    vault: Vault,
) -> None:
    """Writes an identity with its secrets. One that the board had, and that this ledger does not vouch for, makes way."""
    columns = {"uid": str(uid), "discriminator": onboarding.discriminator.value, "owned": True} | asdict(new)
    columns["state"] = new.state.value
    there = _OF_UNIT.first(connection, {"board": str(uid)})
    if there is None:
        identity = _NEW.one(int, connection, columns)
        totals.reserved(connection)
    else:
        identity = there.id
        connection.execute(update(_identity).where(_identity.c.id == identity), columns)
        lots.gave_up(connection, there.lot)
        unit_starts.begin(connection, uid, new.state, new.reserved_at)
    vault.put(connection, identity, uid, onboarding, rotating_device_id, anew=there is not None)


def advance(connection: Connection, uid: UID | None, event: Event, at: datetime) -> None:
    """Moves the board's identity to the state that the event brings; `ValueError` if it may not, or there is no identity."""
    row = _STATE.first(connection, {"board": str(uid)})
    if row is None or uid is None:
        raise ValueError(f"{event.on_disk.name} without an identity")
    state = advanced(IdentityState(row.state), event)
    if state != row.state:
        _MOVED.run(connection, {"number": row.id, "state": state.value})
        if (rank := RANKS.get(state)) is not None:
            chain.tell(connection, at, IdentityAdvanced(uid, row.lot, row.lot_index, rank))


def rebuild(connection: Connection) -> None:
    """Computes every identity's state from the events of its attempts."""
    for uid in connection.scalars(select(_identity.c.uid)).all():
        journal = select(_event.c.attempt_id, _event.c.type, _event.c.body).join_from(_event, _attempt)
        if (start := unit_starts.of(connection, uid)) is not None:
            journal = journal.where(_event.c.id > start.event)
        rows = connection.execute(journal.where(_attempt.c.uid == uid).order_by(_event.c.id))
        told = ((row.attempt_id, events.event(row.type, row.body)) for row in rows)
        state = state_after(told) if start is None else state_after(told, start.state)
        connection.execute(update(_identity).where(_identity.c.uid == uid), {"state": state.value})


def _confirmation(connection: Connection, uid: UID) -> Confirmation | None:
    """The latest confirmation in production, and whether any later attempt on this board began to flash."""
    start = unit_starts.of(connection, str(uid))
    after = 0 if start is None else start.event
    confirmed = _newest_confirmed().first(connection, {"board": str(uid), "after": after})
    if confirmed is not None:
        images, since = frozenset(confirmed.images.values()), confirmed.id
    elif start is not None and start.state is IdentityState.PASSED:
        images, since = start.images, start.event
    else:
        return None
    touched = _flashed_since().scalar(int, connection, {"board": str(uid), "event": since}) is not None
    return Confirmation(images, touched)


def _coprocessor(connection: Connection, uid: UID) -> CoprocessorReady | None:
    """The latest report on the board's coprocessor."""
    row = _newest_coprocessor().first(connection, {"board": str(uid)})
    return None if row is None else events.of(CoprocessorReady, row.body)


@cache
def _newest_confirmed() -> Prepared:
    production = _newest_event(Confirmed).where(~_attempt.c.laboratory, _event.c.id > bindparam("after"))
    return Prepared(production.with_only_columns(_event.c.id, _attempt.c.images))


@cache
def _newest_coprocessor() -> Prepared:
    return Prepared(_newest_event(CoprocessorReady).with_only_columns(_event.c.body))


@cache
def _flashed_since() -> Prepared:
    flashes = tables.among(_event.c.body["step"].as_string(), [phase.value for phase in FLASHING])
    later = select(_event.c.id).join_from(_attempt, _event).where(_attempt.c.uid == bindparam("board")).limit(1)
    started = _event.c.type == StepStarted.on_disk.name
    return Prepared(later.where(started, flashes, _event.c.id > bindparam("event")))


def _newest_event(event: type[Confirmed | CoprocessorReady]) -> Select[*tuple[object, ...]]:
    """Selects the event of this type from the newest attempt on a board that has one.

    The type is part of the statement's text: otherwise SQLite does not use the index of such events.
    """
    of_type = _event.c.type == tables.word(event.on_disk.name)
    query = select(_event, _attempt).join_from(_attempt, _event).where(_attempt.c.uid == bindparam("board"), of_type)
    return query.order_by(_attempt.c.id.desc(), _event.c.id.desc()).limit(1)


def _next_index(connection: Connection, lot: Lot) -> int:
    index = lots.next_index(connection, lot.name)
    if index >= lot.size:
        raise LotExhausted(lot.name)
    return index


def _leased_index(connection: Connection, lot: Lot, recipe: RecordedRecipe, shared: Shared) -> int:
    index = leases.take(connection, lot, recipe.release)
    if index is None:
        raise shared.none_left(lot.name)
    return index
