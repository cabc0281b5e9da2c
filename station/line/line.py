# SPDX-License-Identifier: Apache-2.0
"""The line, shared by all slots: open, or paused by a fault that no slot can mend. It remembers the last verdicts."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from station.domain.intervention import Intervention
from station.domain.policy import Judged, Suspicion, consequence, line_suspected, slot_suspected
from station.faults import LineFault
from station.faults.line import LineSuspected
from station.line.visits import PresentUnits

log = structlog.get_logger()

REMEMBERED = 500  # verdicts; enough for the last boards of every slot


class Line:
    """Open, or paused by a fault that no slot can mend."""

    def __init__(
        self,
        suspicion: Suspicion,
        check: Callable[[], None] = lambda: None,
        stopping: tuple[type[LineFault], ...] = (),
    ) -> None:
        """`check` must be cheap: it runs before every attempt and raises the fault that then pauses the line.

        Faults that are `stopping` need a person, although they could mend themselves.
        """
        self._paused_by: LineFault | None = None
        self._closed_to_new: LineFault | None = None  # a fault that holds only boards without an identity
        self._check = check
        self._stopping = stopping
        self.units = PresentUnits(self.pause)
        self.suspicion = suspicion  # read at each verdict
        self._history: deque[Judged] = deque(maxlen=REMEMBERED)
        self._open = asyncio.Event()
        self._open.set()
        self._paused = asyncio.Event()
        self._open_to_new = asyncio.Event()
        self._open_to_new.set()
        self._draining = asyncio.Event()

    @property
    def draining(self) -> bool:
        """Whether no attempt begins any more."""
        return self._draining.is_set()

    async def drains(self) -> None:
        """Waits until somebody lets the line drain."""
        await self._draining.wait()

    @property
    def paused_by(self) -> LineFault | None:
        """The fault by which the line is paused: for all boards, or for new ones."""
        return self._paused_by or self._closed_to_new

    @property
    def stopped_by(self) -> str | None:
        """The code of the fault by which the line is paused."""
        return self.paused_by.code if self.paused_by else None

    @property
    def goes_on_by_itself(self) -> bool:
        """Whether the fault that pauses the line needs no person."""
        return self.paused_by is not None and self._mends_itself(self.paused_by)

    def drain(self, by: Intervention) -> None:
        """Begins no further attempt; those that run go on to their verdicts."""
        log.info("line.draining", reason=by.reason or None, who=by.who)
        self._draining.set()
        self._open.clear()

    def pause(self, fault: LineFault) -> None:
        """Pauses the line. A fault that needs a person is not replaced by a later one that mends itself."""
        if consequence(fault).for_new_boards:
            self._close_to_new(fault)
            return
        before = self._paused_by
        if before is not None and not self._mends_itself(before):
            return
        if before is None or before.code != fault.code:
            log.error("line.paused", fault=fault.code, reason=str(fault))
        self._paused_by = fault
        self._open.clear()
        self._paused.set()

    def _close_to_new(self, fault: LineFault) -> None:
        if self._closed_to_new is None or self._closed_to_new.code != fault.code:
            log.error("line.paused", fault=fault.code, reason=str(fault))
        self._closed_to_new = fault
        self._open_to_new.clear()

    def open_to_new(self, *only_after: type[LineFault]) -> None:
        """Lets boards without an identity try again, because what held them has changed; `only_after`: if it was one of these faults."""
        if only_after and not isinstance(self._closed_to_new, only_after):
            return
        if self._closed_to_new is not None:
            log.info("line.resumed", fault=self._closed_to_new.code)
        self._closed_to_new = None
        self._open_to_new.set()

    def resume(self) -> None:
        """Opens the line again, if it is paused for all boards."""
        if self._paused_by is not None:
            log.info("line.resumed", fault=self._paused_by.code)
        self._paused_by = None
        self._paused.clear()
        if not self.draining:
            self._open.set()

    def release(self, by: Intervention, cause: LineFault | None = None) -> None:
        """Forgets the remembered verdicts after a person has looked, and reopens the line unless a `cause` stays."""
        log.info("line.released", fault=self.stopped_by, reason=by.reason or None, who=by.who)
        self._history.clear()
        self.open_to_new()
        if cause is None:
            self.resume()
            return
        if self._paused_by is not None and self._paused_by.code != cause.code:
            self._paused_by = None  # the person has answered for that fault
        self.pause(cause)

    async def opened(self, *, new: bool = False) -> None:
        """Waits until an attempt may begin; `new`: on a board that has no identity and was held for that."""
        while True:
            if new:
                await self._open_to_new.wait()
            await self._open.wait()
            # closed again after this task was woken and before it ran
            if not self._open.is_set() or (new and not self._open_to_new.is_set()):
                continue
            try:
                self._check()
            except LineFault as fault:
                self.pause(fault)
            else:
                return

    def remember(self, judged: Judged) -> None:
        """Remembers a verdict, and pauses the line if the same fault has ended attempts in too many slots."""
        self._history.append(judged)
        if cause := line_suspected(list(self._history), self.suspicion):
            self.pause(LineSuspected(cause))

    def suspects(self, slot: str) -> bool:
        """Whether the last boards in this slot all ended with the same fault."""
        return slot_suspected(list(self._history), slot, self.suspicion)

    def forget(self, slot: str) -> None:
        """Forgets this slot's verdicts, because a person has looked at it."""
        kept = [judged for judged in self._history if judged.slot != slot]
        self._history = deque(kept, maxlen=REMEMBERED)

    async def watch(self, check: Callable[[], Awaitable[None]], every: float) -> None:
        """While the line is paused by a fault that may mend itself, runs `check` every `every` seconds, and resumes when it passes."""
        while True:
            await self._paused.wait()
            await asyncio.sleep(every)
            if self._paused_by is None or not self._mends_itself(self._paused_by):
                continue
            try:
                await check()
            except LineFault as fault:
                self.pause(fault)
            else:
                self.resume()

    def _mends_itself(self, fault: LineFault) -> bool:
        return consequence(fault).mends_itself and not isinstance(fault, self._stopping)
