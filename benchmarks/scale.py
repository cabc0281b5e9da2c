# SPDX-License-Identifier: Apache-2.0
"""Costs of a ledger of many units compared with an empty one: attempts, opening, and the commands that read it."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from benchmarks.filled import filled
from benchmarks.rates import Units
from benchmarks.recording import RunUnusable
from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from station.adapters.ledger.selection import Selection, numbers
from station.adapters.system import logs

ATTEMPTS = 10
FIRST_SERIAL_NUMBER = "SN00000001"


@dataclass(frozen=True, slots=True)
class Scale:
    """Seconds in one ledger, round by round.

    A round visits every ledger, so that compared figures come from the machine in the same state.
    """

    units: int
    """The number of units in the ledger; 0 for the empty one."""
    size: int
    """The size of the file in bytes."""
    cpu: list[float] = field(default_factory=list)
    """CPU seconds of the process per attempt."""
    wall: list[float] = field(default_factory=list)
    opening: list[float] = field(default_factory=list)
    """Includes the search for attempts that were left open."""
    listing: list[float] = field(default_factory=list)
    """The whole command."""
    showing: list[float] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    """The figures of one day, without the start-up of a command."""


def scales(folder: Path, cache: Path, sizes: Sequence[int], rounds: int) -> list[Scale]:
    """Measures an empty ledger, and one of each size, which stays in the cache. Raises `RunUnusable`."""
    paths = {0: folder / "ledger.sqlite"} | {size: filled(cache, size) for size in sizes}
    with logs.configured("error", None):
        asyncio.run(_one_attempt(paths[0]))  # imports the modules for the first opening, and gives the commands a unit
        found = {units: Scale(units, path.stat().st_size) for units, path in paths.items()}
        asyncio.run(_measure_attempts(paths, found, rounds))
        for _ in range(rounds):
            for units, path in paths.items():
                found[units].opening.append(asyncio.run(_opening(path)))
                found[units].listing.append(_command("list", "--ledger", str(path)))
                found[units].showing.append(_command("show", FIRST_SERIAL_NUMBER, "--ledger", str(path)))
                found[units].numbers.append(_figures_of_a_day(path))
    return list(found.values())


async def _one_attempt(path: Path) -> None:
    async with Ledger.open(path, station="benchmark", register=path.parent) as ledger:
        units = Units(ledger)
        units.prepare(1)
        await units.make(1)


async def _measure_attempts(paths: Mapping[int, Path], found: Mapping[int, Scale], rounds: int) -> None:
    async with AsyncExitStack() as stack:
        makers = {}
        for units, path in paths.items():
            first = LedgerReader(path).totals().units + 1
            maker = makers[units] = Units(
                await stack.enter_async_context(Ledger.open(path, station="benchmark", register=path.parent)), first
            )
            maker.prepare(1 + rounds * ATTEMPTS)
            await maker.make(1)  # includes the compilation of the statements
        for _ in range(rounds):
            for units, maker in makers.items():
                cpu, began = time.process_time(), time.perf_counter()
                await maker.make(ATTEMPTS)
                found[units].wall.append((time.perf_counter() - began) / ATTEMPTS)
                found[units].cpu.append((time.process_time() - cpu) / ATTEMPTS)


async def _opening(path: Path) -> float:
    began = time.perf_counter()
    async with Ledger.open(path, station="benchmark", register=path.parent) as ledger:
        await ledger.close_open_attempts("station.stopped")
        return time.perf_counter() - began


def _figures_of_a_day(path: Path) -> float:
    """The last day before the wave that was made first, whose copies come before it."""
    end = next(LedgerReader(path).attempts()).started_at
    began = time.perf_counter()
    numbers(path, Selection(since=end - timedelta(days=1), until=end))
    return time.perf_counter() - began


def _command(*arguments: str) -> float:
    began = time.perf_counter()
    ended = subprocess.run([sys.executable, "-m", "station", "units", *arguments], capture_output=True, check=False)
    if ended.returncode:
        raise RunUnusable(
            f"station units {' '.join(arguments)} ended with {ended.returncode}: {ended.stderr[-2000:]!r}"
        )
    return time.perf_counter() - began
