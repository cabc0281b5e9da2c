# SPDX-License-Identifier: Apache-2.0
"""How late the event loop is: what a task that is due now has to wait. Sampled, and told by `station status` and at the end."""

import asyncio
import time
from collections import deque
from typing import Self

from pydantic import BaseModel, ConfigDict

EVERY = 0.05
KEPT = 1200  # samples: the last minute


class LoopLagStatus(BaseModel):
    """Seconds of lateness in the last minute; uvloop's timers have milliseconds, so up to one is no lag at all."""

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
    """The lateness of a task that wants to run every 50 ms."""

    def __init__(self) -> None:
        self._lateness = deque[float](maxlen=KEPT)

    @property
    def status(self) -> LoopLagStatus:
        return LoopLagStatus.of(list(self._lateness))

    async def watch(self) -> None:
        """Samples until it is cancelled."""
        due = time.monotonic()
        while True:
            due += EVERY  # not from now on: every turn that a stall swallows counts as late, too
            await asyncio.sleep(due - time.monotonic())
            self._lateness.append(max(0.0, time.monotonic() - due))
