# SPDX-License-Identifier: Apache-2.0
"""Requests without an answer and certificates that no unit has: the list, and what people decide about them, in SQL."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, update

from station.adapters.ledger import chain, issuance, sqlite, tables
from station.adapters.ledger.issuance import Spare
from station.domain.credentials import certificate_key, serial_number_text
from station.domain.disposition import Scrapped
from station.domain.facts import RequestAnswered
from station.domain.intervention import Decision, DecisionRefused
from station.domain.issuance import Known, Listed, OrphanKind, Reconciled, Request
from station.domain.issuance import reconcile as compared
from station.domain.target import UID

_request, _certificate, _spare = tables.pki_request, tables.certificate, tables.spare_certificate
_put_away = tables.unit_event
_OPEN_REQUEST = (_request.c.outcome.is_(None), _request.c.due_at.is_(None), ~_request.c.closed)

LISTED = "the PKI's own list has it"
NOT_LISTED = "the PKI's own list has no certificate for it"
CLOSED = "a person has dealt with it"
EXCUSED = "a person has allowed another request"
KEYS_AT_ONCE = 500  # in one statement
MOST_MISSING = 20


@dataclass(frozen=True, slots=True)
class Orphan:
    """A certificate that no unit has, or a request that may have bought one.

    `id` names it for `station pki close`: R and a number for a request, C for a certificate, D for that of a scrapped unit. Serial numbers
    are upper-case hexadecimal. A request under way is listed, too, until its answer arrives.
    """

    id: str
    kind: OrphanKind
    uid: str | None
    key: str
    since: datetime
    serial_number: str | None
    live_serial_number: str | None
    """The certificate that the key's unit has."""
    reason: str | None
    also_live: bool = False
    """Whether a unit has a certificate with the same serial number, which a PKI that repeats numbers has made: revoking
    this one would revoke that unit's."""
    is_foreign: bool = False
    """Whether it is a certificate for a key for which this ledger has no request: it may be a unit's of another line."""


def listed(path: Path) -> tuple[Orphan, ...]:
    """The orphans that no person has closed, requests first, the oldest first; raises `LedgerUnavailable`."""
    requests = (
        select(_request.c.id, _request.c.uid, _request.c.key, _request.c.submitted_at, _certificate.c.dac_serial_number)
        .join_from(_request, _certificate, _certificate.c.key == _request.c.key, isouter=True)
        .where(*_OPEN_REQUEST)
        .order_by(_request.c.id)
    )
    namesake, any_request = _certificate.alias("namesake"), _request.alias("any_request")
    of_key = select(func.min(any_request.c.uid)).where(any_request.c.key == _spare.c.key).scalar_subquery()
    spares = (
        select(
            _spare,
            func.coalesce(_request.c.uid, of_key).label("uid"),
            _certificate.c.dac_serial_number,
            namesake.c.key.label("namesake"),
        )
        .join_from(_spare, _request, _request.c.id == _spare.c.request_id, isouter=True)
        .join(_certificate, _certificate.c.key == _spare.c.key, isouter=True)
        .join(namesake, namesake.c.dac_serial_number == _spare.c.serial_number, isouter=True)
        .where(~_spare.c.closed)
        .order_by(_spare.c.id)
    )
    with sqlite.reading(path) as connection:
        unknown = [
            Orphan(f"R{row.id}", OrphanKind.UNKNOWN, row.uid, row.key, row.submitted_at, None, row[4], None)
            for row in connection.execute(requests)
        ]
        found = [
            Orphan(
                f"C{row.id}",
                OrphanKind(row.kind),
                row.uid,
                row.key,
                row.found_at,
                row.serial_number or None,
                row.dac_serial_number,
                row.reason,
                row.namesake is not None,
                _is_foreign(connection, row.serial_number, row.content),
            )
            for row in connection.execute(spares).all()
        ]
        scrapped = _scrapped(connection)
    return (*unknown, *found, *scrapped)


def _is_foreign(connection: Connection, serial_number: str, certificate: bytes | None) -> bool:
    """The PKI's own list is compared by key, and bytes that are no certificate, which have no number, are nobody's."""
    if certificate is None or not serial_number:
        return False
    key = certificate_key(certificate)  # the station asks for no key of another kind
    return key is None or connection.scalar(select(_request.c.id).where(_request.c.key == key).limit(1)) is None


def _scrapped(connection: Connection) -> list[Orphan]:
    """The certificates of scrapped units. Begins with the units, which are few."""
    put_away = select(_put_away.c.uid, _put_away.c.at, _put_away.c.reason)
    units = connection.execute(put_away.where(_put_away.c.type == Scrapped.on_disk.name).order_by(_put_away.c.id)).all()
    found = []
    for unit in units:
        live = select(_request.c.id, _request.c.key, _certificate.c.dac_serial_number).join(_certificate)
        for row in connection.execute(live.where(_request.c.uid == unit.uid, ~_request.c.closed)):
            kind, serial_number = OrphanKind.SCRAPPED, row.dac_serial_number
            found.append(Orphan(f"D{row.id}", kind, unit.uid, row.key, unit.at, serial_number, None, unit.reason))
    return found


@dataclass(frozen=True, slots=True)
class News:
    """What the PKI's list may tell: nearly all of its entries tell nothing."""

    listed: tuple[Listed, ...]
    """Left out are keys whose one certificate in the list is the live one."""
    foreign: int
    """Entries for keys that the ledger does not know."""
    missing: int
    """Units whose certificate the list should have, and has not."""
    first_missing: tuple[str, ...]
    """The keys of some of them."""
    ours: bool
    """Whether the ledger knows any key of the list."""


def news(path: Path, listed: Sequence[Listed], as_of: datetime) -> News:
    """What the PKI's list of the time `as_of` may tell; raises `LedgerUnavailable`."""
    by_key = defaultdict[str, set[int]](set)
    for entry in listed:
        by_key[entry.key].add(entry.serial_number)
    keys, live, known = sorted(by_key), dict[str, int](), set[str]()
    with sqlite.reading(path) as connection:
        for start in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[start : start + KEYS_AT_ONCE]
            known |= set(connection.scalars(select(_request.c.key).where(_request.c.key.in_(some))))
            live |= _live(connection, some)
        waiting = set(connection.scalars(select(_request.c.key).where(*_OPEN_REQUEST)))
        missing = _missing(connection, by_key, as_of)
    told = {key for key in known if key in waiting or by_key[key] != {live.get(key)}}
    return News(
        tuple(Listed(serial_number, key) for key in sorted(told) for serial_number in sorted(by_key[key])),
        sum(len(serials) for key, serials in by_key.items() if key not in known),
        len(missing),
        tuple(missing[:MOST_MISSING]),
        bool(known),
    )


def _missing(connection: Connection, listed: Mapping[str, set[int]], as_of: datetime) -> list[str]:
    """The keys of units whose certificates the list should have, and has not.

    A line may have had several PKIs one after the other: the list should have all certificates under each PAI of which
    it has one. If it has none at all, it should have those under the PAI of the last.
    """
    issued = (
        select(_certificate.c.key, _certificate.c.dac_serial_number, _certificate.c.pai)
        .join_from(_certificate, _request)
        .where(_request.c.csr != b"", _certificate.c.issued_at < as_of)  # a partner's certificate has no request
        .order_by(_request.c.id)
    )
    missing, last, of_the_list = defaultdict[bytes, list[str]](list), b"", set[bytes]()
    for key, serial_number, last in connection.execute(issued):
        if int(serial_number, 16) in listed.get(key, ()):
            of_the_list.add(last)
        else:
            missing[last].append(key)
    return [key for pai in of_the_list or {last} for key in missing[pai]]


def _live(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    query = select(_certificate.c.key, _certificate.c.dac_serial_number).where(_certificate.c.key.in_(keys))
    return {row.key: int(row.dac_serial_number, 16) for row in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class Told:
    """A PKI's list as it is compared: the entries that may tell something, and the keys whose certificate it should have, and has not."""

    listed: Sequence[Listed]
    as_of: datetime
    missing: Collection[str] = ()
    ours: bool = True
    """Whether the whole list has a key that the ledger knows."""
    in_flight: Collection[str] = ()
    """Keys with a request at the PKI now: the list tells nothing of them."""


def excuse(connection: Connection, uid: UID, decision: Decision, at: datetime) -> int:
    """Takes the board's unanswered requests out of its budget; they stay orphans. A pending one may be asked about now.

    Returns the number of those that stay orphans.
    """
    decision.check()
    waiting = (*issuance.PENDING, _request.c.due_at > at, _request.c.uid == str(uid))
    pending = connection.execute(update(_request).where(*waiting), {"due_at": at})
    counted = (*_OPEN_REQUEST[:2], ~_request.c.excused, _request.c.uid == str(uid))
    excused = connection.scalars(select(_request.c.id).where(*counted).order_by(_request.c.id)).all()
    connection.execute(update(_request).where(*counted), {"excused": True})
    if not excused and not pending.rowcount:
        raise DecisionRefused(f"no request for the board {uid} waits for an answer")
    for number in excused:  # no other station needs to wait for its answer any more
        chain.tell(connection, at, RequestAnswered(number, EXCUSED))
    _record(connection, decision, "again", str(uid), at)
    return len(excused)


def close(connection: Connection, name: str, decision: Decision, at: datetime) -> None:
    """Takes the orphan off the list."""
    decision.check()
    found = re.fullmatch(r"([RCD])([0-9]{1,18})", name.strip().upper())
    if found is None:
        raise DecisionRefused(f"{name} is no orphan's id: `station pki orphans` lists them, such as R12, C3 and D4")
    number = int(found[2])
    if found[1] == "R":
        closed = update(_request).where(*_OPEN_REQUEST, _request.c.id == number)
    elif found[1] == "D":
        scrapped = select(_put_away.c.uid).where(_put_away.c.type == Scrapped.on_disk.name)
        issued = (~_request.c.closed, _request.c.outcome == "issued")
        closed = update(_request).where(*issued, _request.c.id == number, _request.c.uid.in_(scrapped))
    else:
        closed = update(_spare).where(~_spare.c.closed, _spare.c.id == number)
    if not connection.execute(closed, {"closed": True}).rowcount:
        raise DecisionRefused(f"there is no open orphan {name}")
    if found[1] == "R":
        chain.tell(connection, at, RequestAnswered(number, CLOSED))
    _record(connection, decision, "close", name.strip().upper(), at)


def reconcile(connection: Connection, told: Told, decision: Decision, at: datetime) -> Reconciled:
    """Compares with the PKI's own list. Requests that bought a certificate make way for that certificate; others are answered."""
    decision.check()
    listed = told.listed
    result = compared(_known(connection, told), listed, min(told.as_of, at))
    for surplus in result.surplus:
        text = serial_number_text(surplus.serial_number)
        issuance.keep(connection, Spare(OrphanKind.SURPLUS, surplus.key, LISTED, surplus.request, None, text), at)
    bought = [surplus.request for surplus in result.surplus if surplus.request is not None]
    for numbers, reason in ((bought, LISTED), (result.nothing_issued, NOT_LISTED)):
        for number in numbers:
            _answer(connection, number, reason, at)
    _record(connection, decision, "reconcile", f"{len(listed)} certificates", at)
    return result


def found(connection: Connection, key: str, certificates: Sequence[bytes], at: datetime) -> int:
    """Records certificates of this key that the PKI's own list has, each new one as the answer to a request without an answer.

    Returns how many are new.
    """
    waiting = list(connection.scalars(select(_request.c.id).where(*_OPEN_REQUEST, _request.c.key == key)))
    new = 0
    for certificate in certificates:
        number = waiting[0] if waiting else None
        if issuance.keep(connection, Spare(OrphanKind.SURPLUS, key, LISTED, number, certificate), at):
            new += 1
            _answer(connection, number, LISTED, at)
            del waiting[:1]
    return new


def _answer(connection: Connection, number: int | None, reason: str, at: datetime) -> None:
    values = {"outcome": "rejected", "reason": reason, "answered_at": at}
    connection.execute(update(_request).where(_request.c.id == number), values)
    if number is not None:
        chain.tell(connection, at, RequestAnswered(number, reason))


def _known(connection: Connection, told: Told) -> Known:
    """What the ledger knows of the keys in the list, of those that it lacks, and of all keys with a request without an answer."""
    unanswered = [
        Request(row.id, row.key, row.submitted_at)
        for row in connection.execute(select(_request).where(*_OPEN_REQUEST).order_by(_request.c.id))
    ]
    wanted = sorted({entry.key for entry in told.listed} | {request.key for request in unanswered} | set(told.missing))
    live, keys = dict[str, int](), {request.key for request in unanswered}
    expected = set[str]()
    others = dict[str, frozenset[int]]()
    for start in range(0, len(wanted), KEYS_AT_ONCE):
        some = wanted[start : start + KEYS_AT_ONCE]
        keys |= set(connection.scalars(select(_request.c.key).where(_request.c.key.in_(some))))
        live |= _live(connection, some)
        older = select(_certificate.c.key).where(_certificate.c.key.in_(some), _certificate.c.issued_at < told.as_of)
        expected |= set(connection.scalars(older))
        spares = select(_spare.c.key, _spare.c.serial_number).where(
            _spare.c.key.in_(some), _spare.c.serial_number != ""
        )
        for row in connection.execute(spares):
            others[row.key] = others.get(row.key, frozenset()) | {int(row.serial_number, 16)}
    return Known(unanswered, live, others, frozenset(keys), frozenset(expected), told.ours, frozenset(told.in_flight))


def _record(connection: Connection, decision: Decision, action: str, subject: str, at: datetime) -> None:
    row = {"at": at, "account": decision.account, "action": action, "subject": subject, "reason": decision.reason}
    connection.execute(insert(tables.pki_decision), row)
