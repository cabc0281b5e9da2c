# SPDX-License-Identifier: Apache-2.0
"""A ledger that shares its numbers, with a centre that the test plays."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from station.adapters.ledger import Ledger
from station.adapters.ledger.fleet_key import FleetKey
from station.adapters.ledger.shared import SharedLedger
from station.adapters.ledger.sharing import Shared
from station.adapters.system.verifiers import VerifierPool
from station.domain.identity import Lot
from station.domain.shared import Claim, Enrolment, Grant, Line, Request
from station.domain.target import UID
from station.faults import LineFault
from station.interfaces import Claims
from tests.builders.bench import LOT, RECIPE

FLEET = FleetKey(bytes(range(32)))


@dataclass
class Told:
    """A centre that answers every claim alike; None: it is away."""

    answer: Claim | LineFault | None = None
    asked: list[UID] = field(default_factory=list)

    async def claim(self, uid: UID) -> Claim | None:
        self.asked.append(uid)
        if isinstance(self.answer, LineFault):
            raise self.answer
        return self.answer


def shared(claims: Claims | None = None) -> Shared:
    return Shared(FLEET, RECIPE.release, claims)


def of(ledger: Ledger) -> SharedLedger:
    assert ledger.shared is not None
    return ledger.shared


async def enrol(ledger: Ledger, incarnation: int) -> None:
    ledger_id, _ = await of(ledger).begin_enrolment(f"place {incarnation}")
    await of(ledger).enrolled(Enrolment(7, incarnation), ledger_id)


@asynccontextmanager
async def enrolled(path: Path, claims: Claims | None = None) -> AsyncIterator[Ledger]:
    """A shared ledger that is enrolled as station 7, in its first incarnation."""
    async with Ledger.open(path, station="line-1", shared=shared(claims)) as ledger:
        if (await of(ledger).standing()).incarnation == 0:
            await enrol(ledger, 1)
        yield ledger


async def stock(ledger: Ledger, blocks: Sequence[int], lot: Lot = LOT, *, refused: int = 4) -> Request:
    """Gives the ledger these blocks, with as many pairs; the centre knows the last few candidates already."""
    request = await of(ledger).begin_request(lot.name, RECIPE.release, len(blocks))
    hashes = list(request.hashes)[: len(request.hashes) - refused]
    grant = Grant(blocks, hashes, request.tick + 1, lot.first, lot.size, lot.serial_number_format)
    await of(ledger).granted(request, grant)
    return request


@asynccontextmanager
async def stocked(path: Path, claims: Claims | None = None) -> AsyncIterator[tuple[Ledger, VerifierPool]]:
    """A shared ledger with block 0, and the source of secrets that takes its pairs."""
    async with enrolled(path, claims) as ledger:
        if (await of(ledger).leases(LOT.name, RECIPE.release)).items == 0:
            await stock(ledger, [0])
        async with VerifierPool(1000, 2, of(ledger).pair) as secrets:
            yield ledger, secrets


async def lines(ledger: Ledger) -> list[Line]:
    return await of(ledger).unsent(0, 100_000)
