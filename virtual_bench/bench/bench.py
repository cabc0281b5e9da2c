"""What every board and every run of the programmer on one bench shares."""

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
    fus: int  # version words of what fresh boards have on their coprocessors
    stack: int | None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # of the one core that executes
    noise: bool = False

    def durations(self, board: int, occasion: int) -> Profile:
        """How long things take with this board: on its occasion 0 for the board itself, from 1 on for runs of the programmer."""
        return noisy(self.profile, self.seed, board, occasion) if self.noise else self.profile
