# SPDX-License-Identifier: Apache-2.0
"""Many stations tell of the same units at once, each in another order, and none waits for another for ever."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import pytest
from structlog.testing import capture_logs

from station.adapters.centre.trouble import CentreUnreachable
from station.domain.shared import Rank
from station.domain.target import UID
from tests.builders.centres import Teller, made, owner, teller
from tests.builders.postgresql import Server

pytestmark = pytest.mark.slow

STATIONS, UNITS, ROUNDS = 8, 16, 5


async def _work(line: Teller, uids: list[bytes], seed: int) -> None:
    """Pushes facts of all units in an order by chance, with claims of some of them between."""
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        chance.shuffle(uids)
        for raw in uids:
            line.advance(UID(raw), line.take(UID(raw)), Rank.ON_BOARD)
            line.end(UID(raw))
        await _until_done(line.push)
        for raw in uids[:3]:
            await _until_done(partial(line.centre.claim, line.incarnation, UID(raw)))


async def _until_done(work: Callable[[], Awaitable[object]]) -> None:
    """Asks again as a station does: on a slow machine a lock may be waited for too long."""
    while True:
        try:
            await work()
        except CentreUnreachable:
            continue
        return


async def test_crosswise_pushes_never_deadlock(server: Server) -> None:
    database = made(server, size=256 * STATIONS, stations=STATIONS)
    uids = [bytes([number]) * 12 for number in range(UNITS)]
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(teller(server, database, number + 1)) for number in range(STATIONS)]
        for line in lines:
            await line.enrol()
            await line.grant()
        with capture_logs() as logs:
            async with asyncio.TaskGroup() as group:
                for number, line in enumerate(lines):
                    group.create_task(_work(line, list(uids), number))
    assert not [entry for entry in logs if "40P01" in str(entry)]
    with owner(server, database) as boss:
        assert boss.execute("SELECT count(*), sum(attempts) FROM unit").fetchone() == (
            UNITS,
            STATIONS * UNITS * ROUNDS,
        )
        assert boss.execute("SELECT sum(attempts) FROM yield").fetchone() == (STATIONS * UNITS * ROUNDS,)
    server.drop(database)
