# SPDX-License-Identifier: Apache-2.0
"""A centre that was set back, in the three ways in which people do it, and what it gives before and after a person decides.

Each time line-1 gets a block after the copy was made, which the restored centre would give again.
"""

from collections.abc import Iterator

import psycopg
import pytest

from station.adapters.centre import administration
from station.adapters.centre.audit import audit
from station.adapters.centre.trouble import CentreRefused
from station.domain.facts import BlockReceived
from station.domain.shared import Rank, Refusal, Word
from tests.builders.centres import LOT, RELEASE, Teller, made, owner, teller
from tests.builders.postgresql import Server

pytestmark = pytest.mark.slow

SKIP = 3


@pytest.fixture
def own() -> Iterator[Server]:
    """A server for one test, since it is stopped and set back."""
    with Server() as server:
        yield server


def rows(boss: psycopg.Connection, query: str) -> list[tuple[object, ...]]:
    return boss.execute(query.encode()).fetchall()


async def refusal(line: Teller) -> tuple[Refusal, str]:
    with pytest.raises(CentreRefused) as raised:
        await line.grant()
    return raised.value.refusal, str(raised.value)


async def before_the_copy(line: Teller, other: Teller) -> None:
    """Both have a block, and line-1 has told of a unit."""
    for each in (line, other):
        await each.enrol()
        await each.hello()
        await each.grant()
    line.finish(line.chance.uid(), 1)
    await line.push()


async def after_the_copy(line: Teller) -> None:
    """line-1 gets block 2, takes a serial number out of it and tells of the unit. The restored centre knows none of it."""
    request = line.request()
    grant = await line.grant(request)
    assert list(grant.blocks) == [2]
    line.indexes = line.indexes[-256:]
    line.journal.tell(BlockReceived(LOT, 2, RELEASE, request.number))
    line.finish(line.chance.uid(), 2)
    await line.push()


async def told_again(line: Teller, boss: psycopg.Connection) -> None:
    """line-1 tells what the centre has forgotten, and nothing contradicts."""
    await line.push()
    assert (await line.push()).next_line == line.journal.next_line
    assert rows(boss, "SELECT rank FROM unit") == [(Rank.PASSED,), (Rank.PASSED,)]
    assert rows(boss, "SELECT number, station, state FROM block ORDER BY number")[:3] == [
        (0, 1, "held"),
        (1, 2, "held"),
        (2, 1, "held"),
    ]
    assert administration.anomalies(boss) == []
    assert list(audit(boss)) == []


async def accepted(line: Teller, other: Teller, boss: psycopg.Connection) -> None:
    """After a person has said how far to skip, no block is given that line-1 holds."""
    result = administration.accept_restore(boss, SKIP)
    assert result.lots == {LOT: SKIP}
    assert list((await other.grant()).blocks) == [2 + SKIP]
    assert list((await line.grant()).blocks) == [3 + SKIP]
    await told_again(line, boss)
    assert await line.hello() is Word.OK
    found = administration.standing(boss)
    assert (found.frozen, found.same_server, found.tick) == (None, True, administration.TICKS + 4)


async def hung_up(*lines: Teller) -> None:
    for line in lines:
        await line.hang_up()


async def test_a_dump_in_another_cluster_gives_nothing_until_a_person_decides(own: Server) -> None:
    database = made(own)
    async with teller(own, database) as line, teller(own, database, 2) as other:
        await before_the_copy(line, other)
        dump = own.dump(database)
        await after_the_copy(line)
        with Server(own_system=True) as elsewhere:
            loaded = elsewhere.load(dump)
            async with teller(elsewhere, loaded) as new, teller(elsewhere, loaded, 2) as another:
                line.centre, other.centre = new.centre, another.centre
                with owner(elsewhere, loaded) as boss:
                    assert await other.hello() is Word.OK
                    why, said = await refusal(other)
                    assert (why, administration.standing(boss).frozen) == (Refusal.RESTORED, None)
                    assert "another server" in said
                    assert not administration.standing(boss).same_server
                    assert (await refusal(line))[0] is Refusal.RESTORED
                    assert administration.standing(boss).frozen is not None  # line-1 has seen a higher tick, too
                    await accepted(line, other, boss)


async def test_a_recovery_gives_nothing_until_a_person_decides(own: Server) -> None:
    database = made(own)
    async with teller(own, database) as line, teller(own, database, 2) as other:
        await before_the_copy(line, other)
        copy = own.copy_files()
        await hung_up(line, other)
        with owner(own, database) as boss:
            administration.open_now(boss)
        await after_the_copy(line)
        own.recover(copy)
        await hung_up(line, other)
        why, said = await refusal(other)
        assert why is Refusal.RESTORED
        assert "timeline 2, and was on 1" in said
        with owner(own, database) as boss:
            await accepted(line, other, boss)


async def test_raw_files_put_back_wait_for_a_station_that_knows_more(own: Server) -> None:
    """Neither system identifier nor timeline shows it: the ten minutes after a start are for whoever has seen a higher tick."""
    database = made(own)
    async with teller(own, database) as line, teller(own, database, 2) as other:
        await before_the_copy(line, other)
        copy = own.copy_files()
        await hung_up(line, other)
        with owner(own, database) as boss:
            administration.open_now(boss)
        await after_the_copy(line)
        own.put_back(copy)
        await hung_up(line, other)
        assert (await refusal(other))[0] is Refusal.STARTING
        with owner(own, database) as boss:
            assert administration.standing(boss).frozen is None
        assert await line.hello() is Word.OK
        for each in (other, line):
            why, said = await refusal(each)
            assert why is Refusal.RESTORED
            assert "tick 3" in said
        with owner(own, database) as boss:
            administration.open_now(boss)
            assert (await refusal(other))[0] is Refusal.RESTORED
            await accepted(line, other, boss)


async def test_the_rest_risk_is_a_centre_that_a_person_opens_before_anybody_came(own: Server) -> None:
    """Then a block is given twice; what both stations tell of it later is found."""
    database = made(own)
    async with teller(own, database) as line, teller(own, database, 2) as other:
        await before_the_copy(line, other)
        copy = own.copy_files()
        await hung_up(line, other)
        with owner(own, database) as boss:
            administration.open_now(boss)
        await after_the_copy(line)
        own.put_back(copy)
        await hung_up(line, other)
        with owner(own, database) as boss:
            administration.open_now(boss)
            assert list((await other.grant()).blocks) == [2]
            other.indexes = other.indexes[-256:]
            other.finish(other.chance.uid(), 1)
            await other.push()
            await line.push()
            await line.push()
            assert {each.kind for each in administration.anomalies(boss)} == {
                "block.second",
                "identity.double",
                "identity.outside_block",
            }


async def test_a_ledger_that_enrolled_after_the_copy_comes_again(own: Server) -> None:
    """It gets its number again and tells its whole journal once more; what it was given before is its own again."""
    database = made(own)
    async with teller(own, database) as line, teller(own, database, 2) as other:
        await other.enrol()
        await other.grant()
        copy = own.copy_files()
        await hung_up(line, other)
        with owner(own, database) as boss:
            administration.open_now(boss)
        await line.enrol()
        request = line.request()
        await line.grant(request)
        line.journal.tell(BlockReceived(LOT, 1, RELEASE, request.number))
        line.finish(line.chance.uid(), 1)
        await line.push()
        own.recover(copy)
        await hung_up(line, other)
        assert await line.hello() is Word.UNKNOWN
        again = await line.centre.enrol(line.ledger, "a place", bytes(32), incarnation=line.incarnation)
        assert again.incarnation == line.incarnation
        assert await line.hello() is Word.OK
        await line.push()
        assert (await line.push()).next_line == line.journal.next_line
        with owner(own, database) as boss:
            assert administration.anomalies(boss) == []
            administration.accept_restore(boss, skip=1)
            assert list((await other.grant()).blocks) == [3]
            assert list(audit(boss)) == []
