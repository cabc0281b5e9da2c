# SPDX-License-Identifier: Apache-2.0
"""For the durability test: makes attempts without end, and prints a line for each that is durable.

With a second argument each attempt is on a new board, numbered from there, which gets an identity.
"""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from station.adapters.ledger import Ledger
from station.adapters.system import logs
from station.domain.attempt import Voided
from tests.builders.bench import LOT, Secrets, begun, recipe_with, recognised

RECIPE = recipe_with(replace(LOT, size=1_000_000))


async def main(path: Path, boards: Iterator[int] | None) -> None:
    with logs.configured("error", None):
        async with Ledger.open(path, station="line-1") as ledger, asyncio.TaskGroup() as group:
            for slot in range(16):
                group.create_task(scribble(ledger, str(slot), boards))


async def scribble(ledger: Ledger, slot: str, boards: Iterator[int] | None) -> None:
    while True:
        if boards is None:
            journal = await begun(ledger, Secrets(), slot=slot)
        else:
            journal = await begun(ledger, Secrets((board := next(boards),)), slot=slot, recipe=RECIPE)
            await recognised(journal, board, RECIPE)
        await journal.finish(Voided("board.removed"))
        sys.stdout.write(f"{journal.number}\n")
        sys.stdout.flush()


asyncio.run(main(Path(sys.argv[1]), count(int(sys.argv[2])) if len(sys.argv) > 2 else None))
