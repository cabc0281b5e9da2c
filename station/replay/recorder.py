# SPDX-License-Identifier: Apache-2.0
"""Records attempts: stands in front of journal, PKI, MES and partner, passes everything on, and tells the attempt's tape.

A recording is written after the verdict is durable. What cannot be recorded is lost; it stops no board.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog

from station.adapters.system.recordings import Recordings
from station.domain.attempt import Attempt, Phase, Record, RouteChecked, UnitIdentified, Verdict
from station.domain.credentials import Credentials
from station.domain.identity import Draft, Identity
from station.domain.past import Past
from station.domain.target import UID, Target
from station.domain.work_order import Traced
from station.faults import Fault
from station.interfaces import AttemptJournal, Authority, Partner, Route
from station.replay.entries import (
    base64_of,
    credentials_entry,
    event_entry,
    fault_entry,
    identity_entry,
    past_entry,
)
from station.replay.tape import Tape, with_identity

T = TypeVar("T")

log = structlog.get_logger()


class Recorder:
    """The tapes of the attempts at work, by attempt and by board."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings
        self._tapes: dict[int, Tape] = {}
        self._boards: dict[UID, Tape] = {}

    def journal(self, journal: AttemptJournal, tape: Tape) -> AttemptJournal:
        """The attempt's journal, recorded from now on, until its verdict."""
        self._tapes[tape.number] = tape
        return RecordedJournal(journal, tape, self)

    def tape(self, attempt: int) -> Tape | None:
        return self._tapes.get(attempt)

    def of_board(self, uid: UID) -> Tape | None:
        return self._boards.get(uid)

    def identified(self, uid: UID, tape: Tape) -> None:
        self._boards[uid] = tape

    def ended(self, tape: Tape) -> None:
        """Writes the recording. An error of ours in it costs the recording alone."""
        self._tapes.pop(tape.number, None)
        self._boards = {uid: other for uid, other in self._boards.items() if other is not tape}
        try:
            self._recordings.keep(tape.number, tape.entries())
        except Exception as exc:  # noqa: BLE001  a board has its verdict, whatever its recording is worth
            self._recordings.lost += 1
            log.warning("recording.lost", file=None, reason=type(exc).__name__, lost=self._recordings.lost)


async def _answered(tape: Tape, question: str, asked: Awaitable[T], told: Callable[[T], object]) -> T:
    """The answer, which the tape gets as JSON, or the fault that is raised instead."""
    try:
        answer = await asked
    except Fault as fault:
        tape.told("answer", question=question, **fault_entry(fault))
        raise
    tape.told("answer", question=question, answer=told(answer))
    return answer


def _as_it_is(answer: object) -> object:
    return answer


class RecordedJournal:
    """An attempt in the ledger (`interfaces.AttemptJournal`)."""

    def __init__(self, journal: AttemptJournal, tape: Tape, recorder: Recorder) -> None:
        self._journal = journal
        self._tape = tape
        self._recorder = recorder

    @property
    def number(self) -> int:
        return self._journal.number

    @property
    def traced(self) -> Traced:
        return self._journal.traced

    @property
    def attempt(self) -> Attempt:
        return self._journal.attempt

    @asynccontextmanager
    async def step(self, phase: Phase, *intents: Record) -> AsyncIterator[None]:
        self._tape.told("step", step=phase.value)
        for event in intents:
            self._tape.told("event", **event_entry(event))
        try:
            async with self._journal.step(phase, *intents):
                yield
                self._tape.told("step_ended", step=phase.value)
        except asyncio.CancelledError:
            self._tape.cancelled()
            raise

    async def record(self, event: Record) -> None:
        self._tape.told("event", **event_entry(event))
        if isinstance(event, UnitIdentified):
            self._recorder.identified(event.uid, self._tape)
        try:
            await self._journal.record(event)
        except asyncio.CancelledError:
            self._tape.cancelled()
            raise

    async def finish(self, verdict: Verdict) -> None:
        self._tape.told("verdict", **event_entry(verdict))
        try:
            await self._journal.finish(verdict)
        finally:
            self._recorder.ended(self._tape)

    async def past_of(self, uid: UID) -> Past:
        return await _answered(self._tape, "past_of", self._journal.past_of(uid), past_entry)

    async def find_identity(self, uid: UID) -> Identity | None:
        found = await _answered(self._tape, "find_identity", self._journal.find_identity(uid), identity_entry)
        with_identity(self._tape, found)
        return found

    async def reserve_identity(self, draft: Draft) -> Identity:
        made = await _answered(self._tape, "reserve_identity", self._journal.reserve_identity(draft), identity_entry)
        with_identity(self._tape, made)
        return made

    async def sample_identity(self, draft: Draft) -> Identity:
        made = await _answered(self._tape, "sample_identity", self._journal.sample_identity(draft), identity_entry)
        with_identity(self._tape, made)
        return made

    async def claim(self, target: Target) -> bool:
        return await _answered(self._tape, "claim", self._journal.claim(target), _as_it_is)

    async def adopt(self, credentials: Credentials, uid: UID) -> None:
        await _answered(self._tape, "adopt", self._journal.adopt(credentials, uid), _as_it_is)


class RecordedAuthority:
    """The PKI (`interfaces.Authority`), for boards whose attempts are recorded."""

    def __init__(self, authority: Authority, recorder: Recorder) -> None:
        self._authority = authority
        self._recorder = recorder

    async def check_askable(self, uid: UID) -> None:
        tape, asked = self._recorder.of_board(uid), self._authority.check_askable(uid)
        await (asked if tape is None else _answered(tape, "check_askable", asked, _as_it_is))

    async def askable(self, uid: UID) -> None:
        await self._authority.askable(uid)

    async def issue_dac(self, csr: bytes, uid: UID) -> Credentials:
        tape, asked = self._recorder.of_board(uid), self._authority.issue_dac(csr, uid)
        if tape is None:
            return await asked
        tape.told("request", csr=base64_of(csr))
        return await _answered(tape, "issue_dac", asked, credentials_entry)


class RecordedRoute:
    """The MES (`interfaces.Route`)."""

    def __init__(self, route: Route, recorder: Recorder) -> None:
        self._route = route
        self._recorder = recorder

    async def check(self, uid: UID, serial_number: str | None) -> RouteChecked:
        tape, asked = self._recorder.of_board(uid), self._route.check(uid, serial_number)
        return await (asked if tape is None else _answered(tape, "route", asked, event_entry))


class RecordedPartner:
    """A partner's script or ST's firmware (`interfaces.Partner`)."""

    def __init__(self, partner: Partner, tape: Tape) -> None:
        self._partner = partner
        self._tape = tape

    async def deliver(self) -> None:
        await _answered(self._tape, "deliver", self._partner.deliver(), _as_it_is)
