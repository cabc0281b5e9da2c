# SPDX-License-Identifier: Apache-2.0
"""The daemon: handles signals, runs one TaskGroup with a task per slot, and reports boards and ledger troubles to slots and line."""

import asyncio
import signal
from collections.abc import Iterator

import structlog

from station.adapters.hotplug import links
from station.adapters.system import orphans, version
from station.adapters.system.logs import Log
from station.config.line import Config
from station.daemon import control, parts
from station.daemon.commands import Commands
from station.daemon.parts import Parts
from station.daemon.preflight import Preflight
from station.domain.policy import Suspicion
from station.faults import Fault, LineFault
from station.faults.line import LedgerDamaged, LedgerUnavailable, ResourcesExhausted
from station.interfaces import BoardArrived, Hotplug
from station.line.line import Line
from station.line.loop_lag import LoopLag
from station.line.slot import Slot
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()

CHECK_EVERY = 5.0
LOOKED_AGAIN_AFTER = 1.0  # seconds, if a scan for boards failed


async def run(config: Config, recipe: Recipe | Laboratory, logs: Log) -> None:
    """Serves the line until SIGTERM or SIGINT. The next start voids attempts left open. SIGHUP reopens the log."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, logs.reopen)
    with orphans.adopted():
        await _serve(config, recipe, logs, stop)


async def _serve(config: Config, recipe: Recipe | Laboratory, logs: Log, stop: asyncio.Event) -> None:
    async with parts.opened(config, recipe) as opened:
        station = Station(opened, logs)
        software = version.running()
        log.info(
            "station.started",
            station=config.station.name,
            version=software.number,
            commit=software.commit,
            recipe=recipe.name,
            slots=len(station.slots),
        )
        await station.serve(stop)
    log.info("station.stopped", station=config.station.name, loop_lag=station.loop_lag.status.model_dump())


class Station:
    """One running daemon: the line, its slots, and the tasks that watch boards, ledger and PKI."""

    def __init__(self, parts: Parts, logs: Log) -> None:
        config = parts.config
        policy = config.policy
        self.line = Line(Suspicion(policy.boards_in_a_slot, policy.slots, policy.within_boards), parts.look)
        equipment = parts.equipment
        self.slots = {
            slot.path: Slot(slot.name, self.line, parts.recipe, parts.relay, equipment.begin, equipment.bench)
            for slot in config.slot
        }
        self.loop_lag = LoopLag()
        self._parts = parts
        self._preflight = Preflight(parts, len(self.slots))
        self._commands = Commands(parts, self.line, self.slots, self._preflight, self.loop_lag, logs)

    async def serve(self, stop: asyncio.Event) -> None:
        """Judges boards until `stop` is set. Raises the failure that only a restart can mend."""
        config = self._parts.config
        try:
            await self._preflight.check()
        except LineFault as fault:  # a line that cannot work begins paused
            self.line.pause(fault)
        async with (
            control.serving(config.control_socket, self._commands.by_name),
            links.watching(config.hotplug.directory) as hotplug,
        ):
            try:
                await self._work(hotplug, stop)
            except BaseExceptionGroup as group:
                raise self._told(group) from group

    async def _work(self, hotplug: Hotplug, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = [
                group.create_task(slot.run(), name=f"slot {slot.name}") for slot in self.slots.values()
            ]
            tasks.append(group.create_task(self.loop_lag.watch(), name="loop lag"))
            tasks.append(group.create_task(self._tell_slots(hotplug), name="hotplug"))
            tasks.append(group.create_task(self._watch_ledger(), name="ledger"))
            tasks.append(group.create_task(self._watch_ledger_files(), name="ledger's files"))
            tasks.append(group.create_task(self.line.watch(self._preflight.check, self._check_every), name="line"))
            await stop.wait()
            for task in tasks:
                task.cancel()

    def _told(self, group: BaseExceptionGroup[BaseException]) -> BaseException:
        """Returns the one fault that ended the tasks, or the whole group, with its tracebacks, if a bug did."""
        ended = list(_leaves(group))
        for exc in ended:
            if isinstance(exc, LedgerUnavailable | LedgerDamaged):
                for slot in self.slots.values():
                    slot.abandon(exc)
                log.error("station.failed", fault=exc.code, reason=str(exc))
                return exc
        return ended[0] if all(isinstance(exc, Fault | OSError) for exc in ended) else group

    async def _watch_ledger(self) -> None:
        """Pauses the line while the ledger cannot be written. Raises the fault, which ends the daemon, if it never can again."""
        while True:
            try:
                self.line.pause(await self._parts.ledger.troubled())
            except LineFault as fault:
                self.line.pause(fault)
                raise

    @property
    def _check_every(self) -> float:
        """Seconds between two checks of a paused line."""
        pki = self._parts.config.pki
        return pki.check_every if pki else CHECK_EVERY

    async def _watch_ledger_files(self) -> None:
        """Pauses the line if the ledger's files are moved or replaced, even while no attempt is running."""
        while True:
            await asyncio.sleep(CHECK_EVERY)
            try:
                await self._parts.ledger.check()
            except LineFault as fault:
                self.line.pause(fault)

    async def _tell_slots(self, hotplug: Hotplug) -> None:
        while True:
            try:
                event = await hotplug.next()
            except ResourcesExhausted as fault:  # until the next scan, boards count as still there
                self.line.pause(fault)
                await asyncio.sleep(LOOKED_AGAIN_AFTER)
                continue
            slot = self.slots.get(event.path)
            if slot is None:
                log.info("board.ignored", path=event.path)  # the board is in no configured slot, so it is not touched
            elif isinstance(event, BoardArrived):
                slot.board_arrived(event)
            else:
                slot.board_left()


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for exc in group.exceptions:
        if isinstance(exc, BaseExceptionGroup):
            yield from _leaves(exc)
        else:
            yield exc
