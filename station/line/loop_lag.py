# SPDX-License-Identifier: Apache-2.0
"""Measures the event loop's lag: how late it runs a task that is due. `station status` and the log's last line report it."""

import asyncio
import time
from collections import deque
from typing import Self

from pydantic import BaseModel, ConfigDict

EVERY = 0.1  # seconds: each sample wakes a daemon that has nothing else to do
KEPT = 600  # samples: the last minute


class LoopLagStatus(BaseModel):
    """Lag in the last minute, in seconds. uvloop's timers count in milliseconds, so up to 0.001 is no lag."""

    model_config = ConfigDict(frozen=True)

    samples: int
    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, lateness: list[float]) -> Self:
        ordered = sorted(lateness) or [0.0]
        p50, p99, most = (ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.99, 1))
        return cls(samples=len(lateness), p50=round(p50, 6), p99=round(p99, 6), max=round(most, 6))


class LoopLag:
    """Measures the lag of a task that is due every 100 ms."""

    def __init__(self) -> None:
        self._lateness = deque[float](maxlen=KEPT)

    @property
    def status(self) -> LoopLagStatus:
        return LoopLagStatus.of(list(self._lateness))

    async def watch(self) -> None:
        """Samples until it is cancelled."""
        due = time.monotonic()
        while True:
            due += EVERY  # not counted from now, so that each period that a stall skips counts as late
            await asyncio.sleep(due - time.monotonic())
            self._lateness.append(max(0.0, time.monotonic() - due))
