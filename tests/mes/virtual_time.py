# SPDX-License-Identifier: Apache-2.0
"""A clock for pumps that passes only while they wait."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class VirtualClock:
    """`at` holds what happens when it is so late: seconds since the start, and a function."""

    def __init__(self, *at: tuple[float, Callable[[], None]]) -> None:
        self._start = self._now = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
        self._events = sorted(at, key=lambda each: each[0])
        self.waits: list[float] = []

    @property
    def seconds(self) -> float:
        return (self._now - self._start).total_seconds()

    def now(self) -> datetime:
        return self._now

    def forward(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        while self._events and self._events[0][0] <= self.seconds:
            self._events.pop(0)[1]()

    async def wait(self, news: asyncio.Event, seconds: float) -> None:
        self.waits.append(seconds)
        if not news.is_set():
            self.forward(seconds)
        await asyncio.sleep(0)
