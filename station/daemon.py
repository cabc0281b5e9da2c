"""The daemon: everything is put together here. One TaskGroup, one task a slot, signals, the control socket."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Self

import structlog

from station import control
from station.adapters import partner_script, probe_lock, transcripts
from station.adapters.child import Patience
from station.adapters.cubeprogrammer import CubeProgrammer
from station.adapters.cubeprogrammer_run import Deadlines, Installation
from station.adapters.hotplug import links
from station.adapters.ledger import Ledger
from station.adapters.pki.est import ESTClient
from station.adapters.pki.relay import Limits, Relay
from station.adapters.secret_files import SecretFiles
from station.adapters.verifiers import VerifierPool
from station.config import Config, PKISection
from station.domain.policy import Suspicion
from station.faults import LineFault
from station.faults.slot import SlotHeld
from station.laboratory import Laboratory
from station.line import Line
from station.loop_lag import LoopLag
from station.ports import AttemptJournal, BoardArrived, Hotplug, SecretSource
from station.recipe import Recipe
from station.slot import Slot, Visit
from station.slot_bench import SlotBench
from station.status import LedgerStatus, LineStatus, PKIStatus, SlotStatus, Status
from station.without_pki import WithoutPKI

log = structlog.get_logger()

CHECK_EVERY = 5.0


async def run(config: Config, recipe: Recipe | Laboratory) -> None:
    """Serves the line until SIGTERM or SIGINT. What it leaves open then, the next start closes."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Station.opened(config, recipe) as station:
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
    ) -> None:
        self.config = config
        self.recipe = recipe
        self.ledger = ledger
        policy = config.policy
        self.line = Line(Suspicion(policy.boards_in_a_slot, policy.slots, policy.within_boards))
        self.loop_lag = LoopLag()
        self.began = time.monotonic()
        self.pki_checked: float | None = None
        self._pool = pool
        self._relay = relay
        self._installation = _installation(config, scratch)
        self.slots = {
            slot.path: Slot(slot.name, self.line, recipe, relay, self._begin, self._bench) for slot in config.slot
        }

    @classmethod
    @asynccontextmanager
    async def opened(cls, config: Config, recipe: Recipe | Laboratory) -> AsyncIterator[Self]:
        """A station whose ledger is open, and which has closed what an earlier run left open."""
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            section = config.station
            opening = Ledger.open(config.ledger, station=section.name, register=section.witness, only=True)
            ledger = await enter(opening)
            stack.enter_context(probe_lock.claimed(config.locks, [slot.path for slot in config.slot]))
            for attempt in await ledger.close_open_attempts("station.stopped"):
                log.warning("attempt.closed", attempt=attempt, fault="station.stopped")
            for reason in recipe.trust_left_out:
                log.warning("trust.left_out", reason=reason)
            pool: SecretSource = WithoutPKI()
            relay: Relay | WithoutPKI = WithoutPKI()
            if isinstance(recipe, Recipe):
                pool = await enter(VerifierPool(recipe.iterations, size=2 * len(config.slot)))
                if recipe.delivery is None and config.pki is not None:
                    pki = await enter(_pki_client(config.pki))
                    limits = Limits(answer_within=config.pki.answer_within)
                    relay = await enter(Relay.opened(pki, recipe.anchors.pai, ledger, limits))
            scratch = stack.enter_context(SecretFiles.opened(config.station.name))
            yield cls(config, recipe, ledger, pool, relay, scratch)

    async def serve(self, stop: asyncio.Event) -> None:
        """Judges boards until `stop`, or until something fails that only a new start can mend."""
        await self._preflight()
        commands: dict[str, control.Command] = {
            "status": self._status,
            "hold": self._hold,
            "release": self._release,
        }
        async with (
            control.serving(self.config.control_socket, commands),
            links.watching(self.config.hotplug.directory) as hotplug,
            asyncio.TaskGroup() as group,
        ):
            tasks: list[asyncio.Task[None]] = [
                group.create_task(slot.run(), name=f"slot {slot.name}") for slot in self.slots.values()
            ]
            tasks.append(group.create_task(self.loop_lag.watch(), name="loop lag"))
            tasks.append(group.create_task(self._tell_slots(hotplug), name="hotplug"))
            tasks.append(group.create_task(self._watch_ledger(), name="ledger"))
            tasks.append(group.create_task(self.line.watch(self._check, self._check_every), name="line"))
            await stop.wait()
            for task in tasks:
                task.cancel()

    @property
    def _check_every(self) -> float:
        """Seconds between two looks at what a paused line waits for; without a PKI there is nothing that mends itself."""
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
        await self._relay.check()
        if isinstance(self._relay, Relay):
            self.pki_checked = time.monotonic()
        if isinstance(self.recipe, Recipe) and self.recipe.delivery and self.recipe.delivery.script:
            await partner_script.check(self.recipe.delivery.script, transcripts.recorder(self.config.transcripts, 0))

    async def _watch_ledger(self) -> None:
        """Pauses the line when the ledger's files are taken away, also while no board is there to notice it."""
        while True:
            await asyncio.sleep(CHECK_EVERY)
            try:
                await self.ledger.check()
            except LineFault as fault:
                self.line.pause(fault)

    async def _tell_slots(self, hotplug: Hotplug) -> None:
        while True:
            event = await hotplug.next()
            slot = self.slots.get(event.path)
            if slot is None:
                log.info("board.ignored", path=event.path)  # not on the slot list: never touched
            elif isinstance(event, BoardArrived):
                slot.board_arrived(event)
            else:
                slot.board_left()

    async def _begin(self, slot: str, arrival: BoardArrived) -> AttemptJournal:
        return await self.ledger.attempt(
            slot=slot, probe=arrival.probe, tty=arrival.tty, recipe=self.recipe, secrets=self._pool
        )

    def _bench(self, visit: Visit, attempt: int) -> SlotBench:
        record = transcripts.recorder(self.config.transcripts, attempt)
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
            self.line.release()
            slots = [slot for slot in self.slots.values() if slot.out_of_service is not None]
        for slot in slots:
            slot.release()
        return {"released": [slot.name for slot in slots]}

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
            loop_lag=self.loop_lag.status,
            slots=[SlotStatus.of(slot, path) for path, slot in self.slots.items()],
        )


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
