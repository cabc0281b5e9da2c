# SPDX-License-Identifier: Apache-2.0
"""Identities in SQL: units of work for the writer."""

from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Select, bindparam, func, insert, literal, select, update

from station.adapters.ledger import events, issuance, lots, tables, totals
from station.adapters.ledger.sealing import Sealed
from station.adapters.ledger.vault import Vault
from station.domain.attempt import FLASHING, Confirmed, CoprocessorReady, Event, StepStarted
from station.domain.identity import (
    Confirmation,
    Identity,
    IdentityState,
    Lot,
    NewIdentity,
    advanced,
    state_after,
)
from station.domain.target import UID
from station.faults.line import LotExhausted, SerialNumberTaken

_attempt, _event, _identity, _secret = tables.attempt, tables.event, tables.identity, tables.sealed_secret
_ATTEMPTS = select(func.count()).where(_attempt.c.uid == _identity.c.uid).scalar_subquery()
_FOUND = (
    select(_identity, _secret, _ATTEMPTS.label("attempts"))
    .join_from(_identity, _secret)
    .where(_identity.c.uid == bindparam("board"))
)
_WITH_PAIR = select(_identity.c.id).where(_identity.c.pairing_hash == bindparam("mark"))
_WITH_NUMBER = select(_identity.c.id).where(_identity.c.serial_number == bindparam("taken"))
_NEW = insert(_identity).returning(_identity.c.id)
_STATE = select(_identity.c.id, _identity.c.state).where(_identity.c.uid == bindparam("board"))
_MOVED = update(_identity).where(_identity.c.id == bindparam("number"))


def find(connection: Connection, uid: UID, vault: Vault) -> Identity | None:
    """The identity that belongs to this board, if it has one; raises `UnitForgotten` if its secrets are gone."""
    row = connection.execute(_FOUND, {"board": str(uid)}).first()
    if row is None:
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
    connection: Connection, new: NewIdentity, recipe_sha256: str, pairing_hash: bytes, at: datetime, vault: Vault
) -> Identity | None:
    """Gives a new identity its lot's next serial number; None if another unit may have the same passcode and discriminator.

    The lot is the open work order's, or the recipe's where there never was an order. Raises `LotFull`, `LotNotOpen`,
    `LotRecipeChanged`, `LotExhausted` or `SerialNumberTaken`.
    """
    lot = lots.source(connection, new.lot, recipe_sha256)
    if connection.execute(_WITH_PAIR, {"mark": pairing_hash}).first() is not None:
        return None
    index = _next_index(connection, lot)
    serial_number = lot.serial_number(index)
    if connection.execute(_WITH_NUMBER, {"taken": serial_number}).first() is not None:
        raise SerialNumberTaken(lot.name, serial_number)
    columns = {
        "uid": str(new.uid),
        "lot": lot.name,
        "lot_index": index,
        "serial_number": serial_number,
        "discriminator": new.secrets.discriminator.value,
        "pairing_hash": pairing_hash,
        "manufacturing_date": new.manufacturing_date,
        "reserved_at": at,
        "state": IdentityState.RESERVED.value,
    }
    identity_id = connection.execute(_NEW, columns).scalar_one()
    vault.put(connection, identity_id, new.uid, new.secrets, new.rotating_device_id)
    totals.reserved(connection)
    lots.took(connection, lot.name)
    return find(connection, new.uid, vault)


def advance(connection: Connection, uid: UID | None, event: Event) -> None:
    """Moves the board's identity to the state that the event brings; `ValueError` if it may not, or there is no identity."""
    row = connection.execute(_STATE, {"board": str(uid)}).first()
    if row is None:
        raise ValueError(f"{event.on_disk.name} without an identity")
    state = advanced(IdentityState(row.state), event)
    if state != row.state:
        connection.execute(_MOVED, {"number": row.id, "state": state.value})


def rebuild(connection: Connection) -> None:
    """Computes every identity's state from the events of its attempts."""
    for uid in connection.scalars(select(_identity.c.uid)).all():
        journal = select(_event.c.attempt_id, _event.c.type, _event.c.body).join_from(_event, _attempt)
        rows = connection.execute(journal.where(_attempt.c.uid == uid).order_by(_event.c.id))
        state = state_after((row.attempt_id, events.event(row.type, row.body)) for row in rows)
        connection.execute(update(_identity).where(_identity.c.uid == uid), {"state": state.value})


def _confirmation(connection: Connection, uid: UID) -> Confirmation | None:
    """The latest confirmation in production, and whether any later attempt on this board began to flash."""
    confirmed = connection.execute(_newest_confirmed(), {"board": str(uid)}).first()
    if confirmed is None:
        return None
    touched = connection.execute(_flashed_since(), {"board": str(uid), "event": confirmed.id}).first() is not None
    return Confirmation(frozenset(confirmed.images.values()), touched)


def _coprocessor(connection: Connection, uid: UID) -> CoprocessorReady | None:
    """The latest report on the board's coprocessor."""
    row = connection.execute(_newest_coprocessor(), {"board": str(uid)}).first()
    return None if row is None else events.of(CoprocessorReady, row.body)


@cache
def _newest_confirmed() -> Select[*tuple[object, ...]]:
    production = _newest_event(Confirmed).where(~_attempt.c.laboratory)
    return production.with_only_columns(_event.c.id, _attempt.c.images)


@cache
def _newest_coprocessor() -> Select[*tuple[object, ...]]:
    return _newest_event(CoprocessorReady).with_only_columns(_event.c.body)


@cache
def _flashed_since() -> Select[*tuple[object, ...]]:
    flashes = _event.c.body["step"].as_string().in_([phase.value for phase in FLASHING])
    later = select(_event.c.id).join_from(_attempt, _event).where(_attempt.c.uid == bindparam("board")).limit(1)
    return later.where(_event.c.type == StepStarted.on_disk.name, flashes, _event.c.id > bindparam("event"))


def _newest_event(event: type[Confirmed | CoprocessorReady]) -> Select[*tuple[object, ...]]:
    """Selects the event of this type from the newest attempt on a board that has one.

    The type is part of the statement's text: otherwise SQLite does not use the index of such events.
    """
    of_type = _event.c.type == literal(event.on_disk.name, literal_execute=True)
    query = select(_event, _attempt).join_from(_attempt, _event).where(_attempt.c.uid == bindparam("board"), of_type)
    return query.order_by(_attempt.c.id.desc(), _event.c.id.desc()).limit(1)


def _next_index(connection: Connection, lot: Lot) -> int:
    index = lots.next_index(connection, lot.name)
    if index >= lot.size:
        raise LotExhausted(lot.name)
    return index
