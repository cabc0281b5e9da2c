"""One fixture slot: board in, attempt judged, verdict out."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

import structlog
from structlog.contextvars import bound_contextvars

from station.domain.attempt import VERDICTS, Attempt, Failed, Passed, ProcedureChosen, Verdict, Voided
from station.domain.policy import Judged, consequence, counts_against_equipment
from station.faults import Fault, LineFault, SlotFault, UnitFault
from station.faults.resources import exhausted
from station.faults.slot import BoardRemoved, SlotSuspected, StationBug
from station.interfaces import AttemptJournal, AttemptLedger, Authority, Bench, BoardArrived, Job, Recognised
from station.line.line import Line
from station.line.visits import AnnouncedAttempt, Visit
from station.procedure.names import NAMES
from station.procedure.provision import provision, recognise, reconfirm, redeliver
from station.procedure.without_pki import finish, provision_by_partner, reconfigure
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()

Procedure = Callable[[Job, Recognised], Awaitable[None]]

DEPARTURE_TOLD_WITHIN = 0.5  # a port hangs up a little before the operating system says that the board has left


class SlotState(StrEnum):
    """What an operator sees: one colour and one word."""

    EMPTY = "empty"
    WAITING = "waiting"
    RUNNING = "running"
    PASS = "pass"  # noqa: S105  a verdict, not a password
    FAIL = "fail"
    VOID = "void"
    OUT_OF_SERVICE = "out of service"


class Slot:
    """Judges one board after the other; a task of its own runs `run` for as long as the daemon lives."""

    def __init__(
        self,
        name: str,
        line: Line,
        recipe: Recipe | Laboratory,
        authority: Authority,
        begin: Callable[[str, BoardArrived], Awaitable[AttemptJournal]],
        bench: Callable[[Visit, int], Bench],
    ) -> None:
        self.name = name
        self.fault: Fault | None = None
        self.out_of_service: SlotFault | None = None
        self.on_trial = False
        self.journal: AttemptJournal | None = None
        self.verdict: str | None = None
        self._began = self._ended = 0.0
        self._at_work = False
        self._line = line
        self._recipe = recipe
        self._authority = authority
        self._begin = begin
        self._bench = bench
        self._visit: Visit | None = None
        self._news = asyncio.Event()
        self._in_service = asyncio.Event()
        self._in_service.set()

    @property
    def state(self) -> SlotState:
        if self._running and (self._at_work or self._line.paused_by is None):
            return SlotState.RUNNING
        if (self.out_of_service is not None and not self.on_trial) or (self.arrival and self.arrival.refused):
            return SlotState.OUT_OF_SERVICE
        if self._visit is None:
            return SlotState.EMPTY
        if self.verdict is None or self._line.paused_by is not None or isinstance(self.fault, LineFault):
            return SlotState.WAITING  # what the line voided is judged again
        return SlotState(self.verdict)

    @property
    def arrival(self) -> BoardArrived | None:
        return self._visit.arrival if self._visit else None

    @property
    def seconds(self) -> float:
        """How long the attempt has been running, or took."""
        return (time.monotonic() if self._running and self._at_work else self._ended) - self._began

    @property
    def _running(self) -> bool:
        """Whether there is an attempt whose verdict is not in the ledger; its work may be over."""
        return self.journal is not None and self.verdict is None

    def board_arrived(self, arrival: BoardArrived) -> None:
        log.info("board.arrived", slot=self.name, probe=arrival.probe, tty=arrival.tty)
        self._visit = Visit(arrival)
        self._news.set()

    def board_left(self) -> None:
        log.info("board.left", slot=self.name)
        if self._visit is not None:
            self._visit.leave()
        self._visit = None

    def take_out(self, fault: SlotFault) -> None:
        """No board is judged here until somebody has released the slot."""
        log.error("slot.taken_out", slot=self.name, fault=fault.code, reason=str(fault))
        self.out_of_service, self.on_trial = fault, False
        self._in_service.clear()

    def release(self) -> None:
        """The slot is on trial: the next board decides whether it is in service again."""
        log.info("slot.released", slot=self.name, fault=self.out_of_service.code if self.out_of_service else None)
        self.on_trial = self.out_of_service is not None
        self._line.forget(self.name)
        self._in_service.set()

    def abandon(self, fault: LineFault) -> None:
        """The ledger will never have this attempt's verdict: it is void, which the next start writes down."""
        if self.journal is None or self.verdict is not None:
            return
        log.error("attempt.abandoned", slot=self.name, attempt=self.journal.number, fault=fault.code, reason=str(fault))
        self.fault, self.verdict, self._ended = fault, SlotState.VOID.value, time.monotonic()

    async def run(self) -> None:
        """Judges boards until it is cancelled; a ledger that has failed for good ends it, and the daemon with it."""
        while True:
            self._news.clear()
            visit = self._visit
            if visit is None:
                await self._news.wait()
                continue
            await self._serve(visit)
            await visit.gone.wait()
            self.journal = self.verdict = None

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
                    await self._in_service.wait()
                    await self._line.opened()
            except BoardRemoved:
                return
            except LineFault:  # by which an earlier attempt on this board would have been stopped
                continue
            if not isinstance(await self._judged(visit), LineFault):
                return

    async def _judged(self, visit: Visit) -> Fault | None:
        """One attempt, from its first event to its verdict. Returns the fault that it ended by."""
        journal = await self._begin(self.name, visit.arrival)
        self.journal, self.verdict, self.fault, self._began = journal, None, None, time.monotonic()
        self._at_work = True
        with bound_contextvars(slot=self.name, attempt=journal.number):
            fault, verdict = await self._judge(visit, journal)
            self._ended, self._at_work = time.monotonic(), False
            # Outside every except: it waits for a ledger in trouble, and a ledger that has failed for good ends the daemon.
            await journal.finish(verdict)
            self._conclude(fault, journal.attempt)
            self.verdict = VERDICTS[
                journal.attempt.phase
            ]  # shown when it is in the ledger and the slot has drawn its conclusion
            self._report(verdict, fault, journal.attempt, visit.arrival)
        return fault

    async def _judge(self, visit: Visit, journal: AttemptJournal) -> tuple[Fault | None, Verdict]:
        try:
            async with visit.while_here():
                await self._carry_out(visit, self._bench(visit, journal.number), journal)
        except Fault as raised:
            fault = await self._departure(visit, raised)
        except Exception as exc:
            fault = exhausted("the work on a board", exc) or StationBug(type(exc).__name__)
            log.exception("station.failed")
        else:
            return None, Passed()
        verdict = Failed if isinstance(fault, UnitFault) else Voided
        return fault, verdict(fault.code, fault.evidence)

    async def _carry_out(self, visit: Visit, bench: Bench, journal: AttemptLedger) -> None:
        journal = AnnouncedAttempt(journal, partial(self._line.units.identified, visit, self.name))
        match self._recipe:
            case Laboratory() as laboratory:
                await reconfigure(bench, laboratory, journal)
            case recipe:
                job = Job(bench, recipe, self._authority, journal)
                unit = await recognise(job)
                procedure = procedure_for(recipe, unit)
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

    def _conclude(self, fault: Fault | None, attempt: Attempt) -> None:
        """What the verdict means for slot and line."""
        self.fault = fault
        if isinstance(fault, LineFault):
            self._line.pause(fault)
            return
        if fault is not None and not counts_against_equipment(fault):
            return  # it says nothing of the slot, on trial or not
        board = str(attempt.uid or (self.arrival and self.arrival.probe))
        self._line.remember(Judged(self.name, board, fault.code if fault else None))
        if isinstance(fault, SlotFault):
            self.take_out(fault)
        elif fault is not None and (self._line.suspects(self.name) or self._same_on_trial(fault)):
            self.take_out(SlotSuspected(fault.code))
        else:
            self.out_of_service, self.on_trial = None, False

    def _same_on_trial(self, fault: Fault) -> bool:
        """Whether a slot that is on trial for this cause shows it again."""
        before = self.out_of_service
        return self.on_trial and isinstance(before, SlotSuspected) and before.cause == fault.code

    def _report(self, verdict: Verdict, fault: Fault | None, attempt: Attempt, arrival: BoardArrived) -> None:
        write = log.info if isinstance(verdict, Passed) else log.warning
        write(
            "attempt.finished",
            verdict=VERDICTS[attempt.phase],
            fault=attempt.fault,
            reason=str(fault) if fault else None,
            uid=str(attempt.uid) if attempt.uid else None,
            probe=arrival.probe,
            tty=arrival.tty,
            seconds=round(self.seconds, 3),
            steps={phase.value: round(duration, 3) for phase, duration in attempt.seconds.items()},
        )


def procedure_for(recipe: Recipe, unit: Recognised) -> Procedure:
    """A board that cannot be read was confirmed and locked by this line. Else the firmware must be the recipe's, too.

    A unit that was confirmed as another product is reconfirmed, which it fails: its factory data is all that it has.
    """
    readable = unit.target.readable
    finished = unit.identity.confirmed and (not readable or recipe.firmware_stands(unit.identity))
    if readable and recipe.would_lose_its_key(unit.identity, unit.flash):
        return reconfirm
    if recipe.delivery is not None:
        if readable and not recipe.holds_delivered(unit.identity, unit.flash, datetime.now(UTC)):
            return provision_by_partner
        return reconfirm if finished else finish
    if readable and not recipe.holds_certificate(unit.identity, unit.flash):
        return provision
    return reconfirm if finished else redeliver
