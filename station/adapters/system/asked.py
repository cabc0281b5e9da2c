# SPDX-License-Identifier: Apache-2.0
"""What a small program says, such as timedatectl about this PC: in English, and within a deadline."""

import asyncio
import os
from collections.abc import Mapping, Sequence

from station.adapters.system.child import Budget, Child, OverBudget, Patience


async def answer_of(command: Sequence[str], *, environment: Mapping[str, str], within: float) -> tuple[list[str], int]:
    """The lines that the program prints, and its exit status.

    Raises `OSError` where it cannot be started, `OverBudget` where it says too much, and `TimeoutError` where it does not end
    within so many seconds.
    """
    async with (
        asyncio.timeout(within),
        Child.started(
            command, environment=environment, gone=asyncio.Event(), patience=Patience(), budget=Budget()
        ) as child,
    ):
        said = [line async for line in child.lines()]
        return said, await child.ended()


async def lines_of(command: Sequence[str], *, within: float, kept: Sequence[str] = ("PATH",)) -> list[str] | None:
    """The lines that the program prints, given only the `kept` variables of the environment.

    None where it is missing, fails, says too much, or does not end within so many seconds.
    """
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C.UTF-8"}
    try:
        said, status = await answer_of(command, environment=environment, within=within)
    except (TimeoutError, OverBudget, OSError):
        return None
    return said if status == 0 else None
