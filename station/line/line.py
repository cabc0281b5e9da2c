# SPDX-License-Identifier: Apache-2.0
"""The line: the state that all slots share, open or paused by a `LineFault`, and the latest verdicts of all slots."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from station.domain.policy import Judged, Suspicion, consequence, line_suspected, slot_suspected
from station.faults import LineFault
from station.faults.line import LineSuspected
from station.line.visits import PresentUnits

log = structlog.get_logger()

REMEMBERED = 500  # verdicts; enough for the last boards of every slot


class Line:
    """Open, or paused by a fault that no slot can mend."""

    def __init__(self, suspicion: Suspicion, check: Callable[[], None] = lambda: None) -> None:
        """`check` is called before every attempt and must be cheap; a `LineFault` that it raises pauses the line."""
        self.paused_by: LineFault | None = None
        self._check = check
        self.units = PresentUnits(self.pause)
        self._suspicion = suspicion
        self._history: deque[Judged] = deque(maxlen=REMEMBERED)
        self._open = asyncio.Event()
        self._open.set()
        self._paused = asyncio.Event()

    def pause(self, fault: LineFault) -> None:
        """Pauses the line. A fault that needs a person is kept even if another one follows."""
        before = self.paused_by
        if before is not None and not consequence(before).mends_itself:
            return
        if before is None or before.code != fault.code:
            log.error("line.paused", fault=fault.code, reason=str(fault))
        self.paused_by = fault
        self._open.clear()
        self._paused.set()

    def resume(self) -> None:
        """Opens the line again, if it is paused."""
        if self.paused_by is not None:
            log.info("line.resumed", fault=self.paused_by.code)
        self.paused_by = None
        self._paused.clear()
        self._open.set()

    def release(self) -> None:
        """Opens the line on a person's word, and forgets the verdicts that may have paused it."""
        self._history.clear()
        self.resume()

    async def opened(self) -> None:
        """Waits until an attempt may begin."""
        while True:
            await self._open.wait()
            try:
                self._check()
            except LineFault as fault:
                self.pause(fault)
            else:
                return

    def remember(self, judged: Judged) -> None:
        """Records a verdict, and pauses the line if the same cause came up in too many slots."""
        self._history.append(judged)
        if cause := line_suspected(list(self._history), self._suspicion):
            self.pause(LineSuspected(cause))

    def suspects(self, slot: str) -> bool:
        """Whether the latest boards in this slot all ended with the same cause."""
        return slot_suspected(list(self._history), slot, self._suspicion)

    def forget(self, slot: str) -> None:
        """Forgets this slot's verdicts, since a person has released the slot."""
        kept = [judged for judged in self._history if judged.slot != slot]
        self._history = deque(kept, maxlen=REMEMBERED)

    async def watch(self, check: Callable[[], Awaitable[None]], every: float) -> None:
        """While a fault that may mend itself pauses the line, calls `check` every `every` seconds; resumes once it raises none."""
        while True:
            await self._paused.wait()
            await asyncio.sleep(every)
            if self.paused_by is None or not consequence(self.paused_by).mends_itself:
                continue
            try:
                await check()
            except LineFault as fault:
                self.pause(fault)
            else:
                self.resume()
