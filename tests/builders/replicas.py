# SPDX-License-Identifier: Apache-2.0
"""Stations with a ledger and its replication, and the centre that they share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from station.adapters.centre import administration
from station.adapters.centre.centre import Centre
from station.adapters.centre.connection import Connection
from station.adapters.ledger import Ledger
from station.adapters.ledger.shared_reader import reading
from station.adapters.ledger.sharing import Shared
from station.adapters.system.verifiers import VerifierPool
from station.domain.identity import Identity, Lot
from station.replication.replicator import Pace, Terms
from station.replication.running import Means, Replication
from station.replication.seen import Seen
from tests.builders.bench import begun, passed, recipe_with
from tests.builders.centres import owner
from tests.builders.postgresql import Server
from tests.builders.sharing import FLEET, of

LOT = Lot("LOT-1", "SN{:06d}", first=1, size=25_600)
RECIPE = recipe_with(LOT)
WITHIN = 120.0  # seconds, on a slow machine
QUICK = Pace(
    sync_every=0.02, noted_every=0.1, retried_after=0.02, retried_within=0.1, greeted_every=0.1, asked_every=0.1
)


def made(server: Server, stations: int = 3) -> str:
    """A database with a centre for the recipe's lot, and stations line_1, line_2 and so on. Returns its name."""
    database = server.database()
    with owner(server, database) as connection:
        assert administration.init(connection) == []
        administration.add_lot(connection, LOT.name, LOT.serial_number_format, LOT.first, LOT.size)
        administration.approve(connection, RECIPE.release, LOT.name)
        for number in range(1, stations + 1):
            assert administration.add_station(connection, f"line-{number}", f"line_{number}") == []
    return database


@dataclass
class Replica:
    """One station while it runs."""

    ledger: Ledger
    replication: Replication
    secrets: VerifierPool
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[Seen], bool]) -> Seen:
        """Returns what the replication shows once it is so."""
        async with asyncio.timeout(WITHIN):
            while not condition(self.replication.seen):
                self.changed.clear()
                await self.changed.wait()
        return self.replication.seen

    async def told(self) -> None:
        """Returns when the centre has every line that the ledger has now."""
        lines = (await of(self.ledger).standing()).lines
        await self.until(lambda seen: seen.up and seen.cursor >= lines)

    async def make(self, board: int) -> Identity:
        """Passes a board."""
        return await passed(await begun(self.ledger, self.secrets, recipe=RECIPE), board, f"{board:04X}", RECIPE)


@asynccontextmanager
async def replica(
    folder: Path, dsn: str, name: str = "line-1", pace: Pace = QUICK, *, deadline: float = WITHIN
) -> AsyncIterator[Replica]:
    """A station whose ledger is in this folder."""
    path, shared = folder / "ledger.sqlite", Shared(FLEET, RECIPE.release)
    connections = [Connection(dsn, name, deadline=deadline) for _ in range(2)]
    centre, claims = map(Centre, connections)
    means = Means(centre, claims, connections, partial(reading, path, RECIPE))
    changed = asyncio.Event()
    async with Ledger.open(path, station=name, shared=shared) as ledger:
        terms = Terms("a place", pace=pace)
        async with Replication.running(means, of(ledger), terms, RECIPE.release, changed.set) as replication:
            shared.claims = replication.claims
            async with VerifierPool(RECIPE.iterations, 0, of(ledger).pair) as secrets:
                yield Replica(ledger, replication, secrets, changed)
