"""A program for the durability test: attempts without end, and a line on standard output for each that is durable."""

import asyncio
import sys
from pathlib import Path

from station.adapters.ledger import Ledger
from station.domain.attempt import Voided
from tests.ledger.bench import Secrets, begun


async def main(path: Path) -> None:
    async with Ledger.open(path, station="line-1") as ledger, asyncio.TaskGroup() as group:
        for slot in range(16):
            group.create_task(scribble(ledger, str(slot)))


async def scribble(ledger: Ledger, slot: str) -> None:
    while True:
        journal = await begun(ledger, Secrets(), slot=slot)
        await journal.finish(Voided("board.removed"))
        sys.stdout.write(f"{journal.number}\n")
        sys.stdout.flush()


asyncio.run(main(Path(sys.argv[1])))
