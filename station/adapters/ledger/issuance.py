# SPDX-License-Identifier: Apache-2.0
"""Requests to the PKI and their answers, in SQL: units of work for the writer."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from station.adapters.ledger import tables
from station.domain.credentials import Credentials
from station.domain.target import UID
from station.faults.line import CredentialsInvalid
from station.faults.unit import KeyChanged, KeyShared

_request, _certificate = tables.pki_request, tables.certificate


def find(connection: Connection, key: str, uid: UID) -> Credentials | None:
    """The certificate issued for this key, if any. Raises `KeyShared` when another board has it."""
    query = select(_certificate.c.dac, _certificate.c.pai, _request.c.uid).join_from(_certificate, _request)
    row = connection.execute(query.where(_certificate.c.key == key)).first()
    if row is None:
        return None
    if row.uid != str(uid):
        raise KeyShared(key, row.uid)
    return Credentials(row.dac, row.pai)


def of_board(connection: Connection, uid: UID) -> Credentials | None:
    """The certificate issued last for this board, if any."""
    query = select(_certificate.c.dac, _certificate.c.pai).join_from(_certificate, _request)
    row = connection.execute(query.where(_request.c.uid == str(uid)).order_by(_request.c.id.desc())).first()
    return None if row is None else Credentials(row.dac, row.pai)


def submit(connection: Connection, key: str, csr: bytes, uid: UID, at: datetime) -> int:
    """Records one more request. Returns how many earlier requests for this key have no answer."""
    unanswered = select(func.count()).where(_request.c.key == key, _request.c.outcome.is_(None))
    count = connection.execute(unanswered).scalar_one()
    connection.execute(insert(_request), {"key": key, "uid": str(uid), "csr": csr, "submitted_at": at})
    return count


def issue(connection: Connection, key: str, credentials: Credentials, at: datetime) -> None:
    """Records the certificate that answers the last request.

    Raises `CredentialsInvalid` when its serial number is not new. Raises `KeyChanged` when the board has a certificate
    for another key, as happens if two boards show one UID at once. The request then stays unanswered, and is listed as
    an orphan.
    """
    asked = select(func.max(_request.c.id)).where(_request.c.key == key, _request.c.outcome.is_(None)).scalar_subquery()
    uid = select(_request.c.uid).where(_request.c.id == asked).scalar_subquery()
    other = select(_certificate.c.key).join_from(_certificate, _request).where(_request.c.uid == uid)
    if (there := connection.scalar(other.where(_certificate.c.key != key))) is not None:
        raise KeyChanged(key, there)
    _enter(connection, key, credentials, at)


def _enter(connection: Connection, key: str, credentials: Credentials, at: datetime) -> None:
    serial_number = credentials.dac_serial_number
    if connection.execute(select(_certificate.c.key).where(_certificate.c.dac_serial_number == serial_number)).first():
        raise CredentialsInvalid("RFC 5280 4.1.2.2", f"serial number {serial_number} was issued before")
    request = _answer(connection, key, "issued", None, at)
    connection.execute(
        insert(_certificate),
        {
            "key": key,
            "request_id": request,
            "dac_serial_number": serial_number,
            "dac": credentials.dac,
            "pai": credentials.pai,
            "issued_at": at,
        },
    )


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
        connection.execute(insert(_request), {"key": key, "uid": str(uid), "csr": b"", "submitted_at": at})
        _enter(connection, key, credentials, at)


def reject(connection: Connection, key: str, reason: str, at: datetime) -> None:
    """Records that the PKI refused the last request, and issued no certificate."""
    _answer(connection, key, "rejected", reason, at)


def _answer(connection: Connection, key: str, outcome: str, reason: str | None, at: datetime) -> int:
    """The number of the last unanswered request for the key, now answered; `ValueError` if there is none."""
    last = select(func.max(_request.c.id)).where(_request.c.key == key, _request.c.outcome.is_(None))
    request = connection.execute(last).scalar_one()
    if request is None:
        raise ValueError("an answer without a request")
    values = {"outcome": outcome, "reason": reason, "answered_at": at}
    connection.execute(update(_request).where(_request.c.id == request), values)
    return int(request)
