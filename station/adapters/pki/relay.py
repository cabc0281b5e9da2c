# SPDX-License-Identifier: Apache-2.0
"""The relay gets one DAC for one key, however often boards, operators and networks repeat the request.

It records every request before sending it, and every certificate before handing it out.
"""

import asyncio
import math
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from station.adapters.pki.enroller import AnswerUnusable, Enroller, NotNow, Outcome
from station.domain.credentials import Credentials, csr_key
from station.domain.target import UID
from station.faults.line import (
    PKIAuthorityWrong,
    PKIRefusedStation,
    PKIUnavailable,
    PKIUntrusted,
    ResourcesExhausted,
)
from station.faults.unit import CSRRejected, KeyShared
from station.interfaces import IssuanceJournal

# How often one board may meet each outcome. After a lost answer, each further request may buy one more certificate.
ENOUGH: Mapping[Outcome, int] = {Outcome.NOTHING_ISSUED: 6, Outcome.UNKNOWN: 2}

log = structlog.get_logger()
_random = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, and how many requests may be at the PKI at once."""

    answer_within: float = 30.0
    """One board's whole wait: for its turn at the PKI, for every request, and for the pauses between requests."""
    first_pause: float = 0.25
    longest_pause: float = 8.0
    at_once: int = 8

    def pause(self, asked: int, after: float | None) -> float:
        """Seconds until the next try: as the PKI asked, else a random time up to a limit that doubles each time."""
        if after is not None:
            return after * _random.uniform(1.0, 1.1)
        return _random.uniform(0.0, min(self.longest_pause, self.first_pause * 2.0 ** (asked - 1)))


@dataclass(frozen=True, slots=True)
class _Flight:
    """A request under way, and the board whose key it carries."""

    uid: UID
    task: asyncio.Task[Credentials]


class Relay:
    """The PKI as a slot sees it (`Authority`)."""

    def __init__(self, enroller: Enroller, pai: bytes, journal: IssuanceJournal, limits: Limits) -> None:
        self._enroller = enroller
        self._pai = pai
        self._journal = journal
        self._limits = limits
        self._turns = asyncio.Semaphore(limits.at_once)
        self._flights: dict[str, _Flight] = {}
        self.answered: float | None = None
        """The monotonic time of the last certificate or list of authorities; None before the first."""

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, enroller: Enroller, pai: bytes, journal: IssuanceJournal, limits: Limits | None = None
    ) -> AsyncIterator[Self]:
        """A relay that hands out DACs with the pinned PAI, DER.

        Requests still under way when the block ends are cancelled.
        """
        relay = cls(enroller, pai, journal, limits or Limits())
        try:
            yield relay
        finally:
            tasks = [flight.task for flight in relay._flights.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _enrolled(self, csr: bytes) -> bytes:
        issued = await self._enroller.enroll(csr)
        self.answered = time.monotonic()
        return issued

    async def check(self) -> None:
        """Fetches the PKI's CA certificates, which changes nothing there.

        Raises the fault that keeps the line from working.
        """
        authorities = await self._enroller.authorities()
        self.answered = time.monotonic()
        if self._pai not in {each.public_bytes(Encoding.DER) for each in authorities}:
            expected = x509.load_der_x509_certificate(self._pai).subject.rfc4514_string()
            raise PKIAuthorityWrong(self._enroller.url, expected)

    async def issue_dac(self, csr: bytes, uid: UID) -> Credentials:
        """DAC and PAI for the key in the request, which has been checked.

        The same key of the same board gets the same DAC. Raises `KeyShared` when another board has the key, or is about
        to get a DAC for it.
        """
        key = csr_key(csr)
        flight = self._flights.get(key)
        if flight is None:
            # A bare task and a shield, because a request outlives the board that asked: when the board is pulled, the
            # answer is awaited all the same and written down, so that no certificate is lost; and the next attempt
            # with the same key joins it, instead of buying another.
            task = asyncio.create_task(self._obtain(key, csr, uid), name=f"relay {key[:8]}")
            task.add_done_callback(lambda ended: self._landed(key, ended))
            flight = self._flights[key] = _Flight(uid, task)
        if flight.uid != uid:  # two boards with one key, such as a stuck random source makes
            raise KeyShared(key, str(flight.uid))
        return await asyncio.shield(flight.task)

    def _landed(self, key: str, flight: asyncio.Task[Credentials]) -> None:
        del self._flights[key]
        if not flight.cancelled() and (exc := flight.exception()):
            # A waiting board gets the fault, too; if no board waits any more, this log line is the only report.
            log.warning("dac.missed", key=key, reason=str(exc))

    async def _obtain(self, key: str, csr: bytes, uid: UID) -> Credentials:
        known = await self._journal.issued(key, uid)
        if known is not None:
            log.info("dac.found", key=key, dac=known.dac_serial_number)
            return known
        credentials = Credentials(await self._request_in_time(key, csr, uid), self._pai)
        await self._journal.record_issued(key, credentials)
        log.info("dac.issued", key=key, dac=credentials.dac_serial_number)
        return credentials

    async def _request_in_time(self, key: str, csr: bytes, uid: UID) -> bytes:
        within = self._limits.answer_within
        try:
            async with asyncio.timeout(within) as scope, self._turns:
                return await self._request(key, csr, uid, scope)
        except TimeoutError as exc:
            if (trouble := self._journal.trouble) is not None:
                raise trouble from exc  # the requests before it used up the time
            raise PKIUnavailable(self._enroller.url, f"no certificate within {within:g} s") from exc

    async def _request(self, key: str, csr: bytes, uid: UID, scope: asyncio.Timeout) -> bytes:
        """Asks until the PKI issues a certificate or a further try cannot help.

        Writing to the ledger takes no time of `scope`.
        """
        outcomes = Counter[Outcome]()
        outcome = Outcome.NOTHING_ISSUED
        while True:
            if outcome is not Outcome.PENDING:
                async with _untimed(scope):
                    await self._write_down(key, csr, uid)
            try:
                return await self._enrolled(csr)
            except (CSRRejected, PKIRefusedStation, PKIUntrusted, ResourcesExhausted) as fault:
                async with _untimed(scope):
                    await self._journal.record_rejected(key, str(fault))
                raise
            except AnswerUnusable as exc:
                raise exc.fault from exc
            except NotNow as exc:
                outcome = exc.outcome
                outcomes[outcome] += 1
                if outcome is Outcome.NOTHING_ISSUED:
                    async with _untimed(scope):
                        await self._journal.record_rejected(key, exc.reason)
                pause = self._limits.pause(outcomes.total(), exc.after)
                too_late = asyncio.get_running_loop().time() + pause >= (scope.when() or math.inf)
                if too_late or outcomes[outcome] == ENOUGH.get(outcome):
                    raise PKIUnavailable(self._enroller.url, exc.reason) from exc
                log.warning("retry.scheduled", key=key, reason=exc.reason, seconds=round(pause, 3))
            await asyncio.sleep(pause)

    async def _write_down(self, key: str, csr: bytes, uid: UID) -> None:
        unanswered = await self._journal.submitted(key, csr, uid)
        if unanswered:
            log.warning("dac.orphan_possible", key=key, requests=unanswered)


@asynccontextmanager
async def _untimed(scope: asyncio.Timeout) -> AsyncIterator[None]:
    """Suspends the deadline while the ledger writes.

    A request that was cut off before its record is durable would later count as lost.
    """
    loop, deadline = asyncio.get_running_loop(), scope.when()
    began = loop.time()
    scope.reschedule(None)
    try:
        yield
    finally:
        scope.reschedule(None if deadline is None else deadline + loop.time() - began)
