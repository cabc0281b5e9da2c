# SPDX-License-Identifier: Apache-2.0
"""Quarantine, release and scrap of units in SQL: units of work for the writer."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, literal, select, update

from station.adapters.ledger import chain, lots, tables
from station.adapters.ledger.driver import Prepared
from station.adapters.ledger.sampled import is_sample
from station.domain.disposition import (
    AFTER,
    DISPOSITIONS,
    Disposition,
    Quarantined,
    Released,
    Scrapped,
    UnitEvent,
    failed_for_good,
)
from station.domain.facts import IdentityAdvanced
from station.domain.identity import IDENTITY_TRANSITIONS, IdentityState
from station.domain.intervention import Decision, DecisionRefused
from station.domain.shared import Rank
from station.domain.target import UID

_attempt, _identity, _event = tables.attempt, tables.identity, tables.unit_event
_NEWEST = Prepared(select(_event.c.type).where(_event.c.uid == bindparam("unit")).order_by(_event.c.id.desc()).limit(1))


def of(connection: Connection, uid: UID) -> Disposition:
    """Whether the board may be worked on."""
    name = _NEWEST.scalar(str, connection, {"unit": str(uid)})
    return Disposition.FREE if name is None else AFTER[name]


def judge(connection: Connection, uid: UID, number: int, fault: str, after: int, at: datetime) -> bool:
    """Puts the unit into quarantine if it has failed for good; part of the transaction of its verdict. Returns whether it did."""
    if of(connection, uid) is not Disposition.FREE:
        return False
    of_unit = (_attempt.c.uid == str(uid), ~_attempt.c.laboratory)
    passed = connection.scalar(select(func.max(_attempt.c.id)).where(*of_unit, _attempt.c.verdict == "pass")) or 0
    since = max(passed, _released_until(connection, uid))
    failed = select(func.count()).select_from(_attempt).where(*of_unit, _attempt.c.verdict == "fail")
    fails = connection.scalar(failed.where(_attempt.c.id > since)) or 0
    if not failed_for_good(fault, fails, after):
        return False
    reason = f"attempt {number} failed with {fault}, {fails} fails since it last passed or was released"
    _record(connection, uid, Quarantined(number, fault), None, reason, at)
    return True


def release(connection: Connection, uid: UID, decision: Decision, at: datetime) -> None:
    """Lets a unit in quarantine be tried again; raises `DecisionRefused`."""
    decision.check()
    newest = connection.scalar(select(func.max(_attempt.c.id)).where(_attempt.c.uid == str(uid))) or 0
    _decide(connection, uid, Released(newest), decision, at)


def scrap(connection: Connection, uid: UID, decision: Decision, at: datetime) -> str | None:
    """Burns the board's identity for ever; raises `DecisionRefused`. Returns the serial number of the certificate to revoke.

    A unit at work is refused: its attempt could give it a certificate after it was counted as scrapped.
    """
    decision.check()
    attempts = select(_attempt.c.id).where(_attempt.c.uid == str(uid)).limit(1)
    if connection.scalar(attempts) is None:
        raise DecisionRefused(f"no board with UID {uid} has been in a slot")
    if (running := connection.scalar(attempts.where(_attempt.c.verdict.is_(None)))) is not None:
        raise DecisionRefused(f"attempt {running} is at work on the unit with UID {uid}: wait for its verdict")
    _decide(connection, uid, Scrapped(), decision, at)
    row = connection.execute(select(_identity).where(_identity.c.uid == str(uid))).first()
    if row is not None and IdentityState.BURNED in IDENTITY_TRANSITIONS[IdentityState(row.state)]:
        _burn(connection, _identity.c.id == row.id)
        chain.tell(connection, at, IdentityAdvanced(uid, row.lot, row.lot_index, Rank.SCRAPPED))
        if not connection.scalar(select(is_sample(literal(str(uid))))):
            lots.gave_up(connection, row.lot)
    certificate, request = tables.certificate, tables.pki_request
    live = select(certificate.c.dac_serial_number).join(request).where(request.c.uid == str(uid))
    return connection.scalar(live.limit(1))


def rebuild(connection: Connection) -> None:
    """Burns the identities of all scrapped units, after their states were computed from their attempts."""
    scrapped = select(_event.c.uid).where(_event.c.type == Scrapped.on_disk.name)
    _burn(connection, _identity.c.uid.in_(scrapped))


def _burn(connection: Connection, which: ColumnElement[bool]) -> None:
    connection.execute(update(_identity).where(which), {"state": IdentityState.BURNED.value})


def _decide(connection: Connection, uid: UID, event: UnitEvent, decision: Decision, at: datetime) -> None:
    now = of(connection, uid)
    if type(event) not in DISPOSITIONS[now]:
        told = "in no quarantine" if now is Disposition.FREE else f"{now} already"
        raise DecisionRefused(f"the unit with UID {uid} is {told}")
    _record(connection, uid, event, decision.account, decision.reason, at)


def _released_until(connection: Connection, uid: UID) -> int:
    """The number of the newest attempt that the last release has forgiven."""
    mine = (_event.c.uid == str(uid), _event.c.type == Released.on_disk.name)
    newest = select(_event.c.body["attempt"].as_integer()).where(*mine).order_by(_event.c.id.desc())
    return connection.scalar(newest.limit(1)) or 0


def _record(connection: Connection, uid: UID, event: UnitEvent, account: str | None, reason: str, at: datetime) -> None:
    body = {key: getattr(event, key) for key in event.on_disk.keys}  # fields have their names on disk
    row = {"uid": str(uid), "at": at, "account": account, "reason": reason}
    connection.execute(insert(_event), row | {"type": event.on_disk.name, "body": body})
