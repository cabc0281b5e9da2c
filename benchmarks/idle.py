# SPDX-License-Identifier: Apache-2.0
"""CPU time of the idle daemon, to be subtracted from the cost of boards: alone, with a screen that follows it, and asked for its status."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import processes
from benchmarks.finished_line import LOOK_EVERY, finished_line, page_of
from benchmarks.listeners import listening

SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Idle:
    """CPU seconds per second of a daemon whose slots all hold a finished board."""

    slots: int
    quiet: float
    followed: float
    """The same while one screen reads the stream of events, as the demonstration's does."""
    asked: float
    """The same while it is asked for its status five times a second."""
    load: float

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def idle(folder: Path, slots: int) -> Idle:
    """Measures the idle daemon. Raises `RunUnusable`."""
    load = os.getloadavg()[0]
    with finished_line(folder / "idle", slots) as line:
        pid = line.processes["daemon"].pid
        quiet = _spent(pid, lambda: None)
        with listening(page_of(line), pages=1):
            time.sleep(LOOK_EVERY)  # until the screen has the whole board
            followed = _spent(pid, lambda: None)
        asked = _spent(pid, line.status)
    return Idle(slots, quiet, followed, asked, load)


def _spent(pid: int, look: Callable[[], object]) -> float:
    used, began = processes.cpu_seconds(pid), time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        look()
        time.sleep(LOOK_EVERY)
    return (processes.cpu_seconds(pid) - used) / (time.perf_counter() - began)
