# SPDX-License-Identifier: Apache-2.0
"""Units that come from other stations of a shared ledger, in SQL: what this ledger knows of a board, and how it takes one over."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from station.adapters.ledger import chain, identities, issuance, lots, sharing, tables, unit_starts
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

_identity = tables.identity

_RELEASED = (
    "SELECT 1 FROM unit_release WHERE uid = ? AND incarnation = (SELECT incarnation FROM ledger WHERE one = 1) LIMIT 1"
)
_LAST_PROVISIONED = (
    "SELECT a.id FROM attempt AS a JOIN event AS e ON e.attempt_id = a.id WHERE a.uid = ? AND a.id <> ? AND e.type = ?"
    " AND json_extract(e.body, '$.step') = ? ORDER BY a.id DESC LIMIT 1"
)
_KEY_SEEN = "SELECT json_extract(body, '$.key') FROM event WHERE attempt_id = ? AND type = ? ORDER BY id DESC LIMIT 1"

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
    """What this ledger knows of the board, without the attempt of this number. Every attempt asks, so by the driver's statements."""
    raw, name = chain.driver(connection), str(uid)
    identity = raw.execute("SELECT owned FROM identity WHERE uid = ?", (name,)).fetchone()
    keys = frozenset(key for (key,) in raw.execute("SELECT key FROM pki_request WHERE uid = ?", (name,)))
    provisioned, seen = _last_provisioned(raw, name, attempt)
    return OwnKnowledge(
        known=identity is not None,
        owned=identity is not None and bool(identity[0]),
        keys=keys,
        may_have_made_key=provisioned and seen is None,
        unasked=None if seen in keys else seen,
        released=raw.execute(_RELEASED, (name,)).fetchone() is not None,
    )


def _last_provisioned(raw: sqlite3.Connection, uid: str, attempt: int) -> tuple[bool, str | None]:
    """Whether an attempt began to write the provisioning firmware to the board, and which key the last of these has seen."""
    last = raw.execute(
        _LAST_PROVISIONED, (uid, attempt, StepStarted.on_disk.name, Phase.FLASH_PROVISIONER.value)
    ).fetchone()
    seen = None if last is None else raw.execute(_KEY_SEEN, (*last, CSRReceived.on_disk.name)).fetchone()
    return last is not None, None if seen is None else str(seen[0])


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
