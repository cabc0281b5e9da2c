"""The daemon: everything is put together here. One TaskGroup, one task a slot, signals, the control socket."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from typing import Self

import structlog

from station.adapters.hotplug import links
from station.adapters.ledger import Ledger, ReleaseRefused
from station.adapters.partner import script
from station.adapters.pki.est import ESTClient
from station.adapters.pki.relay import Limits, Relay
from station.adapters.programmer import probe_lock
from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system import orphans, resources
from station.adapters.system.child import Patience
from station.adapters.system.logs import Log
from station.adapters.system.secret_files import SecretFiles
from station.adapters.system.transcripts import Transcripts
from station.adapters.system.verifiers import VerifierPool
from station.config.line import Config, PKISection
from station.daemon import control
from station.daemon.absent_pki import WithoutPKI
from station.daemon.equipment import SlotBench
from station.domain.attempt import STATION_STOPPED
from station.domain.policy import Suspicion
from station.domain.target import UID
from station.faults import Fault, LineFault
from station.faults.line import ClockContradicted, LedgerDamaged, LedgerUnavailable, ResourcesExhausted
from station.faults.slot import SlotHeld
from station.interfaces import AttemptJournal, BoardArrived, Hotplug, SecretSource
from station.line.line import Line
from station.line.loop_lag import LoopLag
from station.line.slot import Slot
from station.line.status import LedgerStatus, LineStatus, LogStatus, PKIStatus, SlotStatus, Status
from station.line.visits import Visit
from station.line.wall_clock import WallClock
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()

CHECK_EVERY = 5.0
READ_BACK = 1 << 16  # bytes: what one run reads from a board, and more
WRITABLE_WITHIN = 10.0  # the ledger, at the start; later on a line waits for it
LOOKED_AGAIN_AFTER = 1.0  # seconds, where the places of boards could not be looked at


async def run(config: Config, recipe: Recipe | Laboratory, logs: Log) -> None:
    """Serves the line until SIGTERM or SIGINT. What it leaves open then, the next start closes. SIGHUP reopens the log."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, logs.reopen)
    with orphans.adopted():
        await _serve(config, recipe, logs, stop)


async def _serve(config: Config, recipe: Recipe | Laboratory, logs: Log, stop: asyncio.Event) -> None:
    async with Station.opened(config, recipe, logs) as station:
        log.info("station.started", station=config.station.name, recipe=recipe.name, slots=len(station.slots))
        await station.serve(stop)
    log.info("station.stopped", station=config.station.name, loop_lag=station.loop_lag.status.model_dump())


class Station:
    """The parts of one running daemon."""

    def __init__(
        self,
        config: Config,
        recipe: Recipe | Laboratory,
        ledger: Ledger,
        pool: SecretSource,
        relay: Relay | WithoutPKI,
        scratch: SecretFiles,
        clock: WallClock,
        logs: Log,
    ) -> None:
        self.config = config
        self.recipe = recipe
        self.ledger = ledger
        policy = config.policy
        self.clock = clock
        self.line = Line(Suspicion(policy.boards_in_a_slot, policy.slots, policy.within_boards), clock.check)
        self.loop_lag = LoopLag()
        self.began = time.monotonic()
        self.pki_checked: float | None = None
        self._pool = pool
        self._relay = relay
        self.transcripts = Transcripts(config.transcripts)
        self._logs = logs
        self._installation = _installation(config, scratch)
        self.slots = {
            slot.path: Slot(slot.name, self.line, recipe, relay, self._begin, self._bench) for slot in config.slot
        }

    @classmethod
    @asynccontextmanager
    async def opened(cls, config: Config, recipe: Recipe | Laboratory, logs: Log) -> AsyncIterator[Self]:
        """A station whose ledger is open, and which has closed what an earlier run left open."""
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            section = config.station
            opening = Ledger.open(config.ledger, station=section.name, register=section.witness, only=True)
            ledger = await enter(opening)
            stack.enter_context(probe_lock.claimed(config.locks, [slot.path for slot in config.slot]))
            for attempt in await _closed_attempts(ledger):
                log.warning("attempt.closed", attempt=attempt, fault=STATION_STOPPED)
            for reason in recipe.trust_left_out:
                log.warning("trust.left_out", reason=reason)
            last_entry = await ledger.last_entry()
            clock = WallClock(last_entry, lambda: None)
            pool: SecretSource = WithoutPKI()
            relay: Relay | WithoutPKI = WithoutPKI()
            if isinstance(recipe, Recipe):
                pool = await enter(VerifierPool(recipe.iterations, size=2 * len(config.slot)))
                if recipe.delivery is None and config.pki is not None:
                    pki = await enter(_pki_client(config.pki))
                    clock = WallClock(last_entry, pki.time)
                    limits = Limits(answer_within=config.pki.answer_within)
                    relay = await enter(Relay.opened(pki, recipe.anchors.pai, ledger, limits))
            scratch = stack.enter_context(SecretFiles.opened(config.station.name))
            yield cls(config, recipe, ledger, pool, relay, scratch, clock, logs)

    async def serve(self, stop: asyncio.Event) -> None:
        """Judges boards until `stop`, or until something fails that only a new start can mend."""
        await self._preflight()
        commands: dict[str, control.Command] = {
            "status": self._status,
            "hold": self._hold,
            "release": self._release,
            "fresh": self._fresh,
        }
        async with (
            control.serving(self.config.control_socket, commands),
            links.watching(self.config.hotplug.directory) as hotplug,
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
            tasks.append(group.create_task(self.line.watch(self._check, self._check_every), name="line"))
            await stop.wait()
            for task in tasks:
                task.cancel()

    def _told(self, group: BaseExceptionGroup[BaseException]) -> BaseException:
        """What ended the tasks, for one sentence: the others were cancelled for it. A bug keeps its tracebacks."""
        ended = list(_leaves(group))
        for exc in ended:
            if isinstance(exc, LedgerUnavailable | LedgerDamaged):
                for slot in self.slots.values():
                    slot.abandon(exc)
                log.error("station.failed", fault=exc.code, reason=str(exc))
                return exc
        return ended[0] if all(isinstance(exc, Fault | OSError) for exc in ended) else group

    async def _watch_ledger(self) -> None:
        """Pauses the line while the ledger cannot be written; ends the daemon when it never can."""
        while True:
            try:
                self.line.pause(await self.ledger.troubled())
            except LineFault as fault:
                self.line.pause(fault)
                raise

    @property
    def _check_every(self) -> float:
        """Seconds between two looks at what a paused line waits for."""
        return self.config.pki.check_every if self.config.pki else CHECK_EVERY

    async def _preflight(self) -> None:
        """What can be known before a board is touched: a line that cannot work begins paused."""
        try:
            await self._check()
        except LineFault as fault:
            self.line.pause(fault)

    async def _check(self) -> None:
        """Raises the fault that keeps the line from working."""
        await self.ledger.check()
        await resources.check(len(self.slots))
        largest = max((len(image.content) for image in self.recipe.images), default=0)  # a laboratory may flash none
        self._installation.scratch.check(READ_BACK + largest)
        self._installation.check_loader()
        try:
            await self._relay.check()
        except LineFault:
            self.clock.check()  # by a wrong clock good certificates are not valid
            raise
        self.clock.check()
        if isinstance(self._relay, Relay):
            self.pki_checked = time.monotonic()
        if isinstance(self.recipe, Recipe) and self.recipe.delivery and self.recipe.delivery.script:
            await script.check(self.recipe.delivery.script, self.transcripts.recorder(0))

    async def _watch_ledger_files(self) -> None:
        """Pauses the line when the ledger's files are taken away, also while no board is there to notice it."""
        while True:
            await asyncio.sleep(CHECK_EVERY)
            try:
                await self.ledger.check()
            except LineFault as fault:
                self.line.pause(fault)

    async def _tell_slots(self, hotplug: Hotplug) -> None:
        while True:
            try:
                event = await hotplug.next()
            except ResourcesExhausted as fault:  # boards stay where they were seen last
                self.line.pause(fault)
                await asyncio.sleep(LOOKED_AGAIN_AFTER)
                continue
            slot = self.slots.get(event.path)
            if slot is None:
                log.info("board.ignored", path=event.path)  # not on the slot list: never touched
            elif isinstance(event, BoardArrived):
                slot.board_arrived(event)
            else:
                slot.board_left()

    async def _begin(self, slot: str, arrival: BoardArrived) -> AttemptJournal:
        journal = await self.ledger.attempt(
            slot=slot, probe=arrival.probe, tty=arrival.tty, recipe=self.recipe, secrets=self._pool
        )
        if (accepted := self.clock.entered()) is not None:
            await journal.record(accepted)
        return journal

    def _bench(self, visit: Visit, attempt: int) -> SlotBench:
        record = self.transcripts.recorder(attempt)
        programmer = CubeProgrammer(self._installation, visit.arrival.probe, visit.gone, record)
        slot = self.slots[visit.arrival.path].name
        recipe = self.recipe if isinstance(self.recipe, Recipe) else None
        return SlotBench(programmer, slot, visit.arrival.tty, self.config.board, visit.gone, record, recipe)

    async def _hold(self, question: Mapping[str, object]) -> control.Answer:
        slot = self._named(question.get("slot"))
        slot.take_out(SlotHeld())
        return {"held": slot.name}

    async def _release(self, question: Mapping[str, object]) -> control.Answer:
        """The slots that are named, or all that are out of service; and the line with the latter."""
        name = question.get("slot")
        if name is not None:
            slots = [self._named(name)]
        else:
            self._accept_clock()
            self.line.release()
            if (trouble := self.ledger.trouble) is not None:  # it is not over for that
                self.line.pause(trouble)
            slots = [slot for slot in self.slots.values() if slot.out_of_service is not None]
        for slot in slots:
            slot.release()
        return {"released": [slot.name for slot in slots]}

    def _accept_clock(self) -> None:
        """Who releases a line that waits for its clock says that the clock is right, which the PKI must say, too."""
        if not isinstance(self.line.paused_by, ClockContradicted):
            return
        try:
            self.clock.accept(pki_needed=isinstance(self._relay, Relay))
        except ClockContradicted as fault:
            raise control.CommandRefused(f"the line stays paused: {fault}") from fault

    async def _fresh(self, question: Mapping[str, object]) -> control.Answer:
        """A board with a key from elsewhere is provisioned as a new one, if that is all that is in its way."""
        text, account, reason = (str(question.get(name, "")) for name in ("uid", "account", "reason"))
        try:
            uid = UID(bytes.fromhex(text))
        except ValueError as exc:
            raise control.CommandRefused("a UID has 24 hexadecimal digits") from exc
        try:
            await self.ledger.release_unit(uid, account=account, reason=reason)
        except ReleaseRefused as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info("unit.released", uid=str(uid), account=account, reason=reason)
        return {"released": str(uid)}

    def _named(self, name: object) -> Slot:
        for slot in self.slots.values():
            if slot.name == name:
                return slot
        raise control.CommandRefused(
            f"there is no slot {name}; there are {', '.join(s.name for s in self.slots.values())}"
        )

    async def _status(self, _question: object) -> control.Answer:
        paused_by = self.line.paused_by
        answered = None if self.pki_checked is None else round(time.monotonic() - self.pki_checked, 1)
        pki_fault = paused_by.code if paused_by and paused_by.code.startswith("pki.") else None
        return Status(
            station=self.config.station.name,
            pid=os.getpid(),
            seconds=round(time.monotonic() - self.began, 1),
            recipe=self.recipe.name,
            line=LineStatus.of(self.line),
            pki=PKIStatus(
                url=self.config.pki.url if self.config.pki else "none", answered_seconds_ago=answered, fault=pki_fault
            ),
            ledger=LedgerStatus.model_validate(self.ledger.status),
            transcripts_lost=self.transcripts.lost,
            log=[LogStatus(**asdict(sink)) for sink in self._logs.status],
            loop_lag=self.loop_lag.status,
            slots=[SlotStatus.of(slot, path) for path, slot in self.slots.items()],
        )


async def _closed_attempts(ledger: Ledger) -> list[int]:
    """The attempts that an earlier run left open, which are void now; raises `LedgerUnavailable`, since no line stands yet to wait."""
    try:
        async with asyncio.timeout(WRITABLE_WITHIN):
            return await ledger.close_open_attempts(STATION_STOPPED)
    except TimeoutError:
        if (trouble := ledger.trouble) is None:
            raise
        raise trouble from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for exc in group.exceptions:
        if isinstance(exc, BaseExceptionGroup):
            yield from _leaves(exc)
        else:
            yield exc


def _installation(config: Config, scratch: SecretFiles) -> Installation:
    programmer = config.programmer
    deadlines = Deadlines(
        connect_within=programmer.connect_within,
        idle_within=programmer.idle_within,
        upgrade_within=programmer.upgrade_within,
        patience=Patience(programmer.stop_within, programmer.stop_within),
    )
    return Installation(programmer.cli, programmer.external_loader, scratch, config.locks, deadlines)


def _pki_client(pki: PKISection) -> AbstractAsyncContextManager[ESTClient]:
    return ESTClient.opened(
        pki.url,
        ca=pki.ca,
        certificate=pki.certificate,
        key=pki.key,
        connect_within=pki.connect_within,
        reply_within=pki.reply_within,
    )
