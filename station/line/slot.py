# SPDX-License-Identifier: Apache-2.0
"""One fixture slot: board in, attempt judged, verdict out."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

import structlog
from structlog.contextvars import bound_contextvars

from station.domain import policy
from station.domain.attempt import Failed, Passed, ProcedureChosen, Verdict, Voided
from station.domain.policy import consequence, counts_against_equipment
from station.faults import Fault, LineFault, SlotFault, UnitFault
from station.faults.resources import exhausted
from station.faults.slot import BoardRemoved, SlotSuspected, StationBug
from station.interfaces import AttemptJournal, AttemptLedger, Authority, Bench, BoardArrived
from station.line.line import Line
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
    shown,
    with_board,
)
from station.line.visits import AnnouncedAttempt, Visit
from station.procedure.choice import procedure_for
from station.procedure.job import Job
from station.procedure.names import NAMES
from station.procedure.provision import recognise
from station.procedure.without_pki import reconfigure
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()

DEPARTURE_TOLD_WITHIN = 0.5  # a port hangs up a little before the operating system says that the board has left


class Slot:
    """Judges one board after the other; a task of its own runs `run` for as long as the daemon lives."""

    def __init__(
        self,
        name: str,
        line: Line,
        recipe: Recipe | Laboratory,
        authority: Authority,
        begin: Callable[[str, BoardArrived], Awaitable[AttemptJournal]],
        bench: Callable[[str, Visit, int], Bench],
    ) -> None:
        self.name = name
        self.state: State = Empty()
        self.service: Service = InService()
        self._line = line
        self._recipe = recipe
        self._authority = authority
        self._begin = begin
        self._bench = bench
        self._news = asyncio.Event()
        self._usable = asyncio.Event()  # set unless the slot is out of service
        self._usable.set()

    @property
    def arrival(self) -> BoardArrived | None:
        return self.state.here.arrival if self.state.here else None

    @property
    def shown(self) -> SlotState:
        return shown(self.state, self.service, paused=self._line.paused_by is not None)

    def board_arrived(self, arrival: BoardArrived) -> Visit:
        log.info("board.arrived", slot=self.name, probe=arrival.probe, tty=arrival.tty)
        visit = Visit(arrival)
        self.state = with_board(self.state, visit)
        self._news.set()
        return visit

    def board_left(self) -> None:
        log.info("board.left", slot=self.name)
        if self.state.here is not None:
            self.state.here.leave()
        self.state = with_board(self.state, None)

    def take_out(self, fault: SlotFault) -> None:
        """No board is judged here until somebody has released the slot."""
        log.error("slot.taken_out", slot=self.name, fault=fault.code, reason=str(fault))
        self.service = OutOfService(fault)
        self._usable.clear()

    def release(self) -> None:
        """The slot is on trial: the next board decides whether it is in service again."""
        match self.service:
            case OutOfService(fault) | OnTrial(fault):
                log.info("slot.released", slot=self.name, fault=fault.code)
                self.service = OnTrial(fault)
            case InService():
                log.info("slot.released", slot=self.name, fault=None)
        self._line.forget(self.name)
        self._usable.set()

    def abandon(self, fault: LineFault) -> None:
        """The ledger will never have this attempt's verdict: it is void, which the next start writes down."""
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
        """Judges boards until it is cancelled; a ledger that has failed for good ends it, and the daemon with it."""
        while True:
            self._news.clear()
            visit = self.state.here
            if visit is None:
                await self._news.wait()
                continue
            await self._serve(visit)
            await visit.gone.wait()

    async def _serve(self, visit: Visit) -> None:
        """Judges the board, again if the line itself was at fault, for as long as the board stays."""
        if visit.arrival.refused is not None:
            log.error(
                "probe.refused", slot=self.name, fault=visit.arrival.refused.code, reason=str(visit.arrival.refused)
            )
            return
        while True:
            try:
                async with visit.while_here():
                    await self._usable.wait()
                    await self._line.opened()
            except BoardRemoved:
                return
            except LineFault:  # by which an earlier attempt on this board would have been stopped
                continue
            if not isinstance((await self.judge(visit)).fault, LineFault):
                return

    async def judge(self, visit: Visit) -> Outcome:
        """One attempt on the board, from its first event to its verdict, and what that means for slot and line.

        The outcome is shown when its verdict is in the ledger and the slot has drawn its conclusion.
        """
        journal = await self._begin(self.name, visit.arrival)
        began = time.monotonic()
        self.state = Running(self.state.here, journal, began)
        with bound_contextvars(slot=self.name, attempt=journal.number):
            fault = await self._attempted(visit, journal)
            seconds = time.monotonic() - began
            self.state = Recording(self.state.here, journal, seconds)
            # Outside every except: it waits for a ledger in trouble, and a ledger that has failed for good ends the daemon.
            await journal.finish(_verdict(fault))
            outcome = Outcome(journal.number, visit.arrival, journal.attempt, fault, seconds)
            self._conclude(outcome)
            self.state = with_board(Judged(visit, outcome), self.state.here)
            _report(outcome)
        return outcome

    async def _attempted(self, visit: Visit, journal: AttemptJournal) -> Fault | None:
        """Returns the fault that the work on the board ended by."""
        try:
            async with visit.while_here():
                await self._carry_out(visit, self._bench(self.name, visit, journal.number), journal)
        except Fault as raised:
            return await self._departure(visit, raised)
        except Exception as exc:
            if fault := exhausted("the work on a board", exc):
                return fault
            log.exception("station.failed")
            return StationBug(type(exc).__name__)
        return None

    async def _carry_out(self, visit: Visit, bench: Bench, journal: AttemptLedger) -> None:
        journal = AnnouncedAttempt(journal, partial(self._line.units.identified, visit, self.name))
        match self._recipe:
            case Laboratory() as laboratory:
                await reconfigure(bench, laboratory, journal)
            case recipe:
                job = Job(bench, recipe, self._authority, journal)
                unit = await recognise(job)
                procedure = procedure_for(recipe, unit, datetime.now(UTC))
                await journal.record(ProcedureChosen(NAMES[procedure]))
                await procedure(job, unit)

    async def _departure(self, visit: Visit, fault: Fault) -> Fault:
        """The fault, or `BoardRemoved` when it turns out to be the first sign of a pulled board."""
        if consequence(fault).departure:
            try:
                async with asyncio.timeout(DEPARTURE_TOLD_WITHIN):
                    await visit.gone.wait()
            except TimeoutError:
                return fault
            return BoardRemoved()
        return fault

    def _conclude(self, outcome: Outcome) -> None:
        """What the verdict means for slot and line."""
        fault = outcome.fault
        if isinstance(fault, LineFault):
            self._line.pause(fault)
            return
        if fault is not None and not counts_against_equipment(fault):
            return  # it says nothing of the slot, on trial or not
        board = str(outcome.attempt.uid or outcome.arrival.probe)
        self._line.remember(policy.Judged(self.name, board, fault.code if fault else None))
        if isinstance(fault, SlotFault):
            self.take_out(fault)
        elif fault is not None and (self._line.suspects(self.name) or self._same_on_trial(fault)):
            self.take_out(SlotSuspected(fault.code))
        elif isinstance(self.service, OnTrial):  # who held the slot meanwhile wants it out of service
            self.service = InService()

    def _same_on_trial(self, fault: Fault) -> bool:
        """Whether a slot that is on trial for this cause shows it again."""
        match self.service:
            case OnTrial(SlotSuspected(cause)):
                return cause == fault.code
            case _:
                return False


def _verdict(fault: Fault | None) -> Verdict:
    """The unit's own fault fails it; any other says nothing of the unit."""
    match fault:
        case None:
            return Passed()
        case UnitFault():
            return Failed(fault.code, fault.evidence)
        case _:
            return Voided(fault.code, fault.evidence)


def _report(outcome: Outcome) -> None:
    attempt, fault, arrival = outcome.attempt, outcome.fault, outcome.arrival
    write = log.warning if fault else log.info
    write(
        "attempt.finished",
        verdict=outcome.verdict,
        fault=attempt.fault,
        reason=str(fault) if fault else None,
        uid=str(attempt.uid) if attempt.uid else None,
        probe=arrival.probe,
        tty=arrival.tty,
        seconds=round(outcome.seconds, 3),
        steps={phase.value: round(duration, 3) for phase, duration in attempt.seconds.items()},
    )
