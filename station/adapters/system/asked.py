# SPDX-License-Identifier: Apache-2.0
"""What a small program of the system says about this PC, such as timedatectl: in English, and within a deadline."""

import asyncio
import os
from collections.abc import Sequence

from station.adapters.system.child import Budget, Child, OverBudget, Patience


async def lines_of(command: Sequence[str], *, within: float, kept: Sequence[str] = ("PATH",)) -> list[str] | None:
    """The lines that the program prints, given only the `kept` variables of the environment.

    None where it is missing, fails, says too much, or does not end within so many seconds.
    """
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    try:
        async with (
            asyncio.timeout(within),
            Child.started(
                list(command),
                environment={**environment, "LC_ALL": "C.UTF-8"},
                gone=asyncio.Event(),
                patience=Patience(),
                budget=Budget(),
            ) as child,
        ):
            said = [line async for line in child.lines()]
            status = await child.ended()
    except (TimeoutError, OverBudget, OSError):
        return None
    return said if status == 0 else None
