# SPDX-License-Identifier: Apache-2.0
"""One key's requests to the PKI: their order, pauses and deadline, and the record of what became of each."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog

from station.adapters.pki.doubt import Doubt
from station.adapters.pki.enroller import AnswerUnusable, Enroller, Issued, NotNow, Outcome
from station.adapters.pki.recovery import Recovery
from station.adapters.pki.waits import Limits, Waits, in_seconds, seconds_until
from station.domain.credentials import Credentials
from station.domain.issuance import MOST_UNANSWERED, KeyRecord
from station.domain.target import UID
from station.faults.line import NOTHING_ISSUED, CredentialsInvalid, PKIUnavailable
from station.faults.slot import PKIAnswerLost, PKIPending
from station.faults.unit import CSRRejected
from station.interfaces import IssuanceJournal, RefusedAnswer

# How often one board may meet each outcome in one attempt. For `Outcome.UNKNOWN` the ledger counts, over all attempts.
ENOUGH: Mapping[Outcome, int] = {Outcome.NOTHING_ISSUED: 6}

log = structlog.get_logger()


@dataclass(slots=True)
class _Board:
    """The board for which the requests are made."""

    key: str
    csr: bytes
    uid: UID
    due: datetime | None = None
    """The time before which the PKI does not want to be asked for it."""


class Requests:
    """Makes the requests of all boards, a limited number at once."""

    def __init__(
        self,
        enroller: Enroller,
        journal: IssuanceJournal,
        limits: Limits,
        doubt: Doubt,
        waits: Waits,
        recovery: Recovery,
    ) -> None:
        self._enroller = enroller
        self._journal = journal
        self._limits = limits
        self._doubt = doubt
        self._waits = waits
        self._recovery = recovery
        self._turns = asyncio.Semaphore(limits.at_once)
        self._closing = asyncio.Event()
        self.sent = 0
        """Requests that are at the PKI now."""
        self.answered: float | None = None
        """The monotonic time of the last answer to a request; None before the first."""

    def close(self) -> None:
        """Sends no further request; those that have been sent are not affected."""
        self._closing.set()

    async def answer(self, key: str, csr: bytes, uid: UID, record: KeyRecord) -> Issued | Credentials:
        """Asks until the PKI issues a certificate or a further try cannot help. `record`: what the ledger has of the key.

        Returns a new certificate, which nobody has checked; or the recorded credentials that a lost answer had brought.
        """
        board, within = _Board(key, csr, uid, record.asked.until), self._limits.answer_within
        try:
            async with asyncio.timeout(within) as scope, self._turns:
                return await self._asked(board, scope, lost=record.lost)
        except TimeoutError as exc:
            if (trouble := self._journal.trouble) is not None:
                raise trouble from exc  # the requests before it used up the time
            raise PKIUnavailable(self._enroller.url, f"no certificate within {within:g} s") from exc

    async def _asked(self, board: _Board, scope: asyncio.Timeout, *, lost: bool) -> Issued | Credentials:
        """See `answer`; `lost` is whether an answer may have been lost. The ledger and the search for one take no time of `scope`."""
        outcomes = Counter[Outcome]()
        while True:
            await self._await_turn(board, scope)
            if lost and (recovered := await self._recovered(board, scope)) is not None:
                return recovered
            self._doubt.check(board.key, board.csr, board.uid)
            async with _untimed(scope):
                unanswered = await self._journal.submitted(board.key, board.csr, board.uid)
            if unanswered:
                log.warning("dac.orphan_possible", key=board.key, requests=unanswered)
            try:
                return await self._exchanged(board, scope)
            except NotNow as exc:
                outcomes[exc.outcome] += 1
                pause = await self._consequence(board, exc, outcomes, unanswered + 1, scope)
                log.warning("retry.scheduled", key=board.key, reason=exc.reason, seconds=round(pause, 3))
            lost = True
            await self._pause(pause)

    async def _recovered(self, board: _Board, scope: asyncio.Timeout) -> Credentials | None:
        """What a lost answer had brought; one that is refused stops all further requests, as one that has arrived does."""
        try:
            async with _untimed(scope):
                return await self._recovery.credentials(board.key, board.csr)
        except CredentialsInvalid as fault:
            self._doubt.wrong(fault)
            raise

    async def _await_turn(self, board: _Board, scope: asyncio.Timeout) -> None:
        """Waits until the endpoint may be asked, and asked about this board; raises if that takes longer than the board may wait."""
        async with _untimed(scope):
            endpoint = await self._waits.left()
        if endpoint and _too_late(scope, endpoint):
            raise PKIUnavailable(self._enroller.url, f"it asked not to be asked for {endpoint:.0f} s more")
        if board.due is not None and _too_late(scope, seconds_until(board.due)):
            raise PKIPending(board.due.isoformat(timespec="seconds"))
        await self._pause(max(endpoint, seconds_until(board.due)))

    async def _exchanged(self, board: _Board, scope: asyncio.Timeout) -> Issued:
        """One request. Records its failure, unless it may be asked again."""
        self.sent += 1
        try:
            issued = await self._enroller.enroll(board.csr)
        except NotNow:
            raise
        except (CSRRejected, *NOTHING_ISSUED) as fault:
            async with _untimed(scope):
                await self._journal.record_rejected(board.key, str(fault))
            if isinstance(fault, CSRRejected):
                self._has_answered(board)
            raise
        except AnswerUnusable as exc:
            async with _untimed(scope):
                refused = RefusedAnswer(str(exc.fault), exc.content, exc.certificates)
                await self._journal.record_refused(board.key, refused)
            self._has_answered(board)
            self._doubt.wrong(exc.fault)
            raise exc.fault from exc
        except asyncio.CancelledError:
            self._doubt.lost(board.key)  # the time is up or the station ends: the PKI may still issue
            raise
        finally:
            self.sent -= 1
        self._has_answered(board)
        return issued

    def _has_answered(self, board: _Board) -> None:
        self.answered = time.monotonic()
        self._doubt.answered(board.key)

    async def _consequence(
        self, board: _Board, exc: NotNow, outcomes: Counter[Outcome], unanswered: int, scope: asyncio.Timeout
    ) -> float:
        """Records what became of the request. Returns the seconds until the next one, or raises if there is to be none."""
        if exc.outcome is Outcome.PENDING:
            return await self._pending(board, exc, outcomes[exc.outcome], scope)
        pause = self._limits.pause(outcomes.total(), exc.after)
        async with _untimed(scope):
            if exc.outcome is Outcome.NOTHING_ISSUED:
                await self._journal.record_rejected(board.key, exc.reason)
            if exc.after is not None:
                await self._waits.ask(pause)
        if exc.outcome is Outcome.UNKNOWN:
            self._doubt.lost(board.key)
            if unanswered >= MOST_UNANSWERED:
                raise PKIAnswerLost(str(board.uid), unanswered) from exc
        enough = self._doubt.trying == board.key or outcomes[exc.outcome] == ENOUGH.get(exc.outcome)
        if self._closing.is_set() or _too_late(scope, pause) or enough:
            raise PKIUnavailable(self._enroller.url, exc.reason) from exc
        return pause

    async def _pending(self, board: _Board, exc: NotNow, times: int, scope: asyncio.Timeout) -> float:
        self._has_answered(board)
        pause = self._limits.until_decided(times, exc.after)
        board.due = due = in_seconds(pause)
        async with _untimed(scope):
            await self._journal.record_pending(board.key, due)
        if self._closing.is_set() or _too_late(scope, pause):
            raise PKIPending(due.isoformat(timespec="seconds")) from exc
        return pause

    async def _pause(self, seconds: float) -> None:
        """Sleeps; raises `PKIUnavailable` as soon as the station stops."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return
        raise PKIUnavailable(self._enroller.url, "the station stops")


def _too_late(scope: asyncio.Timeout, pause: float) -> bool:
    return asyncio.get_running_loop().time() + pause >= (scope.when() or math.inf)


@asynccontextmanager
async def _untimed(scope: asyncio.Timeout) -> AsyncIterator[None]:
    """Suspends the deadline while the ledger writes, or a lost answer is looked for, whose questions have their own.

    A request that was cut off before its record is durable would later count as lost.
    """
    loop, deadline = asyncio.get_running_loop(), scope.when()
    began = loop.time()
    scope.reschedule(None)
    try:
        yield
    finally:
        scope.reschedule(None if deadline is None else deadline + loop.time() - began)
