# SPDX-License-Identifier: Apache-2.0
"""The relay gets one DAC for one key, however often boards, operators and networks repeat the request.

It records every request before sending it, every answer before using it, and every certificate before handing it out.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from station.adapters.pki.doubt import Asker, Doubt
from station.adapters.pki.enroller import Enroller, Issued, NotNow
from station.adapters.pki.recovery import Check, Recovery
from station.adapters.pki.request import Requests
from station.adapters.pki.waits import Limits, Waits, seconds_until
from station.domain.credentials import Credentials, csr_key
from station.domain.issuance import Asked
from station.domain.target import UID
from station.faults import Fault
from station.faults.line import (
    NOTHING_ISSUED,
    CredentialsInvalid,
    PKIAuthorityWrong,
    PKIUnavailable,
)
from station.faults.slot import PKIAnswerLost, PKIParked, PKIPending
from station.faults.unit import KeyChanged, KeyShared
from station.interfaces import IssuanceJournal, RefusedAnswer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Flight:
    """A request under way, and the board whose key it carries."""

    uid: UID
    task: asyncio.Task[Credentials]


class Relay:
    """The PKI as a slot sees it (`Authority`)."""

    def __init__(
        self,
        enroller: Enroller,
        pai: bytes,
        journal: IssuanceJournal,
        limits: Limits,
        check: Check,
        *,
        parks: bool = False,
    ) -> None:
        self._enroller = enroller
        self._pai = pai
        self._journal = journal
        self._limits = limits
        self._check = check
        self._parks = parks
        self._flights: dict[str, _Flight] = {}
        self._news = asyncio.Condition()
        self._doubt = Doubt(enroller.url)
        self._waits = Waits(journal, enroller.url)
        recovery = Recovery(enroller, pai, journal, check)
        self._requests = Requests(enroller, journal, limits, self._doubt, self._waits, recovery)
        self._checked: float | None = None

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        enroller: Enroller,
        pai: bytes,
        journal: IssuanceJournal,
        limits: Limits | None = None,
        *,
        check: Check,
        parks: bool = False,
    ) -> AsyncIterator[Self]:
        """A relay that hands out DACs with the pinned PAI, DER.

        `parks`: while the PKI cannot be reached, the line goes on and boards are set aside. When the block ends, requests
        that have been sent are awaited for `reply_within`, and their answers are kept; no other is sent.
        """
        relay = cls(enroller, pai, journal, limits or Limits(), check, parks=parks)
        try:
            yield relay
        finally:
            await relay._close()

    @property
    def answered(self) -> float | None:
        """The monotonic time of the PKI's last answer; None before the first."""
        times = [at for at in (self._checked, self._requests.answered) if at is not None]
        return max(times, default=None)

    @property
    def in_flight(self) -> frozenset[str]:
        """The keys for which a certificate is being got."""
        return frozenset(self._flights)

    async def check(self) -> None:
        """Asks the PKI for its CA certificates, which changes nothing there. Raises the fault that keeps the line from working.

        If the PKI has failed a request, only the answer to one board's request proves that it works again; so one is made.
        """
        try:
            authorities = await self._authorities()
        except PKIUnavailable as fault:
            # A line that parks boards goes on without the PKI, unless it is the PKI's lost answers that pause it.
            if not self._parks or self._doubt.needs_a_request:
                raise
            log.warning("pki.absent", reason=str(fault))
            return
        self._checked = time.monotonic()
        if self._pai not in {each.public_bytes(Encoding.DER) for each in authorities}:
            expected = x509.load_der_x509_certificate(self._pai).subject.rfc4514_string()
            raise PKIAuthorityWrong(self._enroller.url, expected)
        if self._doubt.needs_a_request:
            await self._try_one()

    async def _authorities(self) -> list[x509.Certificate]:
        """The PKI's authorities. Raises `PKIUnavailable` without a question as long as the PKI has asked not to be asked."""
        if (left := await self._waits.left()) > 0:
            raise PKIUnavailable(self._enroller.url, f"it asked not to be asked for {left:.0f} s more")
        try:
            return await self._enroller.authorities()
        except NotNow as exc:
            if exc.after is not None:
                await self._waits.ask(self._limits.pause(1, exc.after))
            raise PKIUnavailable(self._enroller.url, exc.reason) from exc

    @property
    def waits_seconds(self) -> float:
        """For how long the PKI has asked not to be asked; 0 if it may be."""
        return self._waits.left_as_known

    async def forgive(self) -> None:
        """A person has looked at the PKI: it may be asked now, and the next request decides whether it works."""
        self._doubt.forgive()
        await self._waits.forgive()

    async def check_askable(self, uid: UID) -> None:
        """Raises `PKIAnswerLost` or `PKIPending` if the PKI must not be asked for this board now."""
        asked = await self._asked(uid)
        if asked.exhausted:
            raise PKIAnswerLost(str(uid), asked.unanswered)
        if asked.until is not None and seconds_until(asked.until) > 0:
            raise PKIPending(asked.until.isoformat(timespec="seconds"))

    async def askable(self, uid: UID) -> None:
        """Waits until `check_askable` passes: until the PKI's time has come, or a person has allowed another request."""
        async with self._news:
            while (asked := await self._asked(uid)).exhausted or seconds_until(asked.until) > 0:
                left = None if asked.exhausted else seconds_until(asked.until)
                with suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._news.wait()

    async def _asked(self, uid: UID) -> Asked:
        """What the PKI owes the board; nothing while a request is under way, which the board joins."""
        if any(flight.uid == uid for flight in self._flights.values()):
            return Asked()
        return await self._journal.asked(uid)

    async def asked_again(self) -> None:
        """A person has allowed another request for some board: the boards that wait for that look again."""
        async with self._news:
            self._news.notify_all()

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
        try:
            return await asyncio.shield(flight.task)
        except PKIUnavailable as fault:
            if self._parks:
                raise PKIParked(fault.url, fault.reason) from fault
            raise

    def _landed(self, key: str, flight: asyncio.Task[Credentials]) -> None:
        del self._flights[key]
        if not flight.cancelled() and (exc := flight.exception()):
            # A waiting board gets the fault, too; if no board waits any more, this log line is the only report.
            log.warning("dac.missed", key=key, reason=str(exc))

    async def _obtain(self, key: str, csr: bytes, uid: UID) -> Credentials:
        record = await self._journal.of_key(key, uid)
        if (known := record.credentials) is not None:
            log.info("dac.found", key=key, dac=known.dac_serial_number)
            return known
        try:
            answer = await self._requests.answer(key, csr, uid, record)
        except (PKIUnavailable, *NOTHING_ISSUED) as fault:
            if not self._parks:  # a line that parks boards is not paused, so nothing would end the doubt
                self._doubt.failed(fault, key, Asker(csr, uid))
            raise
        return answer if isinstance(answer, Credentials) else await self._accepted(key, csr, answer)

    async def _accepted(self, key: str, csr: bytes, issued: Issued) -> Credentials:
        """The credentials, checked and recorded as live; refused ones are recorded as refused, and stop all further requests.

        What the answer has besides under the same PAI is a certificate that no board has, and is recorded as surplus.
        """
        credentials, surplus = Credentials(issued.certificate, self._pai), _issued_under(self._pai, issued.others)
        try:
            self._check(csr, credentials)
            await self._journal.record_issued(key, credentials, surplus)
        except (CredentialsInvalid, KeyChanged) as fault:
            refused = RefusedAnswer(str(fault), issued.certificate, (issued.certificate, *surplus))
            await self._journal.record_refused(key, refused)
            if isinstance(fault, CredentialsInvalid):
                self._doubt.wrong(fault)
            raise
        log.info("dac.issued", key=key, dac=credentials.dac_serial_number)
        if surplus:
            log.warning("dac.surplus", key=key, surplus=len(surplus))
        return credentials

    async def _try_one(self) -> None:
        """Makes one request for a board that was held back; raises the fault that is in doubt unless the PKI answers it."""
        doubt = self._doubt
        for key, asker in list(doubt.askers.items()):
            if (await self._journal.asked(asker.uid)).exhausted:
                del doubt.askers[key]
                continue
            doubt.trying = key
            try:
                await self.issue_dac(asker.csr, asker.uid)
            except Fault as fault:
                log.info("pki.tried", key=key, reason=str(fault))
                break
            finally:
                doubt.trying = None
            doubt.askers.pop(key, None)  # it may have had its certificate already, which shows nothing
            if doubt.fault is None:
                break
        doubt.unless_asked()
        if (still := doubt.fault) is not None:
            raise still

    async def _close(self) -> None:
        """Awaits the answers to requests that have been sent; cancels what has not been sent, and at last what has."""
        self._requests.close()
        tasks = {flight.task for flight in self._flights.values()}
        if tasks:
            log.info("pki.awaited", requests=self._requests.sent)
            await asyncio.wait(tasks, timeout=self._limits.reply_within)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _issued_under(pai: bytes, others: Sequence[bytes]) -> tuple[bytes, ...]:
    """Those that name this PAI as their issuer, as no authority and no server of the PKI's own does."""
    if not others:
        return ()
    subject, found = x509.load_der_x509_certificate(pai).subject, list[bytes]()
    for der in others:
        with suppress(ValueError, UnsupportedAlgorithm):
            if x509.load_der_x509_certificate(der).issuer == subject:
                found.append(der)
    return tuple(found)
