# SPDX-License-Identifier: Apache-2.0
"""Boards that already hold a key: their past in this ledger, and their release by an engineer, in SQL."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select

from station.adapters.ledger import chain, dispositions, tables
from station.adapters.ledger.driver import Prepared
from station.domain.attempt import Phase, StepStarted
from station.domain.identity import IdentityState
from station.domain.intervention import Decision, DecisionRefused
from station.domain.past import Past
from station.domain.target import UID

_attempt, _event, _identity, _release = tables.attempt, tables.event, tables.identity, tables.unit_release
_INCARNATION = select(tables.ledger.c.incarnation).where(tables.ledger.c.one == 1)
_STATE = Prepared(select(_identity.c.state).where(_identity.c.uid == bindparam("board")))
_RELEASED = Prepared(
    select(_release.c.id)
    .where(_release.c.uid == bindparam("board"), _release.c.incarnation == _INCARNATION.scalar_subquery())
    .limit(1)
)
_PROVISIONED = Prepared(
    select(_event.c.id)
    .where(
        _event.c.attempt_id.in_(select(_attempt.c.id).where(_attempt.c.uid == bindparam("board"))),
        _event.c.type == StepStarted.on_disk.name,
        _event.c.body["step"].as_string() == Phase.FLASH_PROVISIONER.value,
    )
    .limit(1)
)


def past(connection: Connection, uid: UID) -> Past:
    """The board's past in this ledger; an empty one for an unknown board."""
    state = _STATE.scalar(str, connection, {"board": str(uid)})
    return Past(
        state=None if state is None else IdentityState(state),
        provisioned=_provisioned(connection, uid),
        released=_released(connection, uid),
        disposition=dispositions.of(connection, uid),
    )


def release(connection: Connection, uid: UID, decision: Decision, at: datetime) -> None:
    """Releases the board in spite of its key; raises `DecisionRefused`, also if the board needs no release."""
    decision.check()
    if connection.scalar(select(_attempt.c.id).where(_attempt.c.uid == str(uid)).limit(1)) is None:
        raise DecisionRefused(f"no board with UID {uid} has been in a slot")
    # A shared ledger's own unit may have been elsewhere since.
    if past(connection, uid).is_ours and not chain.is_kept(connection):
        raise DecisionRefused(f"the unit with UID {uid} is this ledger's own: there is nothing to release")
    row = {
        "uid": str(uid),
        "at": at,
        "account": decision.account,
        "reason": decision.reason,
        "incarnation": connection.scalar(_INCARNATION),
    }
    connection.execute(insert(_release), row)


def _released(connection: Connection, uid: UID) -> bool:
    """Whether the ledger's present incarnation has a release of the board.

    A release from before a restoration may already have been used; using it again would make the board a second unit.
    """
    return _RELEASED.scalar(int, connection, {"board": str(uid)}) is not None


def _provisioned(connection: Connection, uid: UID) -> bool:
    """Whether an attempt on this board has begun to write the firmware that makes keys."""
    return _PROVISIONED.scalar(int, connection, {"board": str(uid)}) is not None
