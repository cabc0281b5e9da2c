# SPDX-License-Identifier: Apache-2.0
"""A station asks the centre again after its answer was lost, and everything has happened once."""

from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest

from station.adapters.centre.audit import audit
from station.adapters.centre.centre import Centre
from station.adapters.centre.connection import Connection
from station.adapters.centre.trouble import CentreUnreachable
from station.domain.shared import Word
from tests.builders.centres import LOT, Chance, Teller
from tests.builders.network import Mode, Way

pytestmark = pytest.mark.slow

SOON = 0.2  # seconds, in which nobody answers
WITHIN = 120.0


@pytest.fixture
async def far(way: Way, centre: str) -> AsyncIterator[Teller]:
    """Station line-1, enrolled, behind a network that fails as it is told."""
    async with Connection(way.dsn(centre, "line_1"), "line-1", deadline=WITHIN) as connection:
        line = Teller(Centre(connection), Chance(), connection)
        await line.enrol()
        yield line


def count(boss: psycopg.Connection, query: str) -> tuple[object, ...]:
    return boss.execute(query.encode()).fetchone() or ()


async def unheard(way: Way, asked: Callable[[], Awaitable[object]]) -> None:
    """The server carries the question out, and its answer is lost."""
    way.become(Mode.COMMIT)
    with pytest.raises(CentreUnreachable):
        await asked()
    way.become(Mode.OK)


async def test_an_enrolment_is_one(far: Teller, way: Way, boss: psycopg.Connection) -> None:
    ledger = far.chance.number()
    await unheard(way, lambda: far.enrol(ledger))
    await far.enrol(ledger)
    assert far.incarnation == 2
    assert count(boss, "SELECT count(*), max(number) FROM incarnation") == (2, 2)


async def test_a_grant_is_one(far: Teller, way: Way, boss: psycopg.Connection) -> None:
    request = far.request(blocks=2)
    await unheard(way, lambda: far.grant(request))
    grant = await far.grant(request)
    assert (list(grant.blocks), set(grant.hashes)) == ([0, 1], set(request.hashes))
    assert count(boss, "SELECT (SELECT count(*) FROM block), (SELECT count(*) FROM pairing)") == (2, 4)


async def test_a_claim_is_one(far: Teller, other: Teller, way: Way) -> None:
    uid = far.chance.uid()
    await other.centre.claim(other.incarnation, uid)
    await unheard(way, lambda: far.centre.claim(far.incarnation, uid))
    assert (await far.centre.claim(far.incarnation, uid)).epoch == 2


async def test_blocks_are_given_back_once(far: Teller, way: Way, boss: psycopg.Connection) -> None:
    await far.grant(far.request(blocks=2))
    await unheard(way, lambda: far.centre.give_back(far.incarnation, LOT, [1]))
    await far.centre.give_back(far.incarnation, LOT, [1])
    assert count(boss, "SELECT array_agg(state ORDER BY number) FROM block") == (["held", "returned"],)


async def test_a_push_counts_once(far: Teller, way: Way, boss: psycopg.Connection) -> None:
    await far.grant()
    for number in (1, 2):
        far.finish(far.chance.uid(), number)
        await unheard(way, far.push)
        assert (await far.push()).next_line == far.journal.next_line
    assert count(boss, "SELECT count(*), sum(attempts) FROM unit") == (2, 2)
    assert count(boss, "SELECT sum(attempts) FROM yield") == (2,)
    assert list(audit(boss)) == []


@pytest.mark.parametrize("mode", [Mode.HOLE, Mode.DEAF])
async def test_a_push_ends_in_a_dead_network(far: Teller, way: Way, mode: Mode, boss: psycopg.Connection) -> None:
    """It sends many statements before it reads an answer, and ends in time all the same."""
    await far.grant()
    far.finish(far.chance.uid(), 1)
    assert await far.hello() is Word.OK
    way.become(mode)
    far.connection.deadline = SOON
    with pytest.raises(CentreUnreachable):
        await far.push()
    far.connection.deadline = WITHIN
    way.become(Mode.OK)
    assert (await far.push()).next_line == far.journal.next_line
    assert count(boss, "SELECT sum(attempts) FROM yield") == (1,)


async def test_a_push_ends_when_its_session_ends(far: Teller, boss: psycopg.Connection) -> None:
    await far.grant()
    far.finish(far.chance.uid(), 1)
    boss.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'line_1'")
    with pytest.raises(CentreUnreachable):
        await far.push()
    assert (await far.push()).next_line == far.journal.next_line
