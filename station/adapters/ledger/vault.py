# SPDX-License-Identifier: Apache-2.0
"""The onboarding secrets in SQL, sealed: units of work for the writer. Nothing of a secret is in clear in the ledger's file.

Rows are only appended, and later overwritten by content of the same size, which SQLite does in place: so no copy of a wrapped
key stays behind in a page, as it might where rows move between pages.
"""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Row, insert, select, update

from station.adapters.ledger import sealing, tables
from station.adapters.ledger.driver import Prepared
from station.adapters.ledger.sealing import ID_SIZE, WRAPPED_SIZE, SealBroken, Sealed, StationKey, unit_name
from station.adapters.ledger.station_keys import StationKeys
from station.domain.identity import OnboardingSecrets
from station.domain.intervention import DecisionRefused
from station.domain.target import UID
from station.faults.line import LedgerDamaged
from station.faults.slot import UnitForgotten
from station.matter.onboarding.passcode import Discriminator

FORGOTTEN = "-" * ID_SIZE  # in place of the key's id

_identity, _sealed, _state = tables.identity, tables.sealed_secret, tables.secrets_state
_NEW = Prepared(insert(_sealed))


class Vault:
    """Opens and seals with the station's keys. Used by one thread at a time."""

    def __init__(self, path: Path, keys: StationKeys, key_id: str) -> None:
        self.path = path
        self._keys = keys
        self._known = {key_id: keys.find(key_id)}
        self._current = key_id

    @classmethod
    def of(cls, path: Path, connection: Connection, keys: StationKeys) -> "Vault":
        """The vault of an open ledger; raises `LedgerUnavailable` if the station's key is missing."""
        key_id = connection.execute(select(_state.c.key_id)).scalar_one()
        keys.settle(key_id)
        return cls(path, keys, key_id)

    def put(
        self,
        connection: Connection,
        identity: int,
        uid: UID,
        onboarding: OnboardingSecrets,
        rotating: str | None,
        *,
        anew: bool = False,
    ) -> None:
        """Seals the secrets of a new identity; with `anew` those of one that was there."""
        sealed = sealing.seal(self._known[self._current], unit_name(uid, identity), onboarding, rotating)
        if anew:
            connection.execute(update(_sealed).where(_sealed.c.identity_id == identity), row(identity, sealed))
        else:
            _NEW.run(connection, row(identity, sealed))

    def opened(
        self, identity: int, uid: UID, discriminator: int, sealed: Sealed
    ) -> tuple[OnboardingSecrets, str | None]:
        """The unit's secrets and rotating device id; raises `UnitForgotten` or `LedgerDamaged`."""
        if sealed.key_id == FORGOTTEN:
            raise UnitForgotten(str(uid))
        try:
            key = self.key(sealed.key_id)
            return sealing.unseal(key, unit_name(uid, identity), sealed, Discriminator(discriminator))
        except SealBroken as exc:
            raise LedgerDamaged(str(self.path), f"the onboarding secrets of {uid} do not open") from exc

    def key(self, key_id: str) -> StationKey:
        if key_id not in self._known:
            self._known[key_id] = self._keys.find(key_id)
        return self._known[key_id]


def row(identity: int, sealed: Sealed) -> dict[str, object]:
    return {
        "identity_id": identity,
        "key_id": sealed.key_id,
        "wrapped_key": sealed.wrapped_key,
        "content": sealed.content,
    }


def forget_unit(connection: Connection, uid: UID) -> bool:
    """Overwrites the unit's wrapped key, without which nothing opens its secrets. Returns whether it was there.

    Raises `DecisionRefused` for a board without an identity.
    """
    query = select(_sealed).join_from(_identity, _sealed).where(_identity.c.uid == str(uid))
    found = connection.execute(query).first()
    if found is None:
        raise DecisionRefused(f"no unit has UID {uid}")
    if found.key_id == FORGOTTEN:
        return False
    overwritten = {"key_id": FORGOTTEN, "wrapped_key": bytes(WRAPPED_SIZE), "content": bytes(len(found.content))}
    connection.execute(update(_sealed).where(_sealed.c.identity_id == found.identity_id), overwritten)
    return True


def remembered(connection: Connection, vault: Vault) -> Iterator[tuple[int, OnboardingSecrets | None]]:
    """Each identity with its secrets; without them where they were forgotten."""
    query = select(_identity.c.id, _identity.c.uid, _identity.c.discriminator, _sealed)
    for found in connection.execute(query.join_from(_identity, _sealed).order_by(_identity.c.id)):
        yield found.id, None if found.key_id == FORGOTTEN else of_row(vault, found)


def of_row(vault: Vault, found: Row[tuple[object, ...]]) -> OnboardingSecrets:
    """The secrets of a row with identity and sealed secret; raises `UnitForgotten` or `LedgerDamaged`."""
    sealed = Sealed(found.key_id, found.wrapped_key, found.content)
    return vault.opened(found.id, UID.parse(found.uid), found.discriminator, sealed)[0]
