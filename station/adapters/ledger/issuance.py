# SPDX-License-Identifier: Apache-2.0
"""Requests to the PKI and their answers, in SQL: units of work for the writer."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from station.adapters.ledger import chain, tables
from station.adapters.ledger.driver import Prepared
from station.domain.credentials import Credentials, serial_number_text
from station.domain.facts import CertificateIssued, IntermediateSeen, RequestAnswered, RequestSubmitted
from station.domain.issuance import MOST_UNANSWERED, Asked, KeyRecord, OrphanKind
from station.domain.target import UID
from station.faults.line import CredentialsInvalid
from station.faults.slot import PKIAnswerLost
from station.faults.unit import KeyChanged, KeyShared
from station.interfaces import RefusedAnswer

BESIDES = "it came in the answer to another key's request"

_request, _certificate = tables.pki_request, tables.certificate
_spare, _wait = tables.spare_certificate, tables.pki_wait

# Conditions on requests: those without an answer, those of them that count for the budget of their key, and those that the
# PKI has and decides later.
_LOST = (_request.c.outcome.is_(None), _request.c.due_at.is_(None))
_UNANSWERED = (*_LOST, ~_request.c.excused)
PENDING = (_request.c.outcome.is_(None), _request.c.due_at.is_not(None))

# The statements of each request are built once: building one costs more than executing it for a row.
_LIVE = select(_certificate.c.dac, _certificate.c.pai, _request.c.uid).join_from(_certificate, _request)
_OF_KEY = Prepared(_LIVE.where(_certificate.c.key == bindparam("of_key")))
_OF_BOARD = Prepared(_LIVE.where(_request.c.uid == bindparam("board")).order_by(_request.c.id.desc()))
_ASKED = Prepared(
    select(_request.c.key, _request.c.due_at, _request.c.excused).where(
        _request.c.uid == bindparam("board"),
        _request.c.outcome.is_(None),
        ~select(_certificate.c.key).where(_certificate.c.key == _request.c.key).exists(),
    )
)
_COUNT = Prepared(select(func.count()).where(_request.c.key == bindparam("of_key"), *_UNANSWERED))
_UNANSWERED_OF_KEY = Prepared(select(_request.c.id).where(_request.c.key == bindparam("of_key"), *_LOST).limit(1))
_IS_PENDING = Prepared(select(func.max(_request.c.id)).where(_request.c.key == bindparam("of_key"), *PENDING))
_OPEN_OF_KEY = select(func.max(_request.c.id)).where(
    _request.c.key == bindparam("of_key"), _request.c.outcome.is_(None)
)
_LAST_OPEN = Prepared(_OPEN_OF_KEY)
_ITS_BOARD = select(_request.c.uid).where(_request.c.id == _OPEN_OF_KEY.scalar_subquery()).scalar_subquery()
_OTHER_KEY = Prepared(
    select(_certificate.c.key)
    .join_from(_certificate, _request)
    .where(_request.c.uid == _ITS_BOARD, _certificate.c.key != bindparam("of_key"))
)
_WITH_NUMBER = Prepared(select(_certificate.c.key).where(_certificate.c.dac_serial_number == bindparam("number")))
_ANSWERED = Prepared(update(_request).where(_request.c.id == bindparam("request")))
_NEW_REQUEST, _NEW_CERTIFICATE = Prepared(insert(_request)), Prepared(insert(_certificate))


@dataclass(frozen=True, slots=True)
class Spare:
    """A certificate that no unit has, DER; or only its serial number, from the PKI's list."""

    kind: OrphanKind
    key: str
    reason: str
    request: int | None
    certificate: bytes | None
    listed: str = ""

    @property
    def serial_number(self) -> str:
        """Upper-case hexadecimal; empty for bytes that are no certificate."""
        if self.certificate is None:
            return self.listed
        try:
            return serial_number_text(x509.load_der_x509_certificate(self.certificate).serial_number)
        except ValueError:
            return ""


def find(connection: Connection, key: str, uid: UID) -> Credentials | None:
    """The certificate issued for this key, if any. Raises `KeyShared` when another board has it."""
    row = _OF_KEY.first(connection, {"of_key": key})
    if row is None:
        return None
    if row.uid != str(uid):
        raise KeyShared(key, row.uid)
    return Credentials(row.dac, row.pai)


def of_board(connection: Connection, uid: UID) -> Credentials | None:
    """The certificate issued last for this board, if any."""
    row = _OF_BOARD.first(connection, {"board": str(uid)})
    return None if row is None else Credentials(row.dac, row.pai)


def asked(connection: Connection, uid: UID) -> Asked:
    """What the PKI owes this board: the count of its key with the most unanswered requests, and the latest time to wait for."""
    rows = _ASKED.all(connection, {"board": str(uid)})
    unanswered = Counter(row.key for row in rows if row.due_at is None and not row.excused)
    dues = [row.due_at for row in rows if row.due_at is not None]
    return Asked(max(unanswered.values(), default=0), max(dues, default=None))


def is_unanswered(connection: Connection, key: str) -> bool:
    """Whether a request for this key has no answer, even if its board has been excused for it."""
    return _UNANSWERED_OF_KEY.scalar(int, connection, {"of_key": key}) is not None


def record_of(connection: Connection, key: str, uid: UID) -> KeyRecord:
    """What there is of this board's key; raises `KeyShared` when another board has its certificate."""
    return KeyRecord(find(connection, key, uid), asked(connection, uid), is_unanswered(connection, key))


def submit(connection: Connection, key: str, csr: bytes, uid: UID, at: datetime) -> int:
    """Records one more request, or that a pending one is asked about again. Returns how many earlier ones have no answer.

    Raises `PKIAnswerLost` and records nothing if a further request could buy one certificate too many.
    """
    count = _COUNT.one(int, connection, {"of_key": key})
    if count >= MOST_UNANSWERED:
        raise PKIAnswerLost(str(uid), count)
    if (there := _IS_PENDING.scalar(int, connection, {"of_key": key})) is not None:
        # Until its answer comes, the question counts as unanswered: the PKI may have decided meanwhile.
        connection.execute(update(_request).where(_request.c.id == there), {"due_at": None})
    else:
        _enter_request(connection, key, csr, uid, at)
    return count


def _enter_request(connection: Connection, key: str, csr: bytes, uid: UID, at: datetime) -> None:
    row = {"key": key, "uid": str(uid), "csr": csr, "submitted_at": at}
    number = _NEW_REQUEST.run(connection, row).lastrowid
    assert number is not None
    chain.tell(connection, at, RequestSubmitted(number, key, uid))


def issue(
    connection: Connection, key: str, credentials: Credentials, at: datetime, surplus: Sequence[bytes] = ()
) -> None:
    """Records the certificate that answers the last request, and is live from now on, and what that answer brought besides.

    Raises `CredentialsInvalid` when its serial number is not new. Raises `KeyChanged` when the board has a certificate
    for another key, as happens if two boards show one UID at once. The request then stays without an answer.
    """
    if (there := _OTHER_KEY.scalar(str, connection, {"of_key": key})) is not None:
        raise KeyChanged(key, there)
    request = _enter(connection, key, credentials, at)
    for certificate in surplus:
        keep(connection, Spare(OrphanKind.SURPLUS, key, BESIDES, request, certificate), at)


def enter_adopted(connection: Connection, key: str, credentials: Credentials, uid: UID, at: datetime) -> None:
    """Records a certificate that another station got for this board, unless it is here; the centre knows it. Raises `KeyShared`."""
    if find(connection, key, uid) is None:
        if not is_asked(connection, key):
            _NEW_REQUEST.run(connection, {"key": key, "uid": str(uid), "csr": b"", "submitted_at": at})
        _enter(connection, key, credentials, at, told=True)


def is_asked(connection: Connection, key: str) -> bool:
    """Whether a request for this key has no answer that could be recorded."""
    open_request = select(_request.c.id).where(_request.c.key == key, _request.c.outcome.is_(None)).limit(1)
    return connection.execute(open_request).first() is not None


def _enter(connection: Connection, key: str, credentials: Credentials, at: datetime, *, told: bool = False) -> int:
    """Records the certificate; returns the number of the request that it answers."""
    serial_number = credentials.dac_serial_number
    if _WITH_NUMBER.scalar(str, connection, {"number": serial_number}) is not None:
        raise CredentialsInvalid("RFC 5280 4.1.2.2", f"serial number {serial_number} was issued before")
    request = _answer(connection, key, "issued", None, at)
    _NEW_CERTIFICATE.run(
        connection,
        {
            "key": key,
            "request_id": request,
            "dac_serial_number": serial_number,
            "dac": credentials.dac,
            "pai": credentials.pai,
            "issued_at": at,
        },
    )
    if not told:
        tell_issued(connection, request, key, credentials, at)
    return request


def tell_issued(connection: Connection, request: int, key: str, credentials: Credentials, at: datetime) -> None:
    """Tells the certificate, and before it the intermediate certificate where this incarnation has not told that yet."""
    if not chain.is_kept(connection):
        return
    pai = hashlib.sha256(credentials.pai).hexdigest()
    if chain.is_first(connection, pai):
        chain.tell(connection, at, IntermediateSeen(pai, credentials.pai))
    (uid,) = chain.driver(connection).execute("SELECT uid FROM pki_request WHERE id = ?", (request,)).fetchone()
    issued = CertificateIssued(request, key, UID.parse(uid), credentials.dac_serial_number, credentials.dac, pai)
    chain.tell(connection, at, issued)


def adopt(connection: Connection, credentials: Credentials, uid: UID, at: datetime) -> None:
    """Records a certificate that a partner's script, not the station, put on this board.

    A second certificate for the same key replaces the first, which stays in the journal. Raises `KeyShared` when the
    key is another board's, `CredentialsInvalid` when the serial number is not new.
    """
    key = credentials.key
    known = find(connection, key, uid)
    if known != credentials:
        if known is not None:
            connection.execute(delete(_certificate).where(_certificate.c.key == key))
        _enter_request(connection, key, b"", uid, at)
        _enter(connection, key, credentials, at)


def reject(connection: Connection, key: str, reason: str, at: datetime) -> None:
    """Records that the PKI refused the last request, and issued no certificate."""
    request = _answer(connection, key, "rejected", reason, at)
    chain.tell(connection, at, RequestAnswered(request, reason))


def refuse(connection: Connection, key: str, answer: RefusedAnswer, at: datetime) -> None:
    """Records an answer that the station refused, and every certificate in it. None of them ever becomes live."""
    request = _answer(connection, key, "rejected", answer.reason, at)
    chain.tell(connection, at, RequestAnswered(request, answer.reason))
    connection.execute(insert(tables.pki_answer), {"request_id": request, "at": at, "content": answer.content})
    for certificate in answer.certificates:
        keep(connection, Spare(OrphanKind.REFUSED, key, answer.reason, request, certificate), at)


def keep(connection: Connection, spare: Spare, at: datetime) -> bool:
    """Records a certificate that no unit has, unless the ledger has it already. Returns whether it is new."""
    serial_number = spare.serial_number
    live = select(_certificate.c.key).where(
        _certificate.c.key == spare.key, _certificate.c.dac_serial_number == serial_number
    )
    there = select(_spare.c.key).where(_spare.c.key == spare.key, _spare.c.serial_number == serial_number)
    if connection.execute(live).first() or connection.execute(there).first():
        return False
    connection.execute(
        insert(_spare),
        {
            "request_id": spare.request,
            "key": spare.key,
            "serial_number": serial_number,
            "kind": spare.kind.value,
            "found_at": at,
            "reason": spare.reason,
            "content": spare.certificate,
        },
    )
    return True


def pend(connection: Connection, key: str, due: datetime) -> None:
    """Records that the PKI has the last request, decides later, and is not to be asked before `due`."""
    request = _last_open(connection, key)
    connection.execute(update(_request).where(_request.c.id == request), {"due_at": due})


def wait(connection: Connection, endpoint: str, until: datetime) -> None:
    """Records that this endpoint is not to be asked before `until`."""
    connection.execute(delete(_wait).where(_wait.c.endpoint == endpoint))
    connection.execute(insert(_wait), {"endpoint": endpoint, "until": until})


def waiting_until(connection: Connection, endpoint: str) -> datetime | None:
    """The time before which this endpoint is not to be asked, past or future; None if it has named none."""
    return connection.scalar(select(_wait.c.until).where(_wait.c.endpoint == endpoint))


def _answer(connection: Connection, key: str, outcome: str, reason: str | None, at: datetime) -> int:
    """The number of the last unanswered request for the key, now answered; `ValueError` if there is none."""
    request = _last_open(connection, key)
    values = {"outcome": outcome, "reason": reason, "answered_at": at, "due_at": None}
    _ANSWERED.run(connection, values | {"request": request})
    return request


def _last_open(connection: Connection, key: str) -> int:
    request = _LAST_OPEN.scalar(int, connection, {"of_key": key})
    if request is None:
        raise ValueError("an answer without a request")
    return request
