# SPDX-License-Identifier: Apache-2.0
"""Replaces the station's key: every unit's key is wrapped anew, and the old key removed.

May be killed at any moment and called again: the new key is on the disk before the ledger names it, units are wrapped anew a
group a transaction, and the old key goes only when nothing in the ledger's files needs it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Row, bindparam, func, inspect, select, update

from station.adapters.ledger import incarnations, scrubbing, secrets_deeds, sqlite, tables, vault
from station.adapters.ledger.custody import differences
from station.adapters.ledger.register import Register
from station.adapters.ledger.sealing import WRAPPED_SIZE, SealBroken, Sealed, StationKey, unit_name
from station.adapters.ledger.station_keys import StationKeys
from station.adapters.ledger.vault import FORGOTTEN, Vault
from station.domain.intervention import DecisionRefused
from station.domain.secrets_deed import Act, SecretsDeed
from station.domain.target import UID
from station.faults.line import LedgerDamaged, LedgerMoved, LedgerUnavailable

AT_ONCE = 1000

_identity, _sealed, _state = tables.identity, tables.sealed_secret, tables.secrets_state


@dataclass(frozen=True, slots=True)
class SecretsStatus:
    """The keys of a ledger: which one is in use, where it is, and how many units each wraps."""

    key_id: str
    key_file: str | None
    token: str | None
    """The PKCS#11 URI of the token that seals the key; None where its file has it in clear."""
    wrapped: dict[str, int]
    forgotten: int
    scrubbed: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """The keys at hand open what the ledger has sealed."""

    key_id: str
    retiring_id: str | None
    """The key that a rotation replaces, which has not ended."""
    scrubbed: bool
    remembered: int


def status(path: Path, keys: StationKeys) -> SecretsStatus:
    """Reads the ledger, which a daemon may write meanwhile; raises `LedgerUnavailable`."""
    with sqlite.reading(path) as connection, connection.begin():
        current = connection.execute(select(_state)).one()
        counted = select(_sealed.c.key_id, func.count()).group_by(_sealed.c.key_id)
        wrapped: dict[str, int] = dict(connection.execute(counted).all())
    place = keys.place_of(current.key_id)
    forgotten = wrapped.pop(FORGOTTEN, 0)
    file, token = None if place is None else str(place), keys.token_of(current.key_id)
    return SecretsStatus(current.key_id, file, token, wrapped, forgotten, not current.scrub)


def prove(path: Path, keys: StationKeys) -> Proof | None:
    """Opens the oldest and the newest unit under each key, beside a daemon that writes.

    None for a ledger of an earlier version, which has nothing sealed. Raises `LedgerUnavailable` or `LedgerDamaged`.
    """
    ends = select(_sealed.c.key_id, func.min(_sealed.c.identity_id), func.max(_sealed.c.identity_id), func.count())
    ends = ends.where(_sealed.c.key_id != FORGOTTEN).group_by(_sealed.c.key_id)
    units = select(_identity.c.id, _identity.c.uid, _identity.c.discriminator, _sealed).join_from(_identity, _sealed)
    with sqlite.reading(path) as connection, connection.begin():
        if not inspect(connection).has_table(_sealed.name):
            return None
        state = connection.execute(select(_state)).one()
        opened, remembered = Vault(path, keys, state.key_id), 0
        for _, oldest, newest, count in connection.execute(ends).all():
            for found in connection.execute(units.where(_identity.c.id.in_([oldest, newest]))).all():
                vault.of_row(opened, found)
            remembered += count
    return Proof(state.key_id, state.retiring_id, not state.scrub, remembered)


def rotate(
    path: Path,
    register: Register,
    keys: StationKeys,
    *,
    who: str,
    reason: str,
    token: str | Literal[False] | None = None,
    every: int = AT_ONCE,
) -> str:
    """Replaces the key, or ends a rotation that was interrupted; returns the new key's id.

    The new key is sealed by this token (a PKCS#11 URI), by none if it is False, and else as the old one was. Raises
    `LedgerUnavailable`, also while a daemon has the ledger, `LedgerMoved`, `DecisionRefused`, or `LedgerDamaged` if a unit's
    key does not open.
    """
    deed = SecretsDeed(datetime.now(UTC), who, reason, Act.ROTATE)
    deed.check()
    _check_there(path)
    with sqlite.writing(path, keys=keys) as connection, sqlite.translated(path):
        with connection.begin():
            if reasons := list(differences(path, incarnations.standing(connection), register)):
                raise LedgerMoved(f"{path}: {'; '.join(reasons)}")
            keyring = Vault.of(path, connection, keys)
            retiring, new = _begun(connection, keys, deed, token)
        keys.settle(new)
        last: int | None = 0
        while last is not None:
            last = _wrapped_anew(connection, keyring, retiring, keyring.key(new), every, last)
        if not scrubbing.truncate(connection):
            raise LedgerUnavailable(
                f"{path}: another program reads it, so that its log still has what the old key wraps. Run the command again"
            )
        keys.remove(retiring, kept=new)
        with connection.begin():
            connection.execute(update(_state).values(retiring_id=None))
    return new


def give_up(path: Path, register: Register, keys: StationKeys, *, who: str, reason: str) -> tuple[str, int]:
    """Lets a ledger whose key is lost for good go on under a new one; returns its id, and how many units are forgotten by that.

    Raises `DecisionRefused` while the key is there, and what `rotate` raises.
    """
    deed = SecretsDeed(datetime.now(UTC), who, reason, Act.FORGET)
    deed.check()
    _check_there(path)
    with sqlite.writing(path, keys=keys) as connection, sqlite.translated(path):
        new, units = _given_up(path, connection, register, keys, deed)
        scrubbing.truncate(connection)  # where a reader needs the log now, the next opening empties it
    keys.settle(new)
    return new, units


def _given_up(
    path: Path, connection: Connection, register: Register, keys: StationKeys, deed: SecretsDeed
) -> tuple[str, int]:
    with connection.begin():
        if reasons := list(differences(path, incarnations.standing(connection), register)):
            raise LedgerMoved(f"{path}: {'; '.join(reasons)}")
        lost: str = connection.execute(select(_state.c.key_id)).scalar_one()
        if keys.place_of(lost) is not None:
            raise DecisionRefused(f"key {lost} is there: `station secrets rotate` replaces it, and loses nothing")
        new = keys.add()
        gone = {"key_id": FORGOTTEN, "wrapped_key": bytes(WRAPPED_SIZE)}
        overwritten = update(_sealed).where(_sealed.c.key_id != FORGOTTEN)
        content = func.zeroblob(func.length(_sealed.c.content))
        units = connection.execute(overwritten.values(**gone, content=content)).rowcount
        secrets_deeds.record(connection, "-", replace(deed, units=units, recipient=new.id))
        connection.execute(update(_state).values(key_id=new.id, retiring_id=None))
    return new.id, units


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise LedgerUnavailable(f"there is no ledger at {path}")


def _begun(
    connection: Connection, keys: StationKeys, deed: SecretsDeed, token: str | Literal[False] | None
) -> tuple[str, str]:
    """The ids of the old and the new key; those of the last rotation where it did not end."""
    state = connection.execute(select(_state)).one()
    if state.retiring_id is not None:
        return state.retiring_id, state.key_id
    new = keys.add(keys.token_of(state.key_id) if token is None else token or None)
    units: int = connection.scalar(select(func.count()).where(_sealed.c.key_id != FORGOTTEN)) or 0
    secrets_deeds.record(connection, "-", replace(deed, units=units, recipient=new.id))
    connection.execute(update(_state).values(key_id=new.id, retiring_id=state.key_id))
    return state.key_id, new.id


def _wrapped_anew(
    connection: Connection, keyring: Vault, retiring: str, new: StationKey, most: int, after: int
) -> int | None:
    """Wraps the keys of up to so many units anew, in the order of their numbers; returns the last one's, or None at the end."""
    query = select(_identity.c.uid, _sealed).join_from(_identity, _sealed)
    query = query.where(_sealed.c.key_id == retiring, _sealed.c.identity_id > after).order_by(_sealed.c.identity_id)
    changed = update(_sealed).where(_sealed.c.identity_id == bindparam("number"))
    with connection.begin():
        found = connection.execute(query.limit(most)).all()
        if found:  # else the old key may be gone already
            old = keyring.key(retiring)
            connection.execute(changed, [_row(keyring.path, row, old, new) for row in found])
    return found[-1].identity_id if found else None


def _row(path: Path, found: Row[tuple[object, ...]], old: StationKey, new: StationKey) -> dict[str, object]:
    sealed = Sealed(found.key_id, found.wrapped_key, found.content)
    try:
        anew = sealed.rewrapped(old, new, unit_name(UID.parse(found.uid), found.identity_id))
    except SealBroken as exc:
        raise LedgerDamaged(str(path), f"the onboarding secrets of {found.uid} do not open") from exc
    return {"number": found.identity_id, "key_id": anew.key_id, "wrapped_key": anew.wrapped_key}
