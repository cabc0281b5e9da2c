"""A line for the boards that are plugged in now: every one is judged once, at once, with the daemon's own parts. No PKI."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from station.adapters.ledger import Ledger
from station.adapters.programmer import probe_lock
from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.secret_files import SecretFiles
from station.adapters.system.transcripts import Transcripts
from station.adapters.system.verifiers import VerifierPool
from station.config.line import BoardSection
from station.daemon.absent_pki import WithoutPKI
from station.daemon.equipment import SlotBench
from station.domain.attempt import STATION_STOPPED, VERDICTS, Attempt, Phase, Record, Verdict
from station.domain.identity import Identity
from station.domain.policy import Suspicion
from station.domain.product import KeyStorage
from station.domain.target import UID, Target
from station.factory_data import flat_tlv
from station.faults import Fault
from station.faults.slot import BoardRemoved
from station.interfaces import AttemptJournal, BoardArrived, BoardLeft, Hotplug, SecretSource
from station.line.line import Line
from station.line.slot import Slot
from station.line.visits import Visit
from station.line.wall_clock import WallClock
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Delivered, Recipe

STATION = "gen-factory-data"
PATIENCE = 20.0  # seconds that a ledger may be held by another program or be without room, while somebody waits


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one board."""

    arrival: BoardArrived
    verdict: str
    fault: Fault | None
    attempt: Attempt
    serial_number: str | None
    key_storage: KeyStorage | None
    """Where a partner or ST's firmware put the key; None if nobody did."""
    block: bytes = field(repr=False)
    """The factory data that the station wrote."""
    seconds: float


class Batch:
    """Judges boards that are there; each gets one attempt, whatever comes of it."""

    def __init__(
        self,
        work: Recipe | Laboratory,
        ledger: Ledger,
        secrets: SecretSource,
        installation: Installation,
        state: Path,
        clock: WallClock,
    ) -> None:
        self._work = work
        self._ledger = ledger
        self._secrets = secrets
        self._installation = installation
        self._transcripts = Transcripts(state / "transcripts")
        self._clock = clock
        self._places: dict[str, _Place] = {}
        self._line = Line(Suspicion(0, 0))  # one attempt a board says nothing of slots and line

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        work: Recipe | Laboratory,
        cli: Path,
        loader: Path,
        state: Path,
        locks: Path,
        slots: Sequence[str],
        *,
        clock_is_right: bool,
    ) -> AsyncIterator[Self]:
        """For the boards in these slots. The ledger is in the folder `state`, which also gets transcripts.

        Raises `LedgerUnavailable` or `LedgerMoved`, and `SlotTaken` where a station works at one of the slots. Raises
        `ClockContradicted`, too, unless somebody has said that the clock is right and the ledger's last entry wrong.
        """
        state.mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            ledger = await stack.enter_async_context(
                Ledger.open(state / "ledger.sqlite", station=STATION, patience=PATIENCE)
            )
            await ledger.close_open_attempts(STATION_STOPPED)
            clock = WallClock(await ledger.last_entry(), lambda: None)
            if clock_is_right:
                clock.accept(pki_needed=False)
            clock.check()
            stack.enter_context(probe_lock.claimed(locks, slots))
            secrets: SecretSource = WithoutPKI()
            if isinstance(work, Recipe) and work.given is None:
                secrets = await stack.enter_async_context(VerifierPool(work.iterations, size=len(slots)))
            scratch = stack.enter_context(SecretFiles.opened(STATION))
            installation = Installation(cli, loader, scratch, locks, Deadlines())
            yield cls(work, ledger, secrets, installation, state, clock)

    async def judge(
        self, arrivals: Sequence[BoardArrived], hotplug: Hotplug, report: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """Every board's outcome; `report` hears of each as it comes. Boards that arrive later are not touched."""
        async with asyncio.TaskGroup() as watching:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._judged(arrival, report), name=arrival.path) for arrival in arrivals]
                watch = watching.create_task(self._watch(hotplug), name="hotplug")  # it begins when the slots are there
            watch.cancel()
        return [task.result() for task in tasks]

    async def _watch(self, hotplug: Hotplug) -> None:
        while True:
            event = await hotplug.next()
            if event.path in self._places:
                self._places[event.path].told(event)

    async def _judged(self, arrival: BoardArrived, report: Callable[[Outcome], None]) -> Outcome:
        journals: list[_Watched] = []

        async def begin(slot: str, board: BoardArrived) -> AttemptJournal:
            place.begun = True
            journal = await self._ledger.attempt(
                slot=slot, probe=board.probe, tty=board.tty, recipe=self._work, secrets=self._secrets
            )
            if (accepted := self._clock.entered()) is not None:
                await journal.record(accepted)
            journals.append(_Watched(journal, place.ended))
            return journals[-1]

        slot = Slot(slot_name(arrival), self._line, self._work, WithoutPKI(), begin, self._bench)
        place = self._places[arrival.path] = _Place(slot)
        slot.board_arrived(arrival)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(slot.run(), name=f"slot {slot.name}")
            await place.ended.wait()
            fault, seconds = slot.fault, slot.seconds
            running.cancel()
        if journals:
            (journal,) = journals
            made = (journal.attempt, journal.serial_number, journal.key_storage, journal.block, seconds)
            outcome = Outcome(arrival, VERDICTS[journal.attempt.phase], fault, *made)
        else:
            outcome = Outcome(arrival, VERDICTS[Phase.VOID], BoardRemoved(), Attempt(), None, None, b"", 0)
        report(outcome)
        return outcome

    def _bench(self, visit: Visit, attempt: int) -> SlotBench:
        record = self._transcripts.recorder(attempt)
        arrival = visit.arrival
        programmer = CubeProgrammer(self._installation, arrival.probe, visit.gone, record)
        recipe = self._work if isinstance(self._work, Recipe) else None
        return SlotBench(programmer, slot_name(arrival), arrival.tty, BoardSection(), visit.gone, record, recipe)


def slot_name(arrival: BoardArrived) -> str:
    """As ST's script names a board: its port, and the end of its probe's serial number."""
    return f"{Path(arrival.tty).name}/..{arrival.probe[-4:]}"


@dataclass(slots=True)
class _Place:
    """One board's slot, until its attempt has ended or none will begin."""

    slot: Slot
    begun: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self, event: BoardArrived | BoardLeft) -> None:
        """The board left, another one came, or it turned out to have the serial number of another."""
        if self.slot.arrival is None or event == self.slot.arrival:
            return
        self.slot.board_left()
        if not self.begun:
            self.ended.set()


class _Watched:
    """An attempt's journal that tells when it has its verdict (`ports.AttemptJournal`)."""

    def __init__(self, journal: AttemptJournal, ended: asyncio.Event) -> None:
        self._journal = journal
        self._ended = ended
        self.serial_number: str | None = None
        self.key_storage: KeyStorage | None = None
        self.block = b""

    @property
    def number(self) -> int:
        return self._journal.number

    @property
    def attempt(self) -> Attempt:
        return self._journal.attempt

    def step(self, phase: Phase) -> AbstractAsyncContextManager[None]:
        return self._journal.step(phase)

    async def record(self, event: Record) -> None:
        await self._journal.record(event)

    async def check_ours(self, target: Target) -> None:
        await self._journal.check_ours(target)

    async def reserve_identity(self, target: Target, recipe: Recipe) -> Identity:
        identity = await self._journal.reserve_identity(target, recipe)
        self.serial_number = identity.serial_number
        self.block = flat_tlv.encode(recipe.factory_data(identity))
        return identity

    async def adopt(self, delivered: Delivered, uid: UID) -> None:
        await self._journal.adopt(delivered, uid)
        self.key_storage = delivered.key_storage

    async def finish(self, verdict: Verdict) -> None:
        await self._journal.finish(verdict)
        self._ended.set()
