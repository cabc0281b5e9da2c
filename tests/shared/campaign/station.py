# SPDX-License-Identifier: Apache-2.0
"""One station of the campaign, a process of its own: the ledger, the replication and the procedures are the product's."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

import uvloop

from station.adapters.centre.centre import Centre
from station.adapters.centre.connection import Connection
from station.adapters.ledger import Ledger, restoration
from station.adapters.ledger.fleet_key import FleetKey
from station.adapters.ledger.place import Place
from station.adapters.ledger.register import Register
from station.adapters.ledger.shared_reader import reading
from station.adapters.ledger.sharing import Shared
from station.adapters.system import logs
from station.adapters.system.verifiers import VerifierPool
from station.domain.attempt import STATION_STOPPED
from station.domain.identity import Lot
from station.faults import LineFault
from station.faults.line import LedgerMoved
from station.replication.replicator import Pace as Rounds
from station.replication.replicator import Terms
from station.replication.running import Means, Replication
from station.replication.seen import State
from tests.shared.campaign import bench, clocks, pairs, planted
from tests.shared.campaign.chaos import REFUSED_TO_OPEN, Life
from tests.shared.campaign.evidence import LEDGER
from tests.shared.campaign.plan import FIRST, FLEET_KEY, FORMAT, LOT, SIZE, Plan
from tests.shared.campaign.slot import Slot

DEADLINE, CLAIM_WITHIN = 8.0, 2.0  # seconds; a claim waits for its turn on a machine with a hundred stations
RECIPE = bench.recipe(Lot(LOT, FORMAT, FIRST, SIZE))


def rounds(stations: int) -> Rounds:
    """The replication's pace: a round costs some milliseconds, and a hundred stations share two cores."""
    sync_every = max(0.5, stations / 20)
    return Rounds(sync_every, noted_every=5 * sync_every, retried_within=max(5.0, stations / 10), asked_every=3.0)


def run(plan: Plan, life: Life) -> None:
    """Runs the station until SIGTERM; it then ends its boards and tells the centre the rest."""
    random.seed(life.chance)
    clocks.set_wrong(timedelta(seconds=life.clock_wrong_by))
    pairs.draw_from(plan.pair_space)
    for bug in plan.bugs:
        planted.BUGS[bug].plant()
    try:
        uvloop.run(_run(plan, life))
    except LineFault as fault:
        print(f"{life.station}: {fault}", file=sys.stderr, flush=True)  # noqa: T201  into the campaign's file
        os._exit(REFUSED_TO_OPEN)


async def _run(plan: Plan, life: Life) -> None:
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    if life.ending:
        ending.set()
    shared = Shared(FleetKey(FLEET_KEY), RECIPE.release)
    with logs.configured("error", None):
        async with _opened(life, shared) as ledger, _replication(plan, life, ledger, shared) as replication:
            await _greeted(replication, offline_start=life.offline_start or life.ending)
            await ledger.close_open_attempts(STATION_STOPPED)
            await _make(plan, life, ledger, replication, ending)
            await _tell_the_rest(ledger, replication)


@asynccontextmanager
async def _opened(life: Life, shared: Shared) -> AsyncIterator[Ledger]:
    """The station's ledger. If it was put back, a person says so."""
    path, machine = life.folder / "state" / LEDGER, life.folder / "machine"
    register = Register(machine)
    try:
        restoration.examine(path, register)
        opened = Ledger.open(path, station=life.station, register=machine, shared=shared)
        ledger = await opened.__aenter__()
    except LedgerMoved:
        restoration.restore(path, life.station, register, skip=restoration.examine(path, register).least, new_key=False)
        opened = Ledger.open(path, station=life.station, register=machine, shared=shared)
        ledger = await opened.__aenter__()
    try:
        yield ledger
    finally:
        await opened.__aexit__(None, None, None)


@asynccontextmanager
async def _replication(plan: Plan, life: Life, ledger: Ledger, shared: Shared) -> AsyncIterator[Replication]:
    path = life.folder / "state" / LEDGER
    connections = [Connection(life.dsn, life.station, deadline=within) for within in (DEADLINE, CLAIM_WITHIN)]
    centre, claims = map(Centre, connections)
    means = Means(centre, claims, connections, partial(reading, path, RECIPE))
    terms = Terms(place=str(Place.of(path)), pace=rounds(plan.stations))
    assert ledger.shared is not None
    async with Replication.running(means, ledger.shared, terms, RECIPE.release) as replication:
        shared.claims = replication.claims
        yield replication


async def _greeted(replication: Replication, *, offline_start: bool) -> None:
    """Waits until the centre has known this ledger, or was found away: only the centre can tell that a machine was set back."""
    while not replication.seen.greeted and not (offline_start and replication.seen.reason):
        await asyncio.sleep(0.02)


async def _make(plan: Plan, life: Life, ledger: Ledger, replication: Replication, ending: asyncio.Event) -> None:
    """Makes units in all slots until the end."""
    if ending.is_set():
        return
    assert ledger.shared is not None
    line = await bench.Line.opened(life.world, life.station, str(life.number))
    carrying = asyncio.create_task(line.carry())
    async with VerifierPool(bench.ITERATIONS, 2, ledger.shared.pair) as pool, asyncio.TaskGroup() as group:
        for number in range(1, plan.slots + 1):
            pace = bench.Pace(plan.cycle, random.Random(f"{life.chance} {number}"), ending)
            slot = Slot(str(number), ledger, line, pace, RECIPE, pool, replication)
            group.create_task(slot.run())
    carrying.cancel()
    with suppress(asyncio.CancelledError):
        await carrying


async def _tell_the_rest(ledger: Ledger, replication: Replication) -> None:
    """Returns when the centre has every line, or never will."""
    assert ledger.shared is not None
    while replication.seen.state is not State.FORKED:
        standing = await ledger.shared.standing()
        if standing.incarnation and standing.acked == standing.lines:
            return
        await asyncio.sleep(0.2)
