# SPDX-License-Identifier: Apache-2.0
"""Enrolment over EST (RFC 7030, updated by RFC 8951)."""

import base64
import binascii
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.http import Answer, Connection
from station.domain.credentials import csr_key, key_name
from station.faults.line import PKIAnswerInvalid, PKIRefusedStation, PKIUnavailable
from station.faults.unit import CSRRejected

REJECTED = frozenset({400, 403, 409, 413, 422})  # statuses that refuse this request, whichever station sends it
NOT_PROCESSED = frozenset({408, 425, 429, 503})  # statuses that invite a repetition, by RFC 9110, 8470 and 6585


class ESTClient:
    """An EST server, asked as the registration authority of this station's boards."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.url = connection.url

    def time(self) -> datetime | None:
        """See `Provider`."""
        return self._connection.time()

    async def enroll(self, csr: bytes) -> bytes:
        """See `Enroller`: `simpleenroll` of RFC 7030, 4.2."""
        # Wrapped lines: some servers refuse a request that is one line, and none refuses this.
        headers = {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64"}
        answer = await self._connection.exchange("POST", "simpleenroll", body=base64.encodebytes(csr), headers=headers)
        match answer.status:
            case 200:
                return self._issued(answer, csr)
            case 202:
                raise NotNow("the PKI has not decided yet", Outcome.PENDING, answer.after)
            case status if status in NOT_PROCESSED:
                raise NotNow(answer.told, Outcome.NOTHING_ISSUED, answer.after)
            case status if status in REJECTED:
                raise CSRRejected(answer.told)
            case status if 400 <= status < 500:
                raise PKIRefusedStation(self.url, answer.told)
            case status if status >= 500:
                raise NotNow(answer.told, Outcome.UNKNOWN, answer.after)
        raise AnswerUnusable(PKIAnswerInvalid(self.url, answer.told), answer.body)

    async def issued_for(self, csr: bytes) -> None:
        """See `Enroller`: EST shows its list to no station."""

    async def authorities(self) -> list[x509.Certificate]:
        """See `Enroller`: `cacerts` of RFC 7030, 4.1, in no particular order."""
        answer = await self._connection.question("cacerts")
        if 400 <= answer.status < 500:
            raise PKIRefusedStation(self.url, answer.told)
        if answer.status != 200:
            raise PKIUnavailable(self.url, answer.told)
        return self._certificates(answer)

    def _issued(self, answer: Answer, csr: bytes) -> bytes:
        # By key, never by place: the certificates are a set, and some servers send their own along.
        key = csr_key(csr)
        try:
            certificates = self._certificates(answer)
        except PKIAnswerInvalid as exc:
            raise AnswerUnusable(exc, answer.body) from exc
        carrying = [each for each in certificates if _carries(each, key)]
        if len(carrying) != 1:
            fault = PKIAnswerInvalid(self.url, f"{len(carrying)} certificates for the key {key}")
            found = tuple(each.public_bytes(Encoding.DER) for each in certificates)
            raise AnswerUnusable(fault, answer.body, found)
        return carrying[0].public_bytes(Encoding.DER)

    def _certificates(self, answer: Answer) -> list[x509.Certificate]:
        try:
            return _certificates_in(answer.body)
        except ValueError as exc:
            raise PKIAnswerInvalid(self.url, f"no certificates: {answer.told}") from exc


def _certificates_in(body: bytes) -> list[x509.Certificate]:
    """Reads certs-only CMS in base64, wrapped or not; ValueError if it is anything else."""
    try:
        return pkcs7.load_der_pkcs7_certificates(base64.b64decode(b"".join(body.split()), validate=True))
    except (binascii.Error, UnsupportedAlgorithm) as exc:
        raise ValueError(str(exc)) from exc


def _carries(certificate: x509.Certificate, key: str) -> bool:
    try:
        found = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(found, ec.EllipticCurvePublicKey) and key_name(found) == key
