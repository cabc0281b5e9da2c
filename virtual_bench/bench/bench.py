# SPDX-License-Identifier: Apache-2.0
"""The state that all boards and programmer runs of one bench share."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from virtual_bench.bench.versions import Version
from virtual_bench.faults.armed import Fault
from virtual_bench.journal import Journal
from virtual_bench.timing.clock import Clock
from virtual_bench.timing.noise import noisy
from virtual_bench.timing.profile import Profile


@dataclass(frozen=True, slots=True)
class Bench:
    """One bench, for as long as it serves."""

    directory: Path
    seed: int
    clock: Clock
    profile: Profile
    version: Version
    journal: Journal
    tasks: asyncio.TaskGroup
    armed: list[Fault]
    fus: int  # version words of the firmware on fresh boards' coprocessors
    stack: int | None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by the one emulated core that executes
    noise: bool = False

    def durations(self, board: int, occasion: int) -> Profile:
        """The durations for this board: occasion 0 is the board itself, 1 and above are runs of the programmer."""
        return noisy(self.profile, self.seed, board, occasion) if self.noise else self.profile
