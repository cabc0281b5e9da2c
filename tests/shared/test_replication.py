# SPDX-License-Identifier: Apache-2.0
"""A station's ledger and a real centre, with a network between them that fails in each of its ways: nothing twice, nothing lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from station.adapters.centre import administration
from station.domain.shared import FEWEST_ITEMS
from station.faults.line import LeaseExhausted, ReleaseNotApproved
from station.replication.replicator import Pace
from station.replication.seen import State, fault_for_new_boards
from tests.builders.bench import execute, rows
from tests.builders.centres import owner
from tests.builders.network import Mode, Way
from tests.builders.postgresql import Server
from tests.builders.replicas import LOT, RECIPE, made, replica
from tests.builders.sharing import of

pytestmark = pytest.mark.slow

SHORT = 0.5  # seconds, after which a deaf network counts as one that does not answer


@pytest.fixture(scope="module")
def template(server: Server) -> str:
    return made(server)


@pytest.fixture
def lines_centre(server: Server, template: str) -> Iterator[str]:
    """A fresh centre for the recipe's lot."""
    name = server.database(template)
    yield name
    server.drop(name)


def asked(server: Server, database: str, query: str) -> list[tuple[object, ...]]:
    with owner(server, database) as connection:
        return connection.execute(query.encode()).fetchall()


def check_whole(server: Server, database: str, path: Path) -> None:
    """The centre has each line of the ledger's incarnations once, in order, and found nothing odd."""
    assert asked(server, database, "SELECT kind, detail FROM anomaly") == []
    segments = "SELECT first_line, last_line FROM segment WHERE incarnation = {} ORDER BY first_line"
    for incarnation, last in rows(
        path, "SELECT incarnation, max(number) FROM chain WHERE incarnation > 0 GROUP BY incarnation"
    ):
        told = asked(server, database, segments.format(incarnation))
        assert [first for first, _ in told[1:]] == [int(f"{until}") + 1 for _, until in told[:-1]]
        assert (told[0][0], told[-1][1]) == (1, last)


async def test_a_unit_that_passes_is_known_at_the_centre(server: Server, lines_centre: str, tmp_path: Path) -> None:
    async with replica(tmp_path, server.dsn(lines_centre, "line_1")) as station:
        await station.until(lambda seen: seen.items == FEWEST_ITEMS)
        unit = await station.make(1)
        await station.told()
    known = "SELECT i.serial_number, u.rank, u.verdict FROM unit u JOIN identity i ON (i.lot, i.idx) = (u.lot, u.idx)"
    assert asked(server, lines_centre, known) == [(unit.serial_number, 4, "pass")]
    check_whole(server, lines_centre, tmp_path / "ledger.sqlite")


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.HOLE, Mode.DEAF, Mode.COMMIT])
async def test_a_network_that_fails_at_the_start_gives_nothing_twice(
    server: Server, lines_centre: str, way: Way, tmp_path: Path, mode: Mode
) -> None:
    """Enrolment, greeting and grant meet it; with lost answers the centre has carried them out."""
    dsn = way.dsn(lines_centre, "line_1")
    way.become(mode)
    async with replica(tmp_path, dsn, deadline=SHORT) as station:
        await station.until(lambda seen: seen.reason is not None)
        way.become(Mode.OK)
        await station.until(lambda seen: seen.items == FEWEST_ITEMS)
        await station.told()
    assert asked(server, lines_centre, "SELECT count(*) FROM incarnation") == [(1,)]
    assert asked(server, lines_centre, "SELECT count(*), max(number) FROM block") == [(4, 3)]
    assert rows(tmp_path / "ledger.sqlite", "SELECT count(*) FROM block") == [(4,)]
    check_whole(server, lines_centre, tmp_path / "ledger.sqlite")


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.HOLE, Mode.DEAF, Mode.COMMIT])
async def test_the_line_goes_on_while_the_network_fails(
    server: Server, lines_centre: str, way: Way, tmp_path: Path, mode: Mode
) -> None:
    dsn = way.dsn(lines_centre, "line_1")
    async with replica(tmp_path, dsn, deadline=SHORT) as station:
        await station.until(lambda seen: seen.items == FEWEST_ITEMS)
        way.become(mode)
        for board in range(1, 4):
            await station.make(board)
        await station.until(lambda seen: seen.state is State.AWAY)
        way.become(Mode.OK)
        await station.told()
    assert asked(server, lines_centre, "SELECT count(*) FROM unit WHERE rank = 4") == [(3,)]
    check_whole(server, lines_centre, tmp_path / "ledger.sqlite")


async def test_a_claim_meets_what_another_station_has_made(server: Server, lines_centre: str, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    async with replica(tmp_path / "1", server.dsn(lines_centre, "line_1")) as one:
        await one.until(lambda seen: seen.items == FEWEST_ITEMS)
        unit = await one.make(1)
        await one.told()
        async with replica(tmp_path / "2", server.dsn(lines_centre, "line_2"), "line-2") as two:
            await two.until(lambda seen: seen.items == FEWEST_ITEMS)
            claim = await two.replication.claims.claim(unit.uid)
            other = await two.make(2)
    assert claim is not None
    assert claim.known is not None
    assert (claim.known.serial_number, claim.known.began_at) == (unit.serial_number, "line-1")
    assert other.serial_number == LOT.serial_number(1024)


async def test_blocks_are_asked_for_before_the_last_is_used(server: Server, lines_centre: str, tmp_path: Path) -> None:
    async with replica(tmp_path, server.dsn(lines_centre, "line_1")) as station:
        await station.until(lambda seen: seen.items == FEWEST_ITEMS)
        execute(tmp_path / "ledger.sqlite", "UPDATE block SET next_index = end_index WHERE number = 0")
        await station.until(lambda seen: seen.items < FEWEST_ITEMS)
        await station.until(lambda seen: seen.items == FEWEST_ITEMS)
        await station.told()
    assert asked(server, lines_centre, "SELECT count(*) FROM block") == [(5,)]


async def test_a_release_that_nobody_approved_holds_new_boards_until_somebody_does(
    server: Server, lines_centre: str, tmp_path: Path
) -> None:
    with owner(server, lines_centre) as boss:
        administration.revoke(boss, RECIPE.release)
        async with replica(tmp_path, server.dsn(lines_centre, "line_1")) as station:
            seen = await station.until(lambda seen: seen.ungranted is not None)
            assert isinstance(fault_for_new_boards(seen), ReleaseNotApproved)
            administration.approve(boss, RECIPE.release, LOT.name)
            await station.until(lambda seen: seen.items == FEWEST_ITEMS)


async def test_what_other_releases_left_goes_back_at_the_next_start(
    server: Server, lines_centre: str, tmp_path: Path
) -> None:
    async with replica(tmp_path, server.dsn(lines_centre, "line_1")) as station:
        await station.until(lambda seen: seen.items == FEWEST_ITEMS)
        assert await of(station.ledger).give_up(None, "another") == {LOT.name: [0, 1, 2, 3]}
        await station.told()
    states = "SELECT state, count(*) FROM block GROUP BY state ORDER BY state"
    assert ("returned", 4) in asked(server, lines_centre, states)


async def test_a_second_computer_of_one_name_closes_the_first(
    server: Server, lines_centre: str, tmp_path: Path
) -> None:
    """The first tells what it has made, and stops."""
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    dsn = server.dsn(lines_centre, "line_1")
    async with replica(tmp_path / "1", dsn) as first:
        await first.until(lambda seen: seen.items == FEWEST_ITEMS)
        unit = await first.make(1)
        async with replica(tmp_path / "2", dsn) as second:
            await second.until(lambda seen: seen.items == FEWEST_ITEMS)
            seen = await first.until(lambda seen: seen.state is State.FENCED and not seen.waiting)
            claim = await second.replication.claims.claim(unit.uid)
    assert seen.standing is not None
    assert claim is not None
    assert claim.known is not None
    burned = "SELECT count(*) FROM block WHERE incarnation = 1 AND state = 'burned'"
    assert asked(server, lines_centre, burned) == [(4,)]


async def test_a_centre_that_has_nothing_left_holds_new_boards_only(
    server: Server, lines_centre: str, tmp_path: Path
) -> None:
    with owner(server, lines_centre) as boss:
        boss.execute("UPDATE lot SET next_block = 100")
        async with replica(tmp_path, server.dsn(lines_centre, "line_1")) as station:
            seen = await station.until(lambda seen: seen.ungranted is not None)
            assert isinstance(fault_for_new_boards(seen), LeaseExhausted)
            with pytest.raises(LeaseExhausted):
                await station.make(1)


async def test_what_is_journalled_at_the_end_is_told(server: Server, lines_centre: str, tmp_path: Path) -> None:
    slow = Pace(sync_every=3600)
    async with replica(tmp_path, server.dsn(lines_centre, "line_1"), pace=slow) as station:
        await station.until(lambda seen: seen.items == FEWEST_ITEMS)
        await station.make(1)
    assert asked(server, lines_centre, "SELECT rank FROM unit") == [(4,)]
    check_whole(server, lines_centre, tmp_path / "ledger.sqlite")
