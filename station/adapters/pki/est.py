# SPDX-License-Identifier: Apache-2.0
"""Enrolment over EST (RFC 7030, updated by RFC 8951)."""

import base64
import binascii
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Self, TypedDict, Unpack

import aiohttp
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.tls import client_context
from station.domain.credentials import csr_key, key_name
from station.faults import Fault
from station.faults.line import PKIAnswerInvalid, PKIRefusedStation, PKIUnavailable, PKIUntrusted
from station.faults.resources import exhausted
from station.faults.unit import CSRRejected

# Shorter than servers keep an idle connection (5 s and more): a request must not meet the server's close.
KEPT_ALIVE = 4.0
MAX_ANSWER = 64 * 1024
REASON_LENGTH = 200
YEARS = range(1990, 9000)  # plausible years of an HTTP date; others are ignored

REJECTED = frozenset({400, 403, 409, 413, 422})  # statuses that refuse this request, whichever station sends it
NOT_PROCESSED = frozenset({408, 425, 429, 503})  # statuses that invite a repetition, by RFC 9110, 8470 and 6585

# OpenSSL's names of the TLS alerts with which a server refuses this client. With TLS 1.3 such an alert arrives after
# the client's handshake has succeeded; the server has not read the request.
REFUSALS = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of the server."""

    status: int
    after: float | None
    body: bytes

    @property
    def told(self) -> str:
        """Status and the beginning of the text, as evidence for a fault."""
        return _one_line(f"{self.status} {self.body.decode(errors='replace')}")

    def certificates(self) -> list[x509.Certificate]:
        """Reads certs-only CMS in base64, wrapped or not; ValueError if it is anything else."""
        try:
            return pkcs7.load_der_pkcs7_certificates(base64.b64decode(b"".join(self.body.split()), validate=True))
        except (binascii.Error, UnsupportedAlgorithm) as exc:
            raise ValueError(str(exc)) from exc


@dataclass(frozen=True, slots=True)
class _TimeTold:
    """The server's time, and the monotonic time at which it arrived."""

    moment: datetime
    told: float

    def now(self) -> datetime:
        return self.moment + timedelta(seconds=time.monotonic() - self.told)


class _Request(TypedDict, total=False):
    data: bytes
    headers: Mapping[str, str]


class ESTClient:
    """An EST server, asked as the registration authority of this station's boards."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.url = url
        self._session = session
        self._told: _TimeTold | None = None

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        url: str,
        *,
        ca: Path,
        certificate: Path,
        key: Path,
        connect_within: float = 5.0,
        reply_within: float = 10.0,
        at_once: int = 8,
    ) -> AsyncIterator[Self]:
        """Opens a client that keeps a limited number of connections; raises PKIFileUnusable."""
        connector = aiohttp.TCPConnector(
            ssl=client_context(ca, certificate, key), limit=at_once, keepalive_timeout=KEPT_ALIVE
        )
        timeout = aiohttp.ClientTimeout(
            total=connect_within + reply_within, sock_connect=connect_within, sock_read=reply_within
        )
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            yield cls(session, url)

    def time(self) -> datetime | None:
        """The present time by the PKI's clock, from the `Date` of its last answer that had one, whatever its status.

        None before the first.
        """
        return None if self._told is None else self._told.now()

    async def enroll(self, csr: bytes) -> bytes:
        """See `Enroller`: `simpleenroll` of RFC 7030, 4.2."""
        # Wrapped lines: some servers refuse a request that is one line, and none refuses this.
        headers = {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64"}
        answer = await self._exchange("POST", "simpleenroll", data=base64.encodebytes(csr), headers=headers)
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
        try:
            answer = await self._exchange("GET", "cacerts")
        except AnswerUnusable as exc:
            raise exc.fault from exc
        except NotNow as exc:
            cut = isinstance(exc.__cause__, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError))
            # a server that refuses the client without a TLS alert closes the connection
            if cut and exc.outcome is Outcome.UNKNOWN:
                raise PKIRefusedStation(
                    self.url, "it closes the connection after this station has sent its certificate"
                ) from exc
            raise PKIUnavailable(self.url, exc.reason) from exc
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
            return answer.certificates()
        except ValueError as exc:
            raise PKIAnswerInvalid(self.url, f"no certificates: {answer.told}") from exc

    async def _exchange(self, method: str, operation: str, **request: Unpack[_Request]) -> Answer:
        again = False
        while True:
            try:
                return await self._answer(method, operation, **request)
            except (aiohttp.ClientError, TimeoutError) as exc:
                if again or not _nothing_was_sent(exc):
                    raise self._meaning(exc) from exc
            again = True  # the server closed an idle connection at the moment when it was taken from the pool

    async def _answer(self, method: str, operation: str, **request: Unpack[_Request]) -> Answer:
        url = f"{self.url}/{operation}"
        async with self._session.request(method, url, allow_redirects=False, **request) as response:
            if (moment := _moment(response.headers.get("Date"))) is not None:
                self._told = _TimeTold(moment, time.monotonic())
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_ANSWER:
                    fault = PKIAnswerInvalid(self.url, f"more than {MAX_ANSWER} bytes")
                    raise AnswerUnusable(fault, bytes(body[:MAX_ANSWER]))
            return Answer(response.status, _seconds(response.headers.get("Retry-After")), bytes(body))

    def _meaning(self, exc: Exception) -> Fault | NotNow:
        if fault := exhausted(f"connect to {self.url}", exc):
            return fault
        # the library's message may repeat text that the server has sent
        reason = _one_line(str(exc)) or type(exc).__name__
        alert = exc.__cause__.reason if isinstance(exc.__cause__, ssl.SSLError) else None
        if isinstance(exc, aiohttp.ClientConnectorCertificateError):
            return PKIUntrusted(self.url, reason)
        if alert in REFUSALS:
            return PKIRefusedStation(self.url, alert)
        if isinstance(exc, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)) or _nothing_was_sent(exc):
            return NotNow(reason, Outcome.NOTHING_ISSUED)
        return NotNow(reason, Outcome.UNKNOWN)


def _one_line(text: str) -> str:
    kept = "".join(char for char in text if char.isprintable() or char.isspace())
    return " ".join(kept.split())[:REASON_LENGTH].rstrip()


def _nothing_was_sent(exc: Exception) -> bool:
    # aiohttp sends headers and a body as small as ours in one piece, or raises this before it sends any of it.
    closed = aiohttp.ClientConnectionResetError
    return isinstance(exc, closed) or isinstance(exc.__cause__, closed)


def _carries(certificate: x509.Certificate, key: str) -> bool:
    try:
        found = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(found, ec.EllipticCurvePublicKey) and key_name(found) == key


def _seconds(retry_after: str | None) -> float | None:
    """Reads Retry-After, a number of seconds or a date (RFC 9110, 10.2.3); None if it is neither."""
    if retry_after is None:
        return None
    if retry_after.isdecimal():
        return float(retry_after)
    moment = _moment(retry_after)
    return None if moment is None else max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _moment(date: str | None) -> datetime | None:
    """Reads an HTTP date (RFC 9110, 5.6.7) in a plausible year; None if it is not one."""
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment.year in YEARS else None
