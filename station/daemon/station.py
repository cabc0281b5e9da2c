# SPDX-License-Identifier: Apache-2.0
"""The daemon: signals, one TaskGroup with a task per slot, and the tasks that report events to slots and line."""

import asyncio
import os
import signal
from collections.abc import Iterator

import structlog

from station.adapters.hotplug import sources
from station.adapters.system import allocator, orphans, version
from station.adapters.system.logs import LOG_SCHEMA, Log
from station.adapters.system.people_file import PeopleFile
from station.adapters.system.service_manager import ServiceManager
from station.config.line import Config
from station.daemon import control, parts
from station.daemon.andon import Andon
from station.daemon.commands import Commands
from station.daemon.forgetting import Forgetting
from station.daemon.further_routes import further_routes, site_of
from station.daemon.label_printing import LabelPrinting
from station.daemon.label_scan import passed_in
from station.daemon.page_door import PageDoor
from station.daemon.parts import Parts
from station.daemon.preflight import Preflight
from station.daemon.reloading import Reloading, Reread
from station.daemon.slot_labels import SlotLabels
from station.daemon.tidying import Tidying
from station.faults import Fault, LineFault
from station.faults.line import PKI_FAULTS, LedgerDamaged, LedgerUnavailable, ResourcesExhausted
from station.interfaces import BoardArrived, Hotplug
from station.line.line import Line
from station.line.loop_lag import LoopLag
from station.line.samples import Samples
from station.line.slot import Slot
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe
from station.replay.recorder import RecordedAuthority, RecordedRoute
from station.web.pins import PINs

log = structlog.get_logger()

CHECK_EVERY = 5.0
MEMORY_GIVEN_BACK_EVERY = 300.0
CERTIFICATE_LOOKED_AT_EVERY = 3600.0
LOOKED_FOR_IDLE_EVERY = 0.2
LOOKED_AGAIN_AFTER = 1.0  # seconds until the next look, after boards could not be listed


async def run(config: Config, recipe: Recipe | Laboratory, logs: Log, reread: Reread) -> None:
    """Serves the line until SIGTERM or SIGINT, which void the attempts that run. SIGHUP reopens the log and calls `reread`."""
    stop, hangup = asyncio.Event(), asyncio.Event()

    def hung_up() -> None:
        logs.reopen()  # at once, since logrotate waits for nothing
        hangup.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)
    with orphans.adopted():
        async with parts.opened(config, recipe) as opened:
            station = Station(opened, logs, ServiceManager(os.environ), reread)
            await _serve(station, config, recipe, stop, hangup)
        log.info("station.stopped", station=config.station.name, loop_lag=station.loop_lag.status.model_dump())


async def _serve(
    station: "Station", config: Config, recipe: Recipe | Laboratory, stop: asyncio.Event, hangup: asyncio.Event
) -> None:
    software = version.running()
    log.info(
        "station.started",
        log_schema=LOG_SCHEMA,
        station=config.station.name,
        version=software.number,
        commit=software.commit,
        recipe=recipe.name,
        slots=len(station.slots),
    )
    await station.serve(stop, hangup)


class Station:
    """One running daemon: the line, its slots, and the tasks that watch boards, ledger and PKI."""

    def __init__(self, parts: Parts, logs: Log, manager: ServiceManager, reread: Reread) -> None:
        config = parts.config
        self._manager = manager
        self._logs = logs
        stops = config.pki is not None and config.pki.outage == "stop"
        self.line = Line(parts.settings.suspicion, parts.look, PKI_FAULTS if stops else ())
        equipment = parts.equipment
        samples = Samples(
            parts.ledger.samples, parts.recipe, lambda: parts.settings.config.samples.rules, self.line.open_to_new
        )
        route = None if parts.mes.route is None else RecordedRoute(parts.mes.route, parts.recorder)
        self.slots = {
            slot.path: Slot(
                slot.name,
                self.line,
                parts.recipe,
                RecordedAuthority(parts.relay, parts.recorder),
                equipment.begin,
                equipment.bench,
                route,
                samples,
            )
            for slot in config.slot
        }
        self.loop_lag = LoopLag()
        self._parts = parts
        self._preflight = Preflight(parts, len(self.slots))
        settings = parts.settings
        self._tidying = Tidying(
            config.transcripts, lambda: settings.config.retention, self._attempts_at_work, parts.clock.check
        )
        self._forgetting = Forgetting(parts.ledger, config.ledger, lambda: settings.config.label, parts.clock.check)
        self._printing = LabelPrinting(parts.ledger, config.ledger, parts.recipe)
        self._reloading = Reloading(settings, parts.recipe, reread, self._take_settings)
        self._slot_labels = SlotLabels(config.ledger, self._printing.plan, lambda: map(passed_in, self.slots.values()))
        door = PageDoor(parts, self.line, self.slots, self._preflight, self._slot_labels)
        pins = PINs(PeopleFile(config.people_file))
        self._site = site_of(config.web, door, pins) if config.web.on else None
        self._andon = Andon(door, config.andon.command) if config.andon is not None else None
        self._commands = Commands(
            parts,
            self.line,
            self.slots,
            self._preflight,
            self.loop_lag,
            logs,
            self._site,
            self._andon,
            self._printing,
        )
        if self._site is not None:
            self._site.further += further_routes(parts, door, self._site, self._commands, pins)

    def _attempts_at_work(self) -> set[int]:
        return {attempt for slot in self.slots.values() if (attempt := slot.attempt_at_work) is not None}

    def _take_settings(self) -> None:
        """Uses the settings that were reloaded and that are not read anew each time."""
        self.line.suspicion = self._parts.settings.suspicion
        self._logs.set_level(self._parts.settings.config.log.level)
        self._tidying.soon()

    async def _reload(self, hangup: asyncio.Event) -> None:
        while True:
            await hangup.wait()
            hangup.clear()
            await self._reloading.once()

    async def serve(self, stop: asyncio.Event, hangup: asyncio.Event) -> None:
        """Judges boards until `stop`, or until a failure that only a restart can mend. Each `hangup` reloads the settings."""
        config = self._parts.config
        try:
            await self._preflight.check()
        except LineFault as fault:  # the line starts paused
            self.line.pause(fault)
        async with (
            control.serving(config.control_socket, self._commands.by_name),
            sources.watching(config.hotplug) as hotplug,
        ):
            try:
                await self._work(hotplug, stop, hangup)
            except BaseExceptionGroup as group:
                raise self._told(group) from group

    async def _work(self, hotplug: Hotplug, stop: asyncio.Event, hangup: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = [
                group.create_task(slot.run(), name=f"slot {slot.name}") for slot in self.slots.values()
            ]
            tasks.append(group.create_task(self.loop_lag.watch(), name="loop lag"))
            tasks.append(group.create_task(self._give_memory_back(), name="memory"))
            tasks.append(group.create_task(self._tell_slots(hotplug), name="hotplug"))
            tasks.append(group.create_task(self._watch_ledger(), name="ledger"))
            tasks.append(group.create_task(self._watch_certificate(), name="PKI's certificate"))
            tasks.append(group.create_task(self._watch_ledger_files(), name="ledger's files"))
            tasks.append(group.create_task(self._watch_revocations(), name="revocations"))
            tasks.append(group.create_task(self.line.watch(self._preflight.check, self._check_every), name="line"))
            tasks.append(group.create_task(self._stop_when_drained(stop), name="drain"))
            tasks.append(group.create_task(self._tidying.run(), name="transcripts"))
            tasks.append(group.create_task(self._forgetting.run(), name="forgetting"))
            tasks.append(group.create_task(self._printing.run(), name="labels"))
            tasks.append(group.create_task(self._reload(hangup), name="settings"))
            tasks.append(group.create_task(self._parts.audit.run(), name="checkpoints"))
            tasks.append(group.create_task(self._parts.audit.run_stamping(), name="time stamps"))
            if (shared := self._parts.shared) is not None:
                tasks.append(group.create_task(shared.watch(self.line), name="shared ledger"))
            for name, work in self._parts.mes.tasks(self.line, self.slots).items():
                tasks.append(group.create_task(work, name=name))
            if self._site is not None:
                tasks.append(group.create_task(self._site.run(), name="page"))
                tasks.append(group.create_task(self._slot_labels.run(), name="labels on the page"))
            if self._andon is not None:
                tasks.append(group.create_task(self._andon.run(), name="andon"))
            tasks.append(group.create_task(self._manager.feed_watchdog(), name="watchdog"))
            self._manager.ready(f"{len(self.slots)} slots")
            await stop.wait()
            self._manager.stopping()
            for task in tasks:
                task.cancel()

    async def _stop_when_drained(self, stop: asyncio.Event) -> None:
        """Stops the daemon once the line drains and no attempt is left."""
        await self.line.drains()
        while any(slot.at_work for slot in self.slots.values()):  # noqa: ASYNC110  see below
            await asyncio.sleep(LOOKED_FOR_IDLE_EVERY)  # no event reports that the last slot has become idle
        stop.set()

    def _told(self, group: BaseExceptionGroup[BaseException]) -> BaseException:
        """The exception that ended the tasks; the others were cancelled because of it. A bug keeps the whole group's tracebacks."""
        ended = list(_leaves(group))
        for exc in ended:
            if isinstance(exc, LedgerUnavailable | LedgerDamaged):
                for slot in self.slots.values():
                    slot.abandon(exc)
                log.error("station.failed", fault=exc.code, reason=str(exc))
                return exc
        return ended[0] if all(isinstance(exc, Fault | OSError) for exc in ended) else group

    async def _watch_ledger(self) -> None:
        """Pauses the line while the ledger cannot be written; ends the daemon if it never can again."""
        while True:
            try:
                self.line.pause(await self._parts.ledger.troubled())
            except LineFault as fault:
                self.line.pause(fault)
                raise

    async def _watch_certificate(self) -> None:
        """Warns while the station's certificate at the PKI expires soon: at the start, and then every hour."""
        while self._parts.pki is not None:
            self._parts.pki.look()
            await asyncio.sleep(CERTIFICATE_LOOKED_AT_EVERY)

    @property
    def _check_every(self) -> float:
        """Seconds between two checks of a paused line."""
        pki = self._parts.config.pki
        return pki.check_every if pki else CHECK_EVERY

    async def _give_memory_back(self) -> None:
        """Blocks that live on leave holes between them in the heap, and those of the next boards do not fill all of them."""
        while True:
            await asyncio.sleep(MEMORY_GIVEN_BACK_EVERY)
            allocator.give_back()

    async def _watch_ledger_files(self) -> None:
        """Pauses the line when the ledger's files are moved or deleted, even while no attempt would notice."""
        while True:
            await asyncio.sleep(CHECK_EVERY)
            try:
                await self._parts.ledger.check()
            except LineFault as fault:
                self.line.pause(fault)

    async def _watch_revocations(self) -> None:
        """Pauses the line when its PAI is revoked, or the set cannot be read, even while no attempt would notice."""
        while True:
            await asyncio.sleep(CHECK_EVERY)
            try:
                self._parts.revocations.check()
            except LineFault as fault:
                self.line.pause(fault)

    async def _tell_slots(self, hotplug: Hotplug) -> None:
        while True:
            try:
                event = await hotplug.next()
            except ResourcesExhausted as fault:  # boards count as present where they were last seen
                self.line.pause(fault)
                await asyncio.sleep(LOOKED_AGAIN_AFTER)
                continue
            slot = self.slots.get(event.path)
            if slot is None:
                log.info("board.ignored", path=event.path)  # the path is no slot: never touched
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
