# SPDX-License-Identifier: Apache-2.0
"""A standalone ledger becomes one of many: it tells the centre of the units that it has made, in SQL, some at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Row, func, select

from station.adapters.ledger import chain, issuance, shared_state, sharing, tables, vault
from station.adapters.ledger.fleet_key import FleetKey
from station.adapters.ledger.sealing import Sealed
from station.adapters.ledger.vault import FORGOTTEN, Vault
from station.domain.credentials import Credentials
from station.domain.facts import IdentityAdvanced, IdentityTaken, RequestAnswered, RequestSubmitted
from station.domain.identity import IdentityState
from station.domain.shared import Rank
from station.domain.target import UID

_identity, _sealed = tables.identity, tables.sealed_secret
_request, _certificate = tables.pki_request, tables.certificate

_RANKS = {
    IdentityState.ON_BOARD: Rank.ON_BOARD,
    IdentityState.CERTIFIED: Rank.CERTIFIED,
    IdentityState.CONFIRMED: Rank.CERTIFIED,
    IdentityState.PASSED: Rank.PASSED,
    IdentityState.BURNED: Rank.SCRAPPED,
}


@dataclass(frozen=True, slots=True)
class Hashes:
    """The hashes of some units' pairs. `forgotten` are those whose passcode was shredded: nobody knows their pairs."""

    last: int
    hashes: Sequence[int] = field(repr=False)
    forgotten: int


def hashes(connection: Connection, opened: Vault, fleet: FleetKey, after: int, most: int) -> Hashes | None:
    """The pairs of the next units in the order of their ordinals; None after the last."""
    rows = _units(connection, after, most)
    if not rows:
        return None
    known = [vault.of_row(opened, row) for row in rows if row.key_id != FORGOTTEN]
    pairs = [fleet.pair_hash(each.passcode, each.discriminator) for each in known]
    return Hashes(rows[-1].id, pairs, len(rows) - len(pairs))


def tell(connection: Connection, opened: Vault, at: datetime, most: int) -> int:
    """Tells of the next units; returns how many are left. Raises `ValueError` before the first enrolment."""
    shared, found = sharing.of(connection), shared_state.standing(connection)
    if shared is None or not found.incarnation:
        raise ValueError("the ledger has not enrolled")
    if found.joined is None:
        return 0
    rows = _units(connection, found.joined, most)
    for row in rows:
        _tell(connection, opened, shared.fleet, row, at)
    last = rows[-1].id if rows else found.joined
    left = connection.scalar(select(func.count()).where(_identity.c.id > last)) or 0
    set_joined = "UPDATE shared_state SET joined = ?"
    chain.driver(connection).execute(set_joined, (last if left else None,))
    return left


def _units(connection: Connection, after: int, most: int) -> Sequence[Row[tuple[object, ...]]]:
    query = select(_identity, _sealed).join_from(_identity, _sealed).where(_identity.c.id > after)
    return connection.execute(query.order_by(_identity.c.id).limit(most)).all()


def _tell(connection: Connection, opened: Vault, fleet: FleetKey, row: Row[tuple[object, ...]], at: datetime) -> None:
    uid, sealed = UID.parse(row.uid), b""
    if row.key_id != FORGOTTEN:
        content = Sealed(row.key_id, row.wrapped_key, row.content)
        onboarding, rotating = opened.opened(row.id, uid, row.discriminator, content)
        sealed = fleet.seal(uid, onboarding, rotating, row.manufacturing_date)
    chain.tell(connection, at, IdentityTaken(uid, row.lot, row.lot_index, row.serial_number, sealed))
    _tell_requests(connection, uid, at)
    if (rank := _RANKS.get(IdentityState(row.state))) is not None:
        chain.tell(connection, at, IdentityAdvanced(uid, row.lot, row.lot_index, rank))


def _tell_requests(connection: Connection, uid: UID, at: datetime) -> None:
    columns = (
        _request.c.id,
        _request.c.key,
        _request.c.outcome,
        _request.c.reason,
        _request.c.excused,
        _request.c.closed,
    )
    certificate = (_certificate.c.dac, _certificate.c.pai)
    query = select(*columns, *certificate).join(_certificate, _certificate.c.request_id == _request.c.id, isouter=True)
    for row in connection.execute(query.where(_request.c.uid == str(uid)).order_by(_request.c.id)).all():
        chain.tell(connection, at, RequestSubmitted(row.id, row.key, uid))
        if row.dac is not None:
            issuance.tell_issued(connection, row.id, row.key, Credentials(row.dac, row.pai), at)
        elif row.outcome is not None or row.excused or row.closed:
            chain.tell(connection, at, RequestAnswered(row.id, row.reason or "without a certificate that a unit has"))
