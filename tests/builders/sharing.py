# SPDX-License-Identifier: Apache-2.0
"""A ledger that shares its numbers, with a centre that this process plays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from station.adapters.ledger import Ledger
from station.adapters.ledger.fleet_key import FleetKey
from station.adapters.ledger.sharing import Shared
from station.domain.shared import Enrolment
from station.interfaces import Claims
from tests.builders.bench import RECIPE

FLEET = FleetKey(bytes(range(32)))


def shared(claims: Claims | None = None) -> Shared:
    return Shared(FLEET, RECIPE.release, claims)


@asynccontextmanager
async def enrolled(path: Path, claims: Claims | None = None, incarnation: int = 1) -> AsyncIterator[Ledger]:
    """A shared ledger that is enrolled as station 7."""
    async with Ledger.open(path, station="line-1", shared=shared(claims)) as ledger:
        assert ledger.shared is not None
        if (await ledger.shared.standing()).must_enrol:
            ledger_id, _ = await ledger.shared.begin_enrolment("here")
            await ledger.shared.enrolled(Enrolment(7, incarnation), ledger_id)
        yield ledger
