# SPDX-License-Identifier: Apache-2.0
"""The network of the tests fails as it is told: each of its modes, seen by plain connections of psycopg."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg import AsyncConnection

from tests.builders.network import Answers, Mode, Way
from tests.builders.postgresql import Server

pytestmark = pytest.mark.slow

WITHIN = 120.0
LOST = b"C\0\0\0\x0bCOMMIT\0"
BEFORE = b"Z\0\0\0\x05T"


@asynccontextmanager
async def connected(dsn: str, *, autocommit: bool = False) -> AsyncIterator[AsyncConnection]:
    connection = await AsyncConnection.connect(dsn, autocommit=autocommit)
    try:
        yield connection
    finally:
        connection.pgconn.finish()  # a clean end would wait for an answer


@pytest.fixture
async def direct(server: Server, database: str) -> AsyncIterator[AsyncConnection]:
    """A connection past the network, to a database with an empty table."""
    async with connected(server.dsn(database), autocommit=True) as connection:
        await connection.execute("CREATE TABLE kept (number int)")
        yield connection


async def rows(direct: AsyncConnection) -> list[int]:
    found = await direct.execute("SELECT number FROM kept ORDER BY number")
    return [number for (number,) in await found.fetchall()]


async def insert(connection: AsyncConnection, number: int) -> None:
    await connection.execute("INSERT INTO kept VALUES (%s)", [number])


async def fails(asked: Coroutine[None, None, object]) -> None:
    with pytest.raises(psycopg.OperationalError):
        await asked


async def until_there(direct: AsyncConnection, expected: list[int]) -> None:
    async with asyncio.timeout(WITHIN):
        while await rows(direct) != expected:
            await asyncio.sleep(0.01)


async def test_a_good_way_carries_everything(way: Way, direct: AsyncConnection, database: str) -> None:
    async with connected(way.dsn(database)) as connection:
        await insert(connection, 1)
        await connection.commit()
        big = await (await connection.execute("SELECT repeat('x', 3000000)")).fetchone()
    assert big == ("x" * 3_000_000,)
    assert await rows(direct) == [1]


async def test_refused_connections_meet_nobody(way: Way, direct: AsyncConnection, database: str) -> None:
    way.become(Mode.REFUSE)
    with pytest.raises(psycopg.OperationalError, match="Connection refused"):
        await AsyncConnection.connect(way.dsn(database))


async def test_refusing_cuts_what_is_connected(way: Way, direct: AsyncConnection, database: str) -> None:
    async with connected(way.dsn(database)) as connection:
        await insert(connection, 1)
        way.become(Mode.REFUSE)
        with pytest.raises(psycopg.OperationalError):
            await connection.commit()
    assert await rows(direct) == []


async def test_a_way_becomes_good_again(way: Way, direct: AsyncConnection, database: str) -> None:
    for mode in (Mode.REFUSE, Mode.HOLE, Mode.DEAF, Mode.COMMIT):
        way.become(mode)
        way.become(Mode.OK)
        async with connected(way.dsn(database), autocommit=True) as connection:
            await insert(connection, 1)
    assert await rows(direct) == [1, 1, 1, 1]


async def test_nothing_comes_through_a_hole(way: Way, direct: AsyncConnection, database: str) -> None:
    """The connection stays, and ends when the hole does: what it lost is not repeated."""
    async with connected(way.dsn(database), autocommit=True) as connection, asyncio.TaskGroup() as group:
        way.become(Mode.HOLE)
        asking = group.create_task(fails(insert(connection, 1)))
        await way.until("questions lost")
        assert not asking.done()
        way.become(Mode.OK)
    assert await rows(direct) == []


async def test_a_hole_takes_connections_and_says_nothing(way: Way, direct: AsyncConnection, database: str) -> None:
    way.become(Mode.HOLE)
    async with asyncio.TaskGroup() as group:
        connecting = group.create_task(fails(AsyncConnection.connect(way.dsn(database))))
        await way.until("connections")
        assert not connecting.done()
        way.become(Mode.OK)


async def test_the_end_of_a_connection_is_lost_in_a_hole(way: Way, direct: AsyncConnection, database: str) -> None:
    """The server keeps the session and its locks, as it does when a station's cable is pulled."""
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
    async with connected(way.dsn(database)) as connection:
        await connection.execute("LOCK TABLE kept")
        way.become(Mode.HOLE)
    await way.until("ends lost")
    assert await (await direct.execute(sessions)).fetchone() == (1,)
    way.become(Mode.OK)
    async with asyncio.timeout(WITHIN):
        while await (await direct.execute(sessions)).fetchone() != (0,):
            await asyncio.sleep(0.01)


async def test_the_server_hears_a_deaf_station(way: Way, direct: AsyncConnection, database: str) -> None:
    async with connected(way.dsn(database), autocommit=True) as connection, asyncio.TaskGroup() as group:
        way.become(Mode.DEAF)
        asking = group.create_task(fails(insert(connection, 1)))
        await until_there(direct, [1])
        await way.until("answers lost")
        assert not asking.done()
        way.become(Mode.REFUSE)


async def test_a_commit_is_carried_out_and_its_answer_lost(way: Way, direct: AsyncConnection, database: str) -> None:
    async with connected(way.dsn(database)) as connection:
        way.become(Mode.COMMIT)
        await insert(connection, 1)
        with pytest.raises(psycopg.OperationalError):
            await connection.commit()
    assert way.counts["commits lost"] == 1
    assert await rows(direct) == [1]


async def test_the_answer_to_a_pipelined_commit_is_lost(way: Way, direct: AsyncConnection, database: str) -> None:
    """Statements and COMMIT are in one piece, in the extended protocol."""
    async with connected(way.dsn(database)) as connection:
        way.become(Mode.COMMIT)
        with pytest.raises(psycopg.OperationalError):
            async with connection.pipeline(), connection.transaction():
                await insert(connection, 1)
                await insert(connection, 2)
    assert way.counts["commits lost"] == 1
    assert await rows(direct) == [1, 2]


async def test_a_rollback_is_answered_where_commits_are_not(way: Way, direct: AsyncConnection, database: str) -> None:
    async with connected(way.dsn(database)) as connection:
        way.become(Mode.COMMIT)
        await insert(connection, 1)
        await connection.rollback()
        with pytest.raises(psycopg.errors.UndefinedTable):
            await connection.execute("SELECT FROM nowhere")
        await connection.execute("COMMIT")  # of a failed transaction: the server rolls back
    assert way.counts["commits lost"] == 0
    assert await rows(direct) == []


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_messages_are_cut_in_pieces_of_any_size(size: int) -> None:
    stream = BEFORE + LOST + BEFORE
    cutter = Answers()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [message for piece in pieces for message in cutter.feed(piece)] == [BEFORE, LOST, BEFORE]
