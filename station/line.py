"""The line: what all slots share. It is open, or paused by a fault that no slot can mend."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from station.domain.policy import consequence
from station.faults import LineFault

log = structlog.get_logger()


class Line:
    """Open, or paused until the cause of its pause is gone."""

    def __init__(self) -> None:
        self.paused_by: LineFault | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._paused = asyncio.Event()

    def pause(self, fault: LineFault) -> None:
        if self.paused_by is None or self.paused_by.code != fault.code:
            log.error("line.paused", fault=fault.code, reason=str(fault), **fault.evidence)
        self.paused_by = fault
        self._open.clear()
        self._paused.set()

    def resume(self) -> None:
        if self.paused_by is not None:
            log.info("line.resumed", fault=self.paused_by.code)
        self.paused_by = None
        self._paused.clear()
        self._open.set()

    async def opened(self) -> None:
        """Returns when work may begin."""
        await self._open.wait()

    async def watch(self, check: Callable[[], Awaitable[None]], every: float) -> None:
        """While the line is paused by what may mend itself, runs `check` every so many seconds until it raises no fault."""
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
