# SPDX-License-Identifier: Apache-2.0
"""A connection to an HTTP server of the PKI over mutual TLS: one exchange, bounded in size and time, and the meaning of its failure."""

import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import aiohttp

from station.adapters.pki import retry_after
from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.tls import client_context
from station.faults import Fault
from station.faults.line import PKIAnswerInvalid, PKIRefusedStation, PKIUnavailable, PKIUntrusted
from station.faults.resources import exhausted

# Shorter than servers keep an idle connection (5 s and more): a request must not meet the server's close.
KEPT_ALIVE = 4.0
MAX_ANSWER = 64 * 1024
REASON_LENGTH = 200

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
class Server:
    """A server of the PKI, the files by which it and the station know one another, and the limits of an exchange."""

    url: str
    ca: Path
    certificate: Path
    key: Path
    connect_within: float = 5.0
    reply_within: float = 10.0
    at_once: int = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of the server."""

    status: int
    after: float | None
    """Seconds that it asks to wait."""
    body: bytes

    @property
    def told(self) -> str:
        """Status and the beginning of the text, as evidence for a fault."""
        return one_line(f"{self.status} {self.body.decode(errors='replace')}")


@dataclass(frozen=True, slots=True)
class _TimeTold:
    """The server's time, and the monotonic time at which it arrived."""

    moment: datetime
    told: float

    def now(self) -> datetime:
        return self.moment + timedelta(seconds=time.monotonic() - self.told)


class Connection:
    """A server of the PKI, asked by this station alone."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.url = url
        self._session = session
        self._told: _TimeTold | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, server: Server) -> AsyncIterator[Self]:
        """Opens a pool with a limited number of connections; raises PKIFileUnusable."""
        context = client_context(server.ca, server.certificate, server.key)
        connector = aiohttp.TCPConnector(ssl=context, limit=server.at_once, keepalive_timeout=KEPT_ALIVE)
        timeout = aiohttp.ClientTimeout(
            total=server.connect_within + server.reply_within,
            sock_connect=server.connect_within,
            sock_read=server.reply_within,
        )
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            yield cls(session, server.url)

    def time(self) -> datetime | None:
        """The present time by the PKI's clock, from the `Date` of its last answer that had one, whatever its status.

        None before the first.
        """
        return None if self._told is None else self._told.now()

    async def exchange(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Sends one request and returns the whole answer, whatever its status; `path` follows the URL and a slash.

        Raises NotNow, AnswerUnusable for an answer beyond every bound, PKIUntrusted, PKIRefusedStation and
        ResourcesExhausted. After these three the server has not had the request.
        """
        again = False
        while True:
            try:
                return await self._answer(method, path, body, headers)
            except (aiohttp.ClientError, TimeoutError) as exc:
                if again or not _nothing_was_sent(exc):
                    raise self._meaning(exc) from exc
            again = True  # the server closed an idle connection at the moment when it was taken from the pool

    async def question(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Sends a request that changes nothing at the PKI, and returns its answer; raises faults of the line only."""
        try:
            return await self.exchange("GET", path, headers=headers)
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

    async def _answer(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> Answer:
        url = f"{self.url}/{path}"
        async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
            now = retry_after.moment(response.headers.get("Date"))
            if now is not None:
                self._told = _TimeTold(now, time.monotonic())
            after = retry_after.seconds(response.headers.get("Retry-After"), now or datetime.now(UTC))
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > MAX_ANSWER:
                    fault = PKIAnswerInvalid(self.url, f"more than {MAX_ANSWER} bytes")
                    raise AnswerUnusable(fault, bytes(content[:MAX_ANSWER]))
            return Answer(response.status, after, bytes(content))

    def _meaning(self, exc: Exception) -> Fault | NotNow:
        if fault := exhausted(f"connect to {self.url}", exc):
            return fault
        # the library's message may repeat text that the server has sent
        reason = one_line(str(exc)) or type(exc).__name__
        alert = exc.__cause__.reason if isinstance(exc.__cause__, ssl.SSLError) else None
        if isinstance(exc, aiohttp.ClientConnectorCertificateError):
            return PKIUntrusted(self.url, reason)
        if alert in REFUSALS:
            return PKIRefusedStation(self.url, alert)
        if isinstance(exc, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)) or _nothing_was_sent(exc):
            return NotNow(reason, Outcome.NOTHING_ISSUED)
        return NotNow(reason, Outcome.UNKNOWN)


def one_line(text: str) -> str:
    """Text of a server, in one line without control characters, cut to a length that a fault can show."""
    kept = "".join(char for char in text if char.isprintable() or char.isspace())
    return " ".join(kept.split())[:REASON_LENGTH].rstrip()


def _nothing_was_sent(exc: Exception) -> bool:
    # aiohttp sends headers and a body as small as ours in one piece, or raises this before it sends any of it.
    closed = aiohttp.ClientConnectionResetError
    return isinstance(exc, closed) or isinstance(exc.__cause__, closed)
