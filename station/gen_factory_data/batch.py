# SPDX-License-Identifier: Apache-2.0
"""Judges all boards that are plugged in now, once and in parallel, with the daemon's parts and without a PKI."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

from station.adapters.ledger import Ledger
from station.adapters.programmer import probe_lock
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.secret_files import SecretFiles
from station.adapters.system.transcripts import Transcripts
from station.adapters.system.verifiers import VerifierPool
from station.config.sections import BoardSection
from station.daemon.absent_pki import WithoutPKI
from station.daemon.equipment import Equipment
from station.domain.attempt import STATION_STOPPED
from station.domain.policy import Suspicion
from station.factory_data import flat_tlv
from station.interfaces import BoardArrived, Hotplug, SecretSource
from station.line.line import Line
from station.line.slot import Slot
from station.line.states import Outcome
from station.line.wall_clock import WallClock
from station.recipe import unit_builder
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

STATION = "gen-factory-data"
PATIENCE = 20.0  # seconds to wait for a ledger that another program holds or whose disk is full


class Batch:
    """Judges the boards that are present; each gets exactly one attempt."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._slots: dict[str, Slot] = {}
        # With one attempt per board, repeated faults say nothing about slots and line.
        self._line = Line(Suspicion(0, 0))

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
        """Opens a batch for the boards in these slots. Ledger and transcripts are in the folder `state`.

        Raises `LedgerUnavailable` or `LedgerMoved`, and `SlotTaken` if a station works at one of the slots. Raises
        `ClockContradicted` unless `clock_is_right`: a person says that the ledger's last entry is wrong.
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
            if recipe.new_secrets is not None:
                secrets = await stack.enter_async_context(VerifierPool(recipe.new_secrets, size=len(slots)))
            scratch = stack.enter_context(SecretFiles.opened(STATION))
            installation = Installation(cli, loader, scratch, locks, Deadlines())
            transcripts = Transcripts(state / "transcripts")
            yield cls(Equipment(recipe, ledger, secrets, clock, installation, transcripts, BoardSection, Deadlines))

    async def judge(
        self, arrivals: Sequence[BoardArrived], hotplug: Hotplug, report: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """Returns every board's outcome, and passes each to `report` at once. Boards that arrive later are not touched."""
        async with asyncio.TaskGroup() as watching:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._judged(arrival, report), name=arrival.path) for arrival in arrivals]
                watch = watching.create_task(self._watch(hotplug), name="hotplug")  # starts after the slots exist
            watch.cancel()
        return [task.result() for task in tasks]

    async def block(self, outcome: Outcome) -> bytes:
        """The factory data that the station made for this board, or empty bytes if it made none."""
        uid, recipe = outcome.attempt.uid, self._equipment.recipe
        if uid is None or outcome.attempt.serial_number is None or not isinstance(recipe, Recipe):
            return b""
        identity = recipe.given.of(uid) if recipe.given else await self._equipment.ledger.identity(uid)
        return flat_tlv.encode(unit_builder.factory_data(recipe, identity)) if identity else b""

    async def _watch(self, hotplug: Hotplug) -> None:
        while True:
            event = await hotplug.next()
            slot = self._slots.get(event.path)
            if slot is not None and slot.arrival not in {None, event}:
                slot.board_left()  # also if another board came, or its serial number turned out to be a duplicate

    async def _judged(self, arrival: BoardArrived, report: Callable[[Outcome], None]) -> Outcome:
        equipment = self._equipment
        name = slot_name(arrival)
        slot = Slot(name, self._line, equipment.recipe, WithoutPKI(), equipment.begin, equipment.bench)
        self._slots[arrival.path] = slot
        outcome = await slot.judge(slot.board_arrived(arrival))
        report(outcome)
        return outcome


def slot_name(arrival: BoardArrived) -> str:
    """The name that ST's script gives a board: its port and the end of its probe's serial number."""
    return f"{Path(arrival.tty).name}/..{arrival.probe[-4:]}"
