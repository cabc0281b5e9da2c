# SPDX-License-Identifier: Apache-2.0
"""Units that come from other stations of a shared ledger, in SQL: what this ledger knows of a board, and how it takes one over."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from station.adapters.ledger import chain, identities, issuance, lots, origin, sharing, tables, unit_starts
from station.adapters.ledger.fleet_key import FleetSealBroken
from station.adapters.ledger.identities import IdentityRow
from station.adapters.ledger.pairing import PairingKey
from station.adapters.ledger.vault import Vault
from station.domain.attempt import CSRReceived, Phase, StepStarted
from station.domain.claiming import OwnKnowledge
from station.domain.facts import UnitAdopted
from station.domain.identity import LIFE, IdentityState, OnboardingSecrets
from station.domain.shared import Claim, KnownUnit, Rank
from station.domain.target import UID
from station.faults.line import CentreUnusable, SerialNumberTaken
from station.interfaces import RecordedRecipe

_attempt, _event, _identity, _request = tables.attempt, tables.event, tables.identity, tables.pki_request

_STATES = {
    Rank.TAKEN: IdentityState.RESERVED,
    Rank.ON_BOARD: IdentityState.ON_BOARD,
    Rank.CERTIFIED: IdentityState.CERTIFIED,
    Rank.PASSED: IdentityState.PASSED,
}


@dataclass(frozen=True, slots=True)
class Adopter:
    """The station that takes units over: its keys, and the recipe that it works by."""

    pairing: PairingKey
    vault: Vault
    recipe: RecordedRecipe


def knowledge(connection: Connection, uid: UID, attempt: int) -> OwnKnowledge:
    """What this ledger knows of the board, without the attempt of this number."""
    owned = connection.scalar(select(_identity.c.owned).where(_identity.c.uid == str(uid)))
    keys = connection.scalars(select(_request.c.key).where(_request.c.uid == str(uid))).all()
    return OwnKnowledge(
        known=owned is not None,
        owned=bool(owned),
        keys=frozenset(keys),
        may_have_made_key=_may_have_made_key(connection, uid, attempt),
        released=origin.past(connection, uid).released,
    )


def _may_have_made_key(connection: Connection, uid: UID, attempt: int) -> bool:
    """Whether the board's last attempt that began to write the provisioning firmware has not seen the board's request."""
    numbers = connection.scalars(
        select(_attempt.c.id).where(_attempt.c.uid == str(uid), _attempt.c.id != attempt)
    ).all()
    wrote = _event.c.body["step"].as_string() == Phase.FLASH_PROVISIONER.value
    begun = select(_event.c.attempt_id).where(
        _event.c.attempt_id.in_(numbers), _event.c.type == StepStarted.on_disk.name
    )
    last = connection.scalar(begun.where(wrote).order_by(_event.c.attempt_id.desc()).limit(1))
    if last is None:
        return False
    seen = select(_event.c.id).where(_event.c.attempt_id == last, _event.c.type == CSRReceived.on_disk.name)
    return connection.execute(seen.limit(1)).first() is None


def adopt(connection: Connection, claim: Claim, by: Adopter, at: datetime) -> None:
    """Takes the unit over as the centre knows it: identity, secrets and certificates. What this ledger had of it makes way.

    Raises `CentreUnusable` if the secrets do not open, and `SerialNumberTaken`.
    """
    shared, known = sharing.of(connection), claim.known
    assert shared is not None
    assert known is not None
    try:
        unsealed = shared.fleet.unseal(claim.uid, known.sealed)
    except FleetSealBroken as exc:
        raise CentreUnusable(f"the secrets of unit {claim.uid} do not open with this station's fleet key") from exc
    here = connection.execute(select(_identity).where(_identity.c.uid == str(claim.uid))).first()
    same = here is not None and (here.lot, here.lot_index) == (known.lot, known.index)
    state = _STATES[known.rank]
    if same and here is not None:
        state = max(state, IdentityState(here.state), key=LIFE.index)
        connection.execute(update(_identity).where(_identity.c.id == here.id), {"state": state.value, "owned": True})
    else:
        _check_free(connection, claim.uid, known)
        row = IdentityRow(
            lot=known.lot,
            lot_index=known.index,
            serial_number=known.serial_number,
            pairing_hash=_mark(connection, by.pairing, claim.uid, unsealed.onboarding),
            manufacturing_date=unsealed.manufacturing_date,
            reserved_at=at,
            state=state,
        )
        identities.enter(connection, row, claim.uid, unsealed.onboarding, unsealed.rotating_device_id, by.vault)
        lots.took_over(connection, known.lot)
    for key, credentials in known.certificates:
        issuance.enter_adopted(connection, key, credentials, claim.uid, at)
    images = [image.sha256 for image in by.recipe.images] if known.release == by.recipe.release else []
    unit_starts.begin(connection, claim.uid, state, at, epoch=claim.epoch, began_at=known.began_at, images=images)
    chain.tell(connection, at, UnitAdopted(claim.uid, known.lot, known.index, claim.epoch, known.began_at))


def _check_free(connection: Connection, uid: UID, known: KnownUnit) -> None:
    query = select(_identity.c.uid).where(_identity.c.serial_number == known.serial_number, _identity.c.uid != str(uid))
    if connection.execute(query).first() is not None:
        raise SerialNumberTaken(known.lot, known.serial_number)


def _mark(connection: Connection, pairing: PairingKey, uid: UID, onboarding: OnboardingSecrets) -> bytes:
    """The pair's mark; longer where another unit has the same, which is no sign of the same pair: the centre keeps pairs apart."""
    mark = pairing.mark(onboarding)
    query = select(_identity.c.id).where(_identity.c.pairing_hash == mark, _identity.c.uid != str(uid))
    return mark if connection.execute(query).first() is None else mark + uid.raw
