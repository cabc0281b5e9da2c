# SPDX-License-Identifier: Apache-2.0
"""A line for the boards that are plugged in now: every one is judged once, at once, with the daemon's own parts. No PKI."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
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
from station.domain.attempt import STATION_STOPPED
from station.domain.policy import Suspicion
from station.factory_data import flat_tlv
from station.interfaces import AttemptJournal, BoardArrived, Hotplug, SecretSource
from station.line.line import Line
from station.line.slot import Slot
from station.line.states import Outcome
from station.line.visits import Visit
from station.line.wall_clock import WallClock
from station.recipe import unit_builder
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

STATION = "gen-factory-data"
PATIENCE = 20.0  # seconds that a ledger may be held by another program or be without room, while somebody waits


class Batch:
    """Judges boards that are there; each gets one attempt, whatever comes of it."""

    def __init__(
        self,
        recipe: Recipe | Laboratory,
        ledger: Ledger,
        secrets: SecretSource,
        installation: Installation,
        state: Path,
        clock: WallClock,
    ) -> None:
        self._recipe = recipe
        self._ledger = ledger
        self._secrets = secrets
        self._installation = installation
        self._transcripts = Transcripts(state / "transcripts")
        self._clock = clock
        self._slots: dict[str, Slot] = {}
        self._line = Line(Suspicion(0, 0))  # one attempt a board says nothing of slots and line

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        recipe: Recipe | Laboratory,
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
            if isinstance(recipe, Recipe) and recipe.given is None:
                secrets = await stack.enter_async_context(VerifierPool(recipe.iterations, size=len(slots)))
            scratch = stack.enter_context(SecretFiles.opened(STATION))
            installation = Installation(cli, loader, scratch, locks, Deadlines())
            yield cls(recipe, ledger, secrets, installation, state, clock)

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

    async def block(self, outcome: Outcome) -> bytes:
        """The factory data that the station made for this board; nothing where it made none."""
        uid, recipe = outcome.attempt.uid, self._recipe
        if uid is None or outcome.attempt.serial_number is None or not isinstance(recipe, Recipe):
            return b""
        identity = recipe.given.of(uid) if recipe.given else await self._ledger.identity(uid)
        return flat_tlv.encode(unit_builder.factory_data(recipe, identity)) if identity else b""

    async def _watch(self, hotplug: Hotplug) -> None:
        while True:
            event = await hotplug.next()
            slot = self._slots.get(event.path)
            if slot is not None and slot.arrival not in {None, event}:
                slot.board_left()  # or another one came, or the board turned out to have the serial number of another

    async def _judged(self, arrival: BoardArrived, report: Callable[[Outcome], None]) -> Outcome:
        slot = Slot(slot_name(arrival), self._line, self._recipe, WithoutPKI(), self._begin, self._bench)
        self._slots[arrival.path] = slot
        outcome = await slot.judge(slot.board_arrived(arrival))
        report(outcome)
        return outcome

    async def _begin(self, slot: str, board: BoardArrived) -> AttemptJournal:
        journal = await self._ledger.attempt(
            slot=slot, probe=board.probe, tty=board.tty, recipe=self._recipe, secrets=self._secrets
        )
        if (accepted := self._clock.entered()) is not None:
            await journal.record(accepted)
        return journal

    def _bench(self, visit: Visit, attempt: int) -> SlotBench:
        record = self._transcripts.recorder(attempt)
        arrival = visit.arrival
        programmer = CubeProgrammer(self._installation, arrival.probe, visit.gone, record)
        recipe = self._recipe if isinstance(self._recipe, Recipe) else None
        return SlotBench(programmer, slot_name(arrival), arrival.tty, BoardSection(), visit.gone, record, recipe)


def slot_name(arrival: BoardArrived) -> str:
    """As ST's script names a board: its port, and the end of its probe's serial number."""
    return f"{Path(arrival.tty).name}/..{arrival.probe[-4:]}"
