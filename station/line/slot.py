# SPDX-License-Identifier: Apache-2.0
"""One slot of the fixture: judges each board that is plugged in, and goes out of service after a fault of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from station.domain import policy
from station.domain.attempt import (
    STATION_STOPPED,
    VERDICTS,
    Attempt,
    Failed,
    Passed,
    Phase,
    ProcedureName,
    Verdict,
    Voided,
)
from station.domain.intervention import Intervention
from station.domain.policy import consequence, counts_against_equipment
from station.domain.samples import Expected
from station.domain.target import UID, Target
from station.domain.work_order import Traced
from station.faults import Fault, LineFault, SlotFault, UnitFault
from station.faults.resources import exhausted
from station.faults.slot import (
    BoardAsleep,
    BoardRemoved,
    PKIAnswerLost,
    PKIPending,
    SlotHeld,
    SlotSuspected,
    StationBug,
)
from station.faults.unit import OperationalSilent
from station.interfaces import AttemptJournal, AttemptLedger, Authority, Bench, BoardArrived, Route
from station.line.canonical import finished
from station.line.line import Line
from station.line.samples import Samples
from station.line.states import (
    Abandoned,
    Empty,
    InService,
    Judged,
    OnTrial,
    Outcome,
    OutOfService,
    Recording,
    Running,
    Service,
    SlotState,
    State,
    Taken,
    left_at_relay,
    shown,
    with_board,
)
from station.line.visits import AnnouncedAttempt, Visit
from station.procedure.certificates import NoneForSamples
from station.procedure.job import Job
from station.procedure.whole import carry_out
from station.procedure.without_pki import reconfigure
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()

VOIDED_WITHIN = 2.0  # seconds that a stopping station waits for its ledger
DEPARTURE_TOLD_WITHIN = (
    0.5  # a serial port hangs up a little before the operating system reports that the board has left
)


class Slot:
    """Judges one board after another. The daemon runs `run` as one task per slot."""

    def __init__(
        self,
        name: str,
        line: Line,
        recipe: Recipe | Laboratory,
        authority: Authority,
        begin: Callable[[str, BoardArrived], Awaitable[AttemptJournal]],
        bench: Callable[[str, Visit, int], Bench],
        route: Route | None = None,
        samples: Samples | None = None,
    ) -> None:
        self.name = name
        self.state: State = Empty()
        self.service: Service = InService()
        self.last: Outcome | None = None
        """The outcome of the newest attempt, whether or not its board is still here."""
        self._left: tuple[BoardArrived, float] | None = None  # the board that left last, and when
        self._line = line
        self._recipe = recipe
        self._authority = authority
        self._samples = samples
        self._expected: Expected | None = None  # of the board at work, if it is a sample
        self._begin = begin
        self._beginning = False
        self._bench = bench
        self._route = route
        self._news = asyncio.Event()
        self._usable = asyncio.Event()  # set unless the slot is out of service
        self._usable.set()

    @property
    def arrival(self) -> BoardArrived | None:
        return self.state.here.arrival if self.state.here else None

    @property
    def at_work(self) -> bool:
        """Whether an attempt is beginning or running, or its verdict is not durable yet."""
        return self._beginning or isinstance(self.state, Running | Recording)

    @property
    def stopped_by(self) -> str | None:
        """The code of the fault by which the slot is out of service or on trial."""
        return None if isinstance(self.service, InService) else self.service.fault.code

    @property
    def attempt_at_work(self) -> int | None:
        """The number of the attempt that is running, or whose verdict is not durable yet."""
        return self.state.journal.number if isinstance(self.state, Running | Recording) else None

    @property
    def shown(self) -> SlotState:
        return shown(self.state, self.service, paused=self._line.paused_by is not None)

    @property
    def taken(self) -> Taken | None:
        """The verdict of the board that was pulled last, as long as no board has followed it."""
        match self.state, self.last, self._left:
            case Empty(), Outcome() as last, (arrival, at) if last.arrival is arrival:
                return Taken(last, time.monotonic() - at)
            case _:
                return None

    def board_arrived(self, arrival: BoardArrived) -> Visit:
        log.info("board.arrived", slot=self.name, probe=arrival.probe, tty=arrival.tty)
        visit = Visit(arrival, first=self._left is None)
        self.state = with_board(self.state, visit)
        self._news.set()
        return visit

    def board_left(self) -> None:
        log.info("board.left", slot=self.name)
        if self.state.here is not None:
            self.state.here.leave()
            self._left = self.state.here.arrival, time.monotonic()
        self.state = with_board(self.state, None)

    def take_out(self, fault: SlotFault) -> None:
        """Takes the slot out of service until a person releases it."""
        log.error("slot.taken_out", slot=self.name, fault=fault.code, reason=str(fault))
        self.service = OutOfService(fault)
        self._usable.clear()

    def hold(self, by: Intervention) -> None:
        """Takes the slot out of service because a person wants it."""
        fault = SlotHeld()
        log.error("slot.taken_out", slot=self.name, fault=fault.code, reason=by.reason or str(fault), who=by.who)
        self.service = OutOfService(fault, by)
        self._usable.clear()

    def release(self, by: Intervention) -> None:
        """Puts the slot on trial: the next board decides whether it is in service again."""
        log.info("slot.released", slot=self.name, fault=self.stopped_by, reason=by.reason or None, who=by.who)
        if not isinstance(self.service, InService):
            self.service = OnTrial(self.service.fault)
        self._line.forget(self.name)
        self._usable.set()

    def abandon(self, fault: LineFault) -> None:
        """Gives up an attempt whose verdict the ledger can no longer take; the daemon's next start records it as void."""
        match self.state:
            case Running(here, journal, began):
                seconds = time.monotonic() - began
            case Recording(here, journal, seconds):
                pass
            case _:
                return
        log.error("attempt.abandoned", slot=self.name, attempt=journal.number, fault=fault.code, reason=str(fault))
        self.state = Abandoned(here, journal, fault, seconds)

    async def run(self) -> None:
        """Judges boards until it is cancelled. A ledger that has failed for good ends it, and the daemon with it."""
        while True:
            self._news.clear()
            visit = self.state.here
            if visit is None:
                await self._news.wait()
                continue
            await self._serve(visit)
            await visit.gone.wait()

    async def _serve(self, visit: Visit) -> None:
        """Judges the board; after a fault of the line or of the PKI, judges it again, as long as it stays in the slot."""
        if visit.arrival.refused is not None:
            log.error(
                "probe.refused", slot=self.name, fault=visit.arrival.refused.code, reason=str(visit.arrival.refused)
            )
            return
        unit: UID | None = None  # of which the PKI decides later, or not before a person has looked
        new = False  # whether the board was held because it has no identity
        while True:
            try:
                async with visit.while_here():
                    if unit is not None:
                        await self._authority.askable(unit)
                    await self._usable.wait()
                    await self._line.opened(new=new)
            except BoardRemoved:
                return
            except LineFault:  # another slot stopped this visit: the unit is in both
                continue
            outcome = await self.judge(visit)
            match outcome.fault:
                case LineFault() as fault:
                    unit, new = None, consequence(fault).for_new_boards
                case PKIPending() | PKIAnswerLost():
                    unit = outcome.attempt.uid
                case _:
                    return

    async def judge(self, visit: Visit) -> Outcome:
        """Runs one attempt, from its first event to its verdict, and applies the consequences for slot and line.

        The outcome becomes visible when the verdict is in the ledger and the consequences are applied.
        """
        self._beginning = True
        self._forget_sample()
        try:
            journal = await self._begin(self.name, visit.arrival)
        finally:
            self._beginning = False
        began = time.monotonic()
        self.state = Running(self.state.here, journal, began)
        with bound_contextvars(slot=self.name, attempt=journal.number, uid=None):  # the uid is bound when it is known
            try:
                fault = await self._attempted(visit, journal)
            except asyncio.CancelledError:
                await self._interrupted(visit, journal, began)
                raise
            seconds = time.monotonic() - began
            self.state = Recording(self.state.here, journal, seconds)
            ended_in = journal.attempt.phase
            # Outside every except: it waits while the ledger cannot be written, and raises only if the daemon must end.
            await journal.finish(verdict_of(fault))
            outcome = self.last = Outcome(journal.number, visit.arrival, journal.attempt, fault, seconds)
            if self._samples is not None and self._expected is not None and outcome.attempt.uid is not None:
                await self._take_sample(self._samples, self._expected, outcome.attempt.uid, outcome)
            self._conclude(outcome)
            visit.at_relay = left_at_relay(visit.at_relay, outcome, ended_in)
            self.state = with_board(Judged(visit, outcome), self.state.here)
            self._report(outcome, ended_in, journal.traced)
        return outcome

    async def _attempted(self, visit: Visit, journal: AttemptJournal) -> Fault | None:
        """Works on the board. Returns the fault that ended the work, or None."""
        try:
            async with visit.while_here():
                await self._carry_out(visit, self._bench(self.name, visit, journal.number), journal)
        except Fault as raised:
            return asleep(await self._departure(visit, raised), visit, journal.attempt)
        except Exception as exc:
            if fault := exhausted("the work on a board", exc):
                return fault
            log.exception("station.failed")
            return StationBug(type(exc).__name__)
        return None

    async def _interrupted(self, visit: Visit, journal: AttemptJournal, began: float) -> None:
        """Voids the attempt because the station stops. If the ledger cannot take it in time, the next start voids the attempt."""
        seconds, ended_in = time.monotonic() - began, journal.attempt.phase
        try:
            async with asyncio.timeout(VOIDED_WITHIN):
                await journal.finish(Voided(STATION_STOPPED, {"step": ended_in.value}))
        except (TimeoutError, LineFault):
            return
        outcome = self.last = Outcome(journal.number, visit.arrival, journal.attempt, None, seconds)
        self.state = with_board(Judged(visit, outcome), self.state.here)
        self._report(outcome, ended_in, journal.traced)

    async def _carry_out(self, visit: Visit, bench: Bench, journal: AttemptLedger) -> None:
        journal = AnnouncedAttempt(journal, partial(self._identified, visit))
        match self._recipe:
            case Laboratory() as laboratory:
                await reconfigure(bench, laboratory, journal)
            case recipe:
                authority = NoneForSamples(self._authority, journal, recipe)
                is_sample = partial(self._is_sample, visit)
                job = Job(bench, recipe, authority, journal, is_sample, visit.at_relay, self._route)
                await carry_out(job)

    async def _is_sample(self, visit: Visit, target: Target) -> bool:
        if self._samples is not None:
            self._expected = await self._samples.admit(target, self.name, visit.arrival.probe)
        return self._expected is not None

    def _forget_sample(self) -> None:
        self._expected = None

    async def _take_sample(self, samples: Samples, expected: Expected, uid: UID, outcome: Outcome) -> None:
        try:
            await samples.judged(uid, expected, outcome.number, outcome.verdict, outcome.attempt.fault)
        except LineFault as fault:  # the samples stay due
            self._line.pause(fault)

    def _identified(self, visit: Visit, uid: UID) -> None:
        bind_contextvars(uid=str(uid))  # every later line of this attempt has it
        self._line.units.identified(visit, self.name, uid)

    async def _departure(self, visit: Visit, fault: Fault) -> Fault:
        """The fault, or `BoardRemoved` if the fault was the first sign of a pulled board."""
        if consequence(fault).departure:
            try:
                async with asyncio.timeout(DEPARTURE_TOLD_WITHIN):
                    await visit.gone.wait()
            except TimeoutError:
                return fault
            return BoardRemoved()
        return fault

    def _report(self, outcome: Outcome, ended_in: Phase, traced: Traced) -> None:
        """Writes the attempt's canonical line."""
        write = log.warning if outcome.verdict == VERDICTS[Phase.VOID] else log.info
        write("attempt.finished", **finished(outcome, ended_in, self._recipe.name, traced))

    def _conclude(self, outcome: Outcome) -> None:
        """Applies the consequences of the outcome to slot and line."""
        fault = outcome.fault
        if isinstance(fault, LineFault):
            self._line.pause(fault)
            return
        if fault is not None and not counts_against_equipment(fault):
            return  # the fault says nothing about the slot, on trial or not
        if self._expected is not None and not isinstance(fault, SlotFault):
            return  # nor does a sample, which may have to fail
        board = str(outcome.attempt.uid or outcome.arrival.probe)
        self._line.remember(policy.Judged(self.name, board, fault.code if fault else None))
        if isinstance(fault, SlotFault):
            self.take_out(fault)
        elif fault is not None and (self._line.suspects(self.name) or self._same_on_trial(fault)):
            self.take_out(SlotSuspected(fault.code))
        elif isinstance(self.service, OnTrial):  # if a person has held the slot meanwhile, it stays out of service
            self.service = InService()

    def _same_on_trial(self, fault: Fault) -> bool:
        """Whether the slot is on trial for this fault and has shown it again."""
        match self.service:
            case OnTrial(SlotSuspected(cause)):
                return cause == fault.code
            case _:
                return False


def asleep(fault: Fault, visit: Visit, attempt: Attempt) -> Fault:
    """The fault, or `BoardAsleep` if it may come of the lock.

    The probe stops the core when it sets the lock, and cannot reset a locked one: only a loss of power makes it run again. A
    unit that was locked before the station's end, and has not left its slot since, is silent without a fault of its own.
    """
    silent = isinstance(fault, OperationalSilent) and attempt.procedure is ProcedureName.RECONFIRM
    return BoardAsleep() if silent and visit.first else fault


def verdict_of(fault: Fault | None) -> Verdict:
    """A unit's own fault fails it; any other fault says nothing about the unit."""
    match fault:
        case None:
            return Passed()
        case UnitFault():
            return Failed(fault.code, fault.evidence)
        case _:
            return Voided(fault.code, fault.evidence)
