# SPDX-License-Identifier: Apache-2.0
"""Tells listeners what happens on the line: looks at the slots eight times a second while somebody listens, and beats once a second.

A listener that does not read is dropped; nothing here waits for one.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog
from pydantic import BaseModel

from station.domain.attempt import Phase, ProcedureName
from station.faults import LineFault
from station.line.states import SlotState
from station.web.catalogue import ENTRIES
from station.web.door import Door
from station.web.models import NO_STOCK, Board, Last, Late, Line, Lot, Planned, Plans, Slot
from station.web.stream import Kept, framed

log = structlog.get_logger()

LOOK_EVERY = 0.125  # seconds: so a change is on the page within 200 ms
LOOKS_PER_BEAT = 8
READ_EVERY = 2.0  # seconds between two looks at the ledger, after a verdict
PLANS_EVERY = 60.0
LISTENERS = 32
QUEUE = 512  # events that a listener may lag behind

# Until the ledger has passes to learn from: about what a board on a real line takes.
FIRST_PLAN: Plans = {
    ProcedureName.PROVISION.value: [
        Planned(step=Phase.RECOGNISE.value, seconds=1.0),
        Planned(step=Phase.FLASH_DATA.value, seconds=1.5),
        Planned(step=Phase.FLASH_PROVISIONER.value, seconds=1.0),
        Planned(step=Phase.AWAIT_CSR.value, seconds=1.0),
        Planned(step=Phase.RELAY_TO_PKI.value, seconds=0.5),
        Planned(step=Phase.DELIVER.value, seconds=0.5),
        Planned(step=Phase.FLASH_OPERATIONAL.value, seconds=12.0),
        Planned(step=Phase.CONFIRM.value, seconds=1.5),
    ],
    ProcedureName.PROVISION_IN_RAM.value: [
        Planned(step=Phase.RECOGNISE.value, seconds=1.0),
        Planned(step=Phase.FLASH_DATA.value, seconds=1.5),
        Planned(step=Phase.FLASH_OPERATIONAL.value, seconds=10.0),
        Planned(step=Phase.FLASH_PROVISIONER.value, seconds=0.5),
        Planned(step=Phase.AWAIT_CSR.value, seconds=1.0),
        Planned(step=Phase.RELAY_TO_PKI.value, seconds=0.5),
        Planned(step=Phase.DELIVER.value, seconds=0.5),
        Planned(step=Phase.CONFIRM.value, seconds=2.5),
    ],
}


def planned_by(limits: Mapping[str, float]) -> Plans:
    """The first plans with the recipe's limits, by step, instead of our guesses, and with the further steps that it limits."""
    return {procedure: list(_limited(plan, limits)) for procedure, plan in FIRST_PLAN.items()}


def _limited(plan: Sequence[Planned], limits: Mapping[str, float]) -> Iterator[Planned]:
    first, *others = [each.step for each in plan]
    seconds = {each.step: each.seconds for each in plan} | dict(limits)
    for step in (first, Phase.COPROCESSOR.value, *others, Phase.LOCK.value):
        if step in seconds:
            yield Planned(step=step, seconds=seconds[step])


class Listener:
    """One open stream: the events that wait for it. `cut` ends its connection at once."""

    def __init__(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(QUEUE)
        self._ended = False

    def tell(self, frame: bytes) -> bool:
        """Queues an event; False if the queue is full."""
        try:
            self._waiting.put_nowait(frame)
        except asyncio.QueueFull:
            return False
        return True

    def drop(self) -> None:
        """Ends the connection without another word."""
        self._ended = True
        self._cut()

    def say_goodbye(self) -> None:
        """Ends the stream after what waits, if there is room for its last event."""
        self._ended = True
        self.tell(framed("bye", {}))

    async def next(self) -> bytes | None:
        """All that waits, as soon as something does; None after the end."""
        if self._ended and self._waiting.empty():
            return None
        frames = [await self._waiting.get()]
        while not self._waiting.empty():
            frames.append(self._waiting.get_nowait())
        return b"".join(frames)


class Hub:
    """`version` is that of the page that belongs to this daemon."""

    def __init__(self, door: Door, version: str) -> None:
        self._door = door
        self._version = version
        self._kept = Kept(secrets.token_hex(4))
        self._listeners: set[Listener] = set()
        self._wanted = asyncio.Event()
        self._marks: Mapping[str, object] = {}
        self._line: Line | None = None
        self._lot: Lot | None = None
        self._mes: int | None = None
        self._shared = NO_STOCK
        self._last: Last | None = None
        self._told: dict[str, Last] = {}
        self._plans = FIRST_PLAN
        self._verdicts = asyncio.Event()  # some slot has changed since the ledger was read

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    @property
    def full(self) -> bool:
        return len(self._listeners) >= LISTENERS

    def board(self) -> Board:
        """All that the page shows, as it is now."""
        self.look()
        about = self._door.about
        return Board(
            version=self._version,
            station=about.station,
            recipe=about.recipe,
            product=about.product,
            columns=about.columns,
            line=self._door.line(),
            lot=self._lot,
            last=self._last,
            plans=self._plans,
            mes=self._mes,
            shared=self._shared,
            slots=[self._door.slot(name) for name in self._marks],
        )

    @contextmanager
    def listening(self, known: str | None, cut: Callable[[], None]) -> Iterator[Listener]:
        """A listener that gets first the events after the one it knows, or else the whole board, and then a beat."""
        listener = Listener(cut)
        board = self.board()  # looks, so that what is kept reaches until now
        missed = self._kept.after(known)
        first = [framed("snapshot", board, self._kept.id)] if missed is None else missed
        listener.tell(b"".join([*first, framed("beat", {})]))
        self._listeners.add(listener)
        self._wanted.set()
        try:
            yield listener
        finally:
            self._forget(listener)

    def look(self) -> None:
        """Tells what has changed since the last look."""
        line = self._door.line()
        if line != self._line:
            self._line = line
            self._tell("line", line)
        mes = self._door.mes()
        if mes != self._mes:
            self._mes = mes
            self._tell("mes", Late(late=mes))
        shared = self._door.shared()
        if shared != self._shared:
            self._shared = shared
            self._tell("shared", shared)
        marks = self._door.marks()
        changed = [name for name, mark in marks.items() if self._marks.get(name) != mark]
        self._marks = marks
        slots = [self._door.slot(name) for name in changed]
        for slot in slots:
            self._tell("slot", slot)
        for slot in sorted(
            slots, key=lambda slot: slot.attempt or 0
        ):  # several at one look: the newest attempt's is last
            self._follow(slot)
        if changed:
            self._verdicts.set()

    def _follow(self, slot: Slot) -> None:
        """Tells the slot's fault if it is new."""
        last = fault_shown(slot)
        if last is None or last == self._told.get(slot.slot):
            return
        self._told[slot.slot] = self._last = last
        self._tell("last", last)

    def _tell(self, event: str, data: BaseModel | dict[str, object]) -> None:
        self._send(self._kept.add(event, data))

    def _send(self, frame: bytes) -> None:
        for listener in list(self._listeners):
            if not listener.tell(frame):
                log.info("web.listener_dropped")
                self._forget(listener)
                listener.drop()

    def _forget(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        if not self._listeners:
            self._wanted.clear()

    async def watch(self) -> None:
        """Looks and beats while somebody listens. A beat says that the slots were looked at, so it comes from here alone."""
        looks = 0
        while True:
            await self._wanted.wait()
            self.look()
            looks += 1
            if looks % LOOKS_PER_BEAT == 0:
                self._send(framed("beat", {}))
            await asyncio.sleep(LOOK_EVERY)

    async def read_lot(self) -> None:
        """Reads the lot's counts after each change, while somebody listens."""
        while True:
            await self._wanted.wait()
            await self._verdicts.wait()
            self._verdicts.clear()
            try:
                lot = await self._door.lot()
            except LineFault:  # the line itself pauses for it: the counts stay as they were known
                lot = self._lot
            if lot != self._lot:
                self._lot = lot
                self._tell("lot", lot or {})
            await asyncio.sleep(READ_EVERY)

    async def read_plans(self) -> None:
        """Learns now and then from the last passes how long each step takes, while somebody listens."""
        while True:
            await self._wanted.wait()
            try:
                plans = FIRST_PLAN | await self._door.plans()
            except LineFault:
                plans = self._plans
            if plans != self._plans:
                self._plans = plans
                self._tell("plans", {name: [each.model_dump() for each in steps] for name, steps in plans.items()})
            await asyncio.sleep(PLANS_EVERY)

    def close(self) -> None:
        """Says goodbye to all who listen."""
        for listener in self._listeners:
            listener.say_goodbye()


def fault_shown(slot: Slot) -> Last | None:
    """The fault that a slot shows, or that its last board had when it was pulled out."""
    if slot.taken is not None and slot.taken.fault is not None:
        return _last(slot, slot.taken.verdict, slot.taken.attempt, slot.taken.fault)
    verdict = {SlotState.FAIL: "fail", SlotState.VOID: "void", SlotState.OUT_OF_SERVICE: "out"}.get(
        SlotState(slot.state)
    )
    if verdict is None or slot.fault is None:
        return None
    return _last(slot, verdict, slot.attempt, slot.fault)


def _last(slot: Slot, verdict: str, attempt: int | None, fault: str) -> Last:
    entry = ENTRIES[fault]
    return Last(
        slot=slot.slot, verdict=verdict, attempt=attempt, fault=fault, act=entry.act.value, sentence=entry.sentence
    )
