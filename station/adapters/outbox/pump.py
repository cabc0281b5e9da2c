# SPDX-License-Identifier: Apache-2.0
"""Empties one receiver's outbox: in order for each board, again and again, and never at the cost of other boards."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from station.adapters.system.shown import shown
from station.faults import LineFault
from station.interfaces import Outbox
from station.mes.message import Answer, Counts, Delivered, Failed, Refused, Waiting

log = structlog.get_logger()

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
MOST_REFUSALS = 10
AT_ONCE = 20  # messages of one look into the ledger
LOOKED_AFTER = 60.0  # seconds after which a pump looks again without news
LEDGER_AGAIN_AFTER = 5.0
LONGEST_ERROR = 300

Deliver = Callable[[Waiting], Awaitable[Answer]]


class Clock(Protocol):
    """Time, which a test may let pass as it likes."""

    def now(self) -> datetime: ...

    async def wait(self, news: asyncio.Event, seconds: float) -> None:
        """Returns at the news, and at the latest after so many seconds."""


class SystemClock:
    """The computer's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def wait(self, news: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await news.wait()
        except TimeoutError:
            return


def pause_after(failures: int) -> float:
    """Seconds until the next try, doubling from 1 s to 5 min."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE)


class Pump:
    """Delivers one receiver's messages. `news` is set when there are new ones."""

    def __init__(self, sink: str, outbox: Outbox, deliver: Deliver, clock: Clock, news: asyncio.Event) -> None:
        self.sink = sink
        self.counts = Counts()
        self.up = True
        """Whether the receiver answered at the last try."""
        self.died = 0
        """Messages that were given up since the start."""
        self._outbox = outbox
        self._deliver = deliver
        self._clock = clock
        self._news = news
        self._failures = 0  # without an answer in between
        self._not_before = clock.now()
        self._decided = False

    async def run(self) -> None:
        """Delivers until it is cancelled. While the ledger cannot be used it waits: the line pauses for that by itself."""
        while True:
            self._news.clear()
            try:
                await self.look()
                seconds = await self.round()
            except LineFault:
                seconds = LEDGER_AGAIN_AFTER
            if seconds > 0:
                await self._clock.wait(self._news, seconds)

    async def look(self) -> None:
        """Counts what waits."""
        self.counts = await self._outbox.counts(self.sink)

    async def round(self) -> float:
        """Tries what is due. Returns the seconds until more may be due."""
        if (pause := self._seconds_until(self._not_before)) > 0:
            return pause
        self._decided = False
        due = await self._outbox.due(self.sink, self._clock.now(), AT_ONCE)
        for message in due:
            await self._settle(message, await self._deliver(message))
            if (pause := self._seconds_until(self._not_before)) > 0:
                return pause
            if self._decided:  # what was due before may have been dropped meanwhile
                return 0.0
        if due:
            return 0.0
        later = await self._outbox.next_due(self.sink)
        return LOOKED_AFTER if later is None else min(max(self._seconds_until(later), 0.05), LOOKED_AFTER)

    def soon(self) -> None:
        """Tries again now: the receiver is there again, or a person wants it."""
        self._not_before = self._clock.now()
        self._decided = True
        self._news.set()

    async def _settle(self, message: Waiting, answer: Answer) -> None:
        now = self._clock.now()
        match answer:
            case Delivered():
                self._answered()
                await self._outbox.delivered(message.id, now)
            case Failed(reason, after):
                self._failures += 1
                pause = max(pause_after(self._failures), after)
                self._not_before = now + timedelta(seconds=pause)
                if self.up:
                    log.warning("outbox.failed", sink=self.sink, reason=shown(reason))
                self.up = False
                until = now + timedelta(seconds=max(pause_after(message.tries + 1), after))
                await self._outbox.postponed(message.id, _error(reason), until, refused=False)
            case Refused(reason) if message.refusals + 1 >= MOST_REFUSALS:
                self._answered()
                self.died += 1
                log.error(
                    "outbox.dead", sink=self.sink, message=message.id, name=message.event_id, reason=shown(reason)
                )
                await self._outbox.died(message.id, _error(reason), now)
            case Refused(reason):
                self._answered()
                until = now + timedelta(seconds=pause_after(message.refusals + 1))
                await self._outbox.postponed(message.id, _error(reason), until, refused=True)

    def _answered(self) -> None:
        if not self.up:
            log.info("outbox.answered", sink=self.sink)
        self.up = True
        self._failures = 0

    def _seconds_until(self, moment: datetime) -> float:
        """Bounded, so that a clock that was set back stops nothing for longer than a pause may last."""
        seconds = (moment - self._clock.now()).total_seconds()
        return 0.0 if seconds > 90000 else seconds


def _error(reason: str) -> str:
    return shown(reason, LONGEST_ERROR)
