# SPDX-License-Identifier: Apache-2.0
"""A station's connection to the centre: one transaction a call, and an end to each call whatever the network does."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Coroutine
from typing import LiteralString

import pytest
from psycopg import AsyncConnection

from station.adapters.centre.connection import CLASHES, PAUSES, SETTINGS, Connection
from station.adapters.centre.trouble import CentreBroken, CentreUnreachable
from tests.builders.network import Mode, Way
from tests.builders.postgresql import Server

pytestmark = pytest.mark.slow

WITHIN = 120.0
SOON = 0.2  # seconds: a deadline that passes in the test
CANARY = "hunter2-canary"


@pytest.fixture
async def direct(server: Server, database: str) -> AsyncIterator[AsyncConnection]:
    """A connection past the network, to a database with an empty table."""
    async with await AsyncConnection.connect(server.dsn(database), autocommit=True) as connection:
        await connection.execute("CREATE TABLE kept (number int PRIMARY KEY)")
        yield connection


@pytest.fixture
async def centre(way: Way, direct: AsyncConnection, database: str) -> AsyncIterator[Connection]:
    async with Connection(way.dsn(database), "line-1", deadline=WITHIN) as connection:
        yield connection


async def rows(direct: AsyncConnection) -> list[int]:
    found = await direct.execute("SELECT number FROM kept ORDER BY number")
    return [number for (number,) in await found.fetchall()]


class Insert:
    """Work that inserts a number, and remembers how often it was called."""

    def __init__(self, number: int = 1) -> None:
        self.number = number
        self.calls = 0

    async def __call__(self, session: AsyncConnection) -> int:
        self.calls += 1
        await session.execute("INSERT INTO kept VALUES (%s)", [self.number])
        return self.number


async def nothing(session: AsyncConnection) -> None:
    await session.execute("SELECT")


async def backend(session: AsyncConnection) -> int:
    return session.info.backend_pid


def raising(state: LiteralString) -> LiteralString:
    """A statement that fails with an SQLSTATE."""
    return f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"


async def unreachable(asked: Coroutine[None, None, object]) -> CentreUnreachable:
    with pytest.raises(CentreUnreachable) as caught:
        await asked
    return caught.value


async def test_work_is_committed_and_its_result_returned(centre: Connection, direct: AsyncConnection) -> None:
    assert await centre.transaction(Insert(1)) == 1
    assert await centre.transaction(Insert(2)) == 2
    assert await rows(direct) == [1, 2]


async def test_one_connection_serves_many_calls(centre: Connection, way: Way) -> None:
    assert await centre.transaction(backend) == await centre.transaction(backend)
    assert way.counts["connections"] == 1


async def test_every_session_has_its_limits_and_its_name(centre: Connection) -> None:
    async def settings(session: AsyncConnection) -> dict[str, str]:
        found = await session.execute("SELECT name, current_setting(name) FROM pg_settings")
        return dict(await found.fetchall())

    found = await centre.transaction(settings)
    assert {name: found[name] for name, _ in SETTINGS} == dict(SETTINGS)
    assert found["application_name"] == "matter-station line-1"


async def test_options_of_the_dsn_stay(server: Server, database: str) -> None:
    async def schema(session: AsyncConnection) -> str:
        found = await (await session.execute("SELECT current_setting('search_path')")).fetchone()
        assert found is not None
        return str(found[0])

    dsn = f"{server.dsn(database)} options='-c search_path=mine'"
    async with Connection(dsn, "line-1", deadline=WITHIN) as connection:
        assert await connection.transaction(schema) == "mine"


async def test_what_work_raises_undoes_it(centre: Connection, direct: AsyncConnection) -> None:
    async def refuses(session: AsyncConnection) -> None:
        await Insert(1)(session)
        raise LookupError("the station was retired")

    with pytest.raises(LookupError, match="retired"):
        await centre.transaction(refuses)
    assert await rows(direct) == []
    assert await centre.transaction(Insert(2)) == 2


async def test_a_refused_statement_names_its_sqlstate(centre: Connection, direct: AsyncConnection, way: Way) -> None:
    """Its detail, which has the row's content, is not shown; the connection goes on."""
    await centre.transaction(Insert(61803))
    with pytest.raises(CentreBroken, match="SQLSTATE 23505: ") as caught:
        await centre.transaction(Insert(61803))
    assert "61803" not in str(caught.value)
    await centre.transaction(nothing)
    assert way.counts["connections"] == 1


async def test_a_statement_that_psycopg_refuses_is_our_bug(centre: Connection) -> None:
    async def wrong(session: AsyncConnection) -> None:
        await session.execute("SELECT %s", [])

    with pytest.raises(CentreBroken, match="SQLSTATE none: "):
        await centre.transaction(wrong)


async def test_calls_take_turns(centre: Connection) -> None:
    order: list[str] = []
    inside = asyncio.Event()

    async def first(session: AsyncConnection) -> None:
        inside.set()
        await nothing(session)
        order.append("first")

    async def second(session: AsyncConnection) -> None:
        order.append("second")

    async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as group:
        group.create_task(centre.transaction(first))
        await inside.wait()
        group.create_task(centre.transaction(second))
    assert order == ["first", "second"]


@pytest.mark.parametrize("state", sorted(CLASHES))
async def test_a_clash_is_tried_again(centre: Connection, direct: AsyncConnection, state: LiteralString) -> None:
    work = Insert()

    async def clashes(session: AsyncConnection) -> int:
        number = await work(session)
        if work.calls <= len(PAUSES):
            await session.execute(raising(state))
        return number

    assert await centre.transaction(clashes) == 1
    assert work.calls == 1 + len(PAUSES)
    assert await rows(direct) == [1]


async def test_a_clash_without_end_makes_the_centre_unreachable(centre: Connection, direct: AsyncConnection) -> None:
    work = Insert()

    async def clashes(session: AsyncConnection) -> None:
        await work(session)
        await session.execute(raising("40001"))

    assert "40001" in (await unreachable(centre.transaction(clashes))).reason
    assert work.calls == 1 + len(PAUSES)
    assert await rows(direct) == []


async def test_a_server_that_refuses_is_unreachable_until_it_is_there(centre: Connection, way: Way) -> None:
    way.become(Mode.REFUSE)
    assert "Connection refused" in (await unreachable(centre.transaction(nothing))).reason
    way.become(Mode.OK)
    await centre.transaction(nothing)


async def test_a_connection_cut_between_calls_is_made_again(centre: Connection, way: Way) -> None:
    """The first call finds out; the next one connects."""
    await centre.transaction(nothing)
    way.become(Mode.REFUSE)
    way.become(Mode.OK)
    await unreachable(centre.transaction(nothing))
    await centre.transaction(nothing)


async def test_a_lost_answer_to_a_commit_leaves_the_outcome_unknown(
    centre: Connection, way: Way, direct: AsyncConnection
) -> None:
    way.become(Mode.COMMIT)
    work = Insert()
    await unreachable(centre.transaction(work))
    assert await rows(direct) == [1]
    assert work.calls == 1, "only the caller knows whether it may be asked again"


@pytest.mark.parametrize("mode", [Mode.HOLE, Mode.DEAF])
async def test_a_call_ends_in_a_dead_network(centre: Connection, way: Way, mode: Mode) -> None:
    """The network is dead until the call has ended, and nobody has asked the server to cancel by a second connection."""
    await centre.transaction(nothing)
    way.become(mode)
    centre.deadline = SOON
    assert (await unreachable(centre.transaction(nothing))).reason == "no answer within 0.2 s"
    assert way.counts["connections"] == 1
    way.become(Mode.OK)
    centre.deadline = WITHIN
    await centre.transaction(nothing)


@pytest.mark.parametrize("mode", [Mode.HOLE, Mode.DEAF])
async def test_connecting_ends_in_a_dead_network(centre: Connection, way: Way, mode: Mode) -> None:
    way.become(mode)
    centre.deadline = SOON
    await unreachable(centre.transaction(nothing))
    assert way.counts["answers"] == 0


async def test_a_cancelled_call_ends_in_a_dead_network(centre: Connection, way: Way) -> None:
    """As when the daemon stops."""
    await centre.transaction(nothing)
    way.become(Mode.HOLE)
    calling = asyncio.create_task(centre.transaction(nothing))
    await way.until("questions lost")
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert way.counts["connections"] == 1


async def test_work_that_waits_for_something_else_ends_too(centre: Connection, direct: AsyncConnection) -> None:
    async def waits(session: AsyncConnection) -> None:
        await Insert()(session)
        await asyncio.Event().wait()

    await centre.transaction(nothing)
    centre.deadline = SOON
    await unreachable(centre.transaction(waits))
    assert await rows(direct) == []


async def test_a_server_that_crashes_is_unreachable_until_it_is_back() -> None:
    with Server() as server:
        async with Connection(server.dsn(), "line-1", deadline=WITHIN) as centre:

            async def crashes(session: AsyncConnection) -> None:
                server.crash()
                await nothing(session)

            await unreachable(centre.transaction(crashes))
            server.start()
            await centre.transaction(nothing)


async def test_a_cancelled_statement_leaves_the_outcome_unknown(centre: Connection) -> None:
    async def slow(session: AsyncConnection) -> None:
        await session.execute("SET LOCAL statement_timeout = '1ms'")
        await session.execute("SELECT pg_sleep(3600)")

    await unreachable(centre.transaction(slow))


@pytest.mark.parametrize(
    "dsn",
    [
        f"host=db password={CANARY} x dbname=station",
        f"host=db password='{CANARY}",
        f"postgresql://line_3:{CANARY}@{CANARY}@db/station",
        f"postgresql://line_3:{CANARY}/{CANARY}@db/station",
        f"postgresql://line_3:%{CANARY}@db/station",
    ],
)
def test_a_dsn_that_cannot_be_read_is_not_shown(dsn: str) -> None:
    with pytest.raises(ValueError, match="DSN") as caught:
        Connection(dsn, "line-1")
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_no_error_shows_the_password(way: Way, database: str) -> None:
    async with Connection(f"{way.dsn(database)} password={CANARY}", "line-1", deadline=WITHIN) as centre:
        shown = [repr(centre)]
        await centre.transaction(nothing)
        for mode in (Mode.REFUSE, Mode.HOLE):
            way.become(mode)
            centre.deadline = SOON
            shown += traceback.format_exception(await unreachable(centre.transaction(nothing)))
    assert CANARY not in "".join(shown)


async def test_a_refused_password_is_not_shown() -> None:
    with Server() as server:
        server.stop()
        (server.data / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        server.start()
        async with Connection(f"{server.dsn()} password={CANARY}", "line-1", deadline=WITHIN) as centre:
            error = await unreachable(centre.transaction(nothing))
    assert "password authentication failed" in error.reason
    assert CANARY not in "".join(traceback.format_exception(error))
