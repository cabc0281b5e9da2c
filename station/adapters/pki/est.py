# SPDX-License-Identifier: Apache-2.0
"""Enrolment over EST (RFC 7030, updated by RFC 8951)."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Literal

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from station.adapters.pki import answers, csr_attributes
from station.adapters.pki.answers import NoCertificates
from station.adapters.pki.ber import BERInvalid
from station.adapters.pki.enroller import AnswerUnusable, Issued, NotNow, Outcome
from station.adapters.pki.http import Connection
from station.adapters.pki.http_answer import FIRST_REFUSAL, Answer, refusal_of_station, refused_question
from station.domain.credentials import csr_key
from station.faults import LineFault
from station.faults.line import PKIAnswerInvalid, PKIAuthoritiesInvalid
from station.faults.unit import CSRRejected

OK = HTTPStatus.OK
ISSUED = frozenset({200, 201})
REJECTED = frozenset({400, 409, 413, 422})  # statuses that refuse this request, whichever station sends it

# Statuses that invite a repetition. 408, 425, 429 and 503 mean by RFC 9110, 8470 and 6585 that the request was not
# handled, 204 and 205 that there is nothing to hand out; 202 means that it will be handled (RFC 7030, 4.2.3).
NOT_PROCESSED = {
    202: Outcome.PENDING,
    **dict.fromkeys((204, 205, 408, 425, 429, 503), Outcome.NOTHING_ISSUED),
}

Form = Literal["base64", "single-line", "pem", "der"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Manner:
    """The form of requests, and what is believed about the authorities."""

    form: Form = "base64"
    """`base64` has lines of 76 characters: some servers refuse one line, and none refuses this."""
    content_type: str = "application/pkcs10"
    pinned: x509.Certificate | None = None
    """The authority that issues, where the server's own list is not to be compared with it."""

    def body(self, csr: bytes) -> bytes:
        match self.form:
            case "base64":
                return base64.encodebytes(csr)
            case "single-line":
                return base64.b64encode(csr)
            case "pem":
                lines = base64.encodebytes(csr)
                return b"-----BEGIN CERTIFICATE REQUEST-----\n" + lines + b"-----END CERTIFICATE REQUEST-----\n"
            case "der":
                return csr

    @property
    def headers(self) -> dict[str, str]:
        transfer = {"Content-Transfer-Encoding": "base64"} if self.form in {"base64", "single-line"} else {}
        return {"Content-Type": self.content_type, **transfer}


class ESTClient:
    """An EST server, asked as the registration authority of this station's boards."""

    def __init__(self, connection: Connection, manner: Manner | None = None) -> None:
        self._connection = connection
        self._manner = manner or Manner()
        self.url = connection.url
        self.lacks: tuple[str, ...] | None = None
        """What the server wants of requests and boards' requests do not have; None until it was asked."""

    def time(self) -> datetime | None:
        """See `Provider`."""
        return self._connection.time()

    @property
    def certificate_days(self) -> int:
        """See `Provider`."""
        return self._connection.certificate_days

    def look(self) -> int:
        """See `Provider`."""
        return self._connection.look()

    async def enroll(self, csr: bytes) -> Issued:
        """See `Enroller`: `simpleenroll` of RFC 7030, 4.2."""
        answer = await self._connection.exchange(
            "POST", "simpleenroll", body=self._manner.body(csr), headers=self._manner.headers
        )
        if answer.status in ISSUED:
            return self._issued(answer, csr)
        raise self._refusal(answer)

    async def issued_for(self, csr: bytes) -> None:
        """See `Enroller`: EST shows its list to no station."""

    async def authorities(self) -> list[x509.Certificate]:
        """See `Enroller`: `cacerts` of RFC 7030, 4.1, in no particular order."""
        answer = await self._connection.question("cacerts")
        if answer.status not in ISSUED:
            if answer.status in NOT_PROCESSED and answer.after is not None:
                raise NotNow(answer.told, Outcome.NOTHING_ISSUED, answer.after)
            raise refused_question(self.url, answer)
        if self.lacks is None:
            self.lacks = await self._lacking()
        if self._manner.pinned is not None:
            return [self._manner.pinned]
        try:
            return list(_loaded(answers.certificates_in(answer.body)))
        except NoCertificates as exc:
            raise PKIAuthoritiesInvalid(self.url, _instead(answer, str(exc))) from exc

    async def _lacking(self) -> tuple[str, ...]:
        """Asks once for `csrattrs` of RFC 7030, 4.5, and warns of what boards' requests lack.

        Only a warning: servers list what they can make use of, too, and the answer to a request decides.
        """
        try:
            answer = await self._connection.question("csrattrs")
            lacks = csr_attributes.lacking(answers.decoded(answer.body)) if answer.status == OK and answer.body else []
        except (LineFault, NoCertificates, BERInvalid) as exc:
            log.info("pki.csrattrs_unreadable", reason=str(exc))
            return ()
        if lacks:
            log.warning("pki.request_lacks", reason=", ".join(lacks))
        return tuple(lacks)

    def _refusal(self, answer: Answer) -> Exception:
        """What an answer without a certificate says about this request."""
        if answer.status in NOT_PROCESSED:
            outcome = NOT_PROCESSED[answer.status]
            told = "the PKI has not decided yet" if outcome is Outcome.PENDING else answer.told
            return NotNow(told, outcome, answer.after)
        if answer.status in REJECTED:
            lacks = f"; it wants {', '.join(self.lacks)}" if self.lacks else ""
            return CSRRejected(answer.told + lacks)
        if fault := refusal_of_station(self.url, answer):
            return fault
        if answer.status < FIRST_REFUSAL:
            unusable = PKIAnswerInvalid(self.url, _instead(answer, answers.found(answer.body)))
            return AnswerUnusable(unusable, answer.body, answers.readable_in(answer.body))
        # A server may fail after it has issued: libest answers 500 to any failure of its CA, and a proxy cannot know
        # what the server behind it did before the connection broke (502) or became too slow (504). Only 503 says that
        # the request was not handled. 303 says that it was.
        return NotNow(answer.told, Outcome.UNKNOWN, answer.after)

    def _issued(self, answer: Answer, csr: bytes) -> Issued:
        try:
            certificates = answers.certificates_in(answer.body)
        except NoCertificates as exc:
            fault = PKIAnswerInvalid(self.url, _instead(answer, str(exc)))
            raise AnswerUnusable(fault, answer.body, answers.readable_in(answer.body)) from exc
        # By key, never by place: the certificates are a set, and some servers send their own along.
        key = csr_key(csr)
        carrying = [each for each in certificates if answers.key_of(each) == key]
        if len(carrying) == 1 and list(_loaded(carrying)):
            return Issued(carrying[0], tuple(each for each in certificates if each not in carrying))
        what = f"found {_counted(certificates, carrying)}, expected one for the key {key}"
        raise AnswerUnusable(PKIAnswerInvalid(self.url, what), answer.body, tuple(certificates))


def _instead(answer: Answer, found: str) -> str:
    return f"found {found}, expected certificates: {answer.told}"


def _counted(certificates: list[bytes], carrying: list[bytes]) -> str:
    if len(carrying) == 1:
        return "a certificate for the key that cannot be read"
    if carrying:
        return f"{len(carrying)} certificates for the key"
    keys = ", ".join(answers.key_of(each)[:16] for each in certificates[:3])
    return f"{len(certificates)} certificate{'s' * (len(certificates) > 1)} for other keys ({keys}, …)"


def _loaded(certificates: list[bytes]) -> Iterator[x509.Certificate]:
    """The certificates that the library can read."""
    for der in certificates:
        try:
            yield x509.load_der_x509_certificate(der)
        except (ValueError, UnsupportedAlgorithm):
            continue
