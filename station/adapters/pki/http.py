# SPDX-License-Identifier: Apache-2.0
"""A connection to an HTTP server of the PKI over mutual TLS: one exchange, bounded in size and time, and the meaning of its failure."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp
import structlog

from station.adapters.pki import secret_header, tls_words
from station.adapters.pki.answers import readable_in
from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.http_answer import FIRST_REFUSAL, MAX_ANSWER, MOVED, Answer, expanded, one_line
from station.adapters.pki.identity import IdentityFiles, Watched
from station.adapters.system import bounded, retry_after
from station.domain.issuance import EXPIRES_SOON
from station.faults import Fault, LineFault
from station.faults.line import (
    PKIAddressWrong,
    PKIAnswerInvalid,
    PKIAuthoritiesInvalid,
    PKIProtocolWrong,
    PKIRefusedStation,
    PKIUnavailable,
    PKIUntrusted,
)
from station.faults.resources import exhausted

# Shorter than servers keep an idle connection (5 s and more): a request must not meet the server's close.
KEPT_ALIVE = 4.0

MOST_MOVES = 2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Server:
    """A server of the PKI, the files by which it and the station know one another, and the limits of an exchange."""

    url: str
    files: IdentityFiles
    connect_within: float = 5.0
    reply_within: float = 10.0
    at_once: int = 8
    keep_alive: float = KEPT_ALIVE
    """Seconds for which an idle connection is kept; 0 closes each after its request."""

    @property
    def within(self) -> float:
        """Seconds for a whole exchange, however slowly its answer drips."""
        return self.connect_within + self.reply_within


@dataclass(frozen=True, slots=True)
class _TimeTold:
    """The server's time, and the monotonic time at which it arrived."""

    moment: datetime
    told: float

    def now(self) -> datetime:
        return self.moment + timedelta(seconds=time.monotonic() - self.told)


class _Pool:
    """The connections under one identity, and the number of requests on them."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.in_flight = 0


@dataclass(frozen=True, slots=True)
class _Request:
    """What is sent, wherever the server has it sent to."""

    method: str
    body: bytes | None
    headers: Mapping[str, str] | None


class Connection:
    """A server of the PKI, asked by this station alone."""

    def __init__(self, server: Server, watched: Watched, session: aiohttp.ClientSession | None = None) -> None:
        self.url = server.url.rstrip("/")
        self._server = server
        self._watched = watched
        self._pool = _Pool(session or _session(server, watched))
        self._turns = asyncio.Semaphore(server.at_once)
        self._told: _TimeTold | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, server: Server) -> AsyncIterator[Self]:
        """Opens a pool with a limited number of connections; raises PKIFileUnusable."""
        connection = cls(server, Watched(server.files))
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        """Ends all connections; requests still under way fail."""
        await self._pool.session.close()

    def time(self) -> datetime | None:
        """The present time by the PKI's clock, from the `Date` of its last answer that had one, whatever its status.

        None before the first.
        """
        return None if self._told is None else self._told.now()

    @property
    def has_certificate(self) -> bool:
        """Whether the station shows the server a certificate; where it does not, only a secret lets it in."""
        return self._server.files.certificate is not None

    @property
    def certificate_days(self) -> int:
        """Whole days until the station's certificate in use expires; negative afterwards."""
        return self._watched.days

    def look(self) -> int:
        """Warns in the log when the station's certificate in use expires soon; returns `certificate_days`."""
        days = self.certificate_days
        if days < EXPIRES_SOON:
            log.warning("pki.certificate_expiring", file=str(self._server.files.certificate), days=days)
        return days

    async def exchange(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Sends one request and returns the answer, whatever its status; `path` follows the URL and a slash.

        A redirection within the server's origin is followed. Raises NotNow, AnswerUnusable for a success that is beyond
        every bound, and faults of NOTHING_ISSUED, after which the server has not handled the request.
        """
        request, address = _Request(method, body, headers), f"{self.url}/{path}"
        async with self._turn(), self._leased() as session:
            answer = await self._sent(session, request, address)
            for _ in range(MOST_MOVES):
                moved = self._moved(address, answer)
                if moved is None:
                    break
                address = moved
                answer = await self._sent(session, request, address)
            return answer

    async def question(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Asks for the authorities or what the PKI wants, which changes nothing there; raises faults of the line only."""
        try:
            return await self.exchange("GET", path, headers=headers)
        except AnswerUnusable as exc:
            raise PKIAuthoritiesInvalid(self.url, exc.fault.reason) from exc
        except NotNow as exc:
            cut = isinstance(exc.__cause__, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError))
            # a server that refuses the client without a TLS alert closes the connection
            if cut and exc.outcome is Outcome.UNKNOWN:
                raise PKIRefusedStation(
                    self.url, "it closes the connection after this station has sent its certificate"
                ) from exc
            raise PKIUnavailable(self.url, exc.reason) from exc

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._server.within):
                await self._turns.acquire()
        except TimeoutError as exc:
            raise NotNow("no connection to the PKI became free", Outcome.NOTHING_ISSUED) from exc
        try:
            yield
        finally:
            self._turns.release()

    @asynccontextmanager
    async def _leased(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A session under the newest identity. An older one is closed after the last request on it.

        Raises PKIFileUnusable once the certificate has expired: a server that closes the connection for it would leave
        open whether it had the request.
        """
        if self._watched.taken_up():
            old, self._pool = self._pool, _Pool(_session(self._server, self._watched))
            if not old.in_flight:
                await old.session.close()
        self._watched.check()
        pool = self._pool
        pool.in_flight += 1
        try:
            yield pool.session
        finally:
            pool.in_flight -= 1
            if pool is not self._pool and not pool.in_flight:
                await pool.session.close()

    async def _sent(self, session: aiohttp.ClientSession, request: _Request, address: str) -> Answer:
        again = False
        while True:
            try:
                return await self._answer(session, request, address)
            except (aiohttp.ClientError, TimeoutError) as exc:
                if again or not _nothing_was_sent(exc):
                    raise await self._meaning(exc) from exc
            again = True  # the server closed an idle connection at the moment when it was taken from the pool

    async def _answer(self, session: aiohttp.ClientSession, request: _Request, address: str) -> Answer:
        async with session.request(
            request.method, address, data=request.body, headers=request.headers, allow_redirects=False
        ) as response:
            now = retry_after.moment(response.headers.get("Date"))
            if now is not None:
                self._told = _TimeTold(now, time.monotonic())
            after = retry_after.seconds(response.headers.get("Retry-After"), now or datetime.now(UTC))
            content = await bounded.beginning(response.content, MAX_ANSWER + 1)
            plain = expanded(content, response.headers.get("Content-Encoding", ""))
            known = self._hidden(plain[: MAX_ANSWER + 1])
            location = self._hidden(response.headers.get("Location", "").encode(errors="replace")).decode()
            if len(plain) > MAX_ANSWER and response.status < FIRST_REFUSAL:
                fault = PKIAnswerInvalid(self.url, f"more than {MAX_ANSWER} bytes")
                raise AnswerUnusable(fault, known[:MAX_ANSWER], readable_in(known[:MAX_ANSWER]))
            return Answer(response.status, after, known[:MAX_ANSWER], location)

    def _hidden(self, content: bytes) -> bytes:
        """What the server says, without the station's secrets."""
        return secret_header.hidden(content, self._watched.current.headers)

    def _moved(self, address: str, answer: Answer) -> str | None:
        """Where to send the request instead; None for an answer that stands, also for a move to another origin."""
        if answer.status not in MOVED or not answer.location:
            return None
        try:
            target = urljoin(address, answer.location)
            same = _origin(urlsplit(target)) == _origin(urlsplit(self.url))
        except ValueError:  # not a URL
            return None
        return target if same else None

    async def _meaning(self, exc: Exception) -> Fault | NotNow:
        if fault := exhausted(f"connect to {self.url}", exc):
            return fault
        # the library's message may repeat text that the server has sent
        text = (
            exc.message if isinstance(exc, aiohttp.ClientResponseError) else str(exc)
        )  # else "400, …", a status of its own
        reason = one_line(self._hidden(text.encode(errors="replace")).decode(errors="replace")) or type(exc).__name__
        if certain := await self._of_address_or_tls(exc, reason):
            return certain
        unsent = isinstance(exc, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)) or _nothing_was_sent(
            exc
        )
        return NotNow(reason, Outcome.NOTHING_ISSUED if unsent else Outcome.UNKNOWN)

    async def _of_address_or_tls(self, exc: Exception, reason: str) -> LineFault | None:
        """The fault of an exchange that failed before the server had the request, and will fail again."""
        if isinstance(exc, aiohttp.InvalidURL):
            return PKIAddressWrong(self.url, reason)
        if isinstance(exc, aiohttp.ClientConnectorCertificateError):
            return PKIUntrusted(self.url, f"{tls_words.mistake_in_certificate(exc)}: {reason}")
        error = tls_words.error_of(exc)
        if error in tls_words.REFUSALS:
            return PKIRefusedStation(self.url, f"{tls_words.REFUSALS[error]} ({error})")
        # Servers may refuse a version with an alert, or by closing the connection.
        if error in tls_words.NO_PROTOCOL or isinstance(exc.__cause__, ConnectionResetError):
            _, host, port = _origin(urlsplit(self.url))
            spoken = await tls_words.spoken_at(host, port, self._server.connect_within)
            why = tls_words.floor_missed(spoken, self._server.files.floor) or error
            return PKIProtocolWrong(self.url, why) if why else None
        return None


def _session(server: Server, watched: Watched) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        ssl=watched.current.context,
        limit=server.at_once,
        force_close=not server.keep_alive,
        keepalive_timeout=server.keep_alive or None,
    )
    timeout = aiohttp.ClientTimeout(
        total=server.within, sock_connect=server.connect_within, sock_read=server.reply_within
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", **watched.current.headers},
        auto_decompress=False,  # a few bytes may expand to gigabytes
    )


def _origin(url: SplitResult) -> tuple[str, str, int]:
    return url.scheme, url.hostname or "", url.port or 443


def _nothing_was_sent(exc: Exception) -> bool:
    # aiohttp sends headers and a body as small as ours in one piece, or raises this before it sends any of it.
    closed = aiohttp.ClientConnectionResetError
    return isinstance(exc, closed) or isinstance(exc.__cause__, closed)
