# SPDX-License-Identifier: Apache-2.0
"""Every transaction at the centre: what it does, that it does nothing when it comes again, and when it is refused."""

import asyncio
import hashlib
import zlib
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace

import psycopg
import pytest

from station.adapters.centre import administration, audit
from station.adapters.centre.centre import Centre
from station.adapters.centre.connection import Connection
from station.adapters.centre.trouble import CentreRefused
from station.domain.facts import BlockGivenBack, BlockReceived, RequestAnswered, RequestSubmitted
from station.domain.shared import GRID, MOST_LINES, Cursor, Line, Rank, Refusal, Word
from tests.builders.centres import CHECK, FORMAT, LOT, RELEASE, SIZE, Chance, Journal, Teller, owner, teller
from tests.builders.postgresql import Server

pytestmark = pytest.mark.slow


def rows(boss: psycopg.Connection, query: str) -> list[tuple[object, ...]]:
    return boss.execute(query.encode()).fetchall()


async def refused(asked: Awaitable[object], why: Refusal) -> str:
    """Asserts that the centre refuses for this reason, and returns what it says."""
    with pytest.raises(CentreRefused) as raised:
        await asked
    assert raised.value.refusal is why
    return str(raised.value)


async def test_a_unit_that_passes_is_known_to_every_station(line: Teller, other: Teller) -> None:
    await line.grant()
    uid = line.chance.uid()
    index = line.finish(uid, 1)
    assert await line.push() == Cursor(line.journal.next_line, line.journal.head)
    known = (await other.centre.claim(other.incarnation, uid)).known
    assert known is not None
    assert (known.lot, known.index, known.rank, known.began_at) == (LOT, index, Rank.PASSED, "line-1")
    assert (known.serial_number, known.sealed, known.release) == ("LIGHT-000001", b"sealed of " + uid.raw, RELEASE)
    assert [(each.dac, each.pai) for _, each in known.certificates] == [
        (b"a DAC of " + uid.raw, b"an intermediate certificate")
    ]


async def test_a_scrapped_unit_stays_so_for_every_station(line: Teller, other: Teller) -> None:
    await line.grant()
    uid = line.chance.uid()
    index = line.finish(uid, 1)
    line.advance(uid, index, Rank.SCRAPPED)
    line.advance(uid, index, Rank.PASSED)
    await line.push()
    known = (await other.centre.claim(other.incarnation, uid)).known
    assert known is not None
    assert known.rank is Rank.SCRAPPED


class TestEnrol:
    async def test_the_same_ledger_gets_the_same_answer_again(self, line: Teller) -> None:
        again = await line.centre.enrol(line.ledger, "elsewhere", bytes(32))
        assert (again.station, again.incarnation) == (line.station, line.incarnation) == (1, 1)

    async def test_the_first_line_brings_the_hash_that_it_follows(self, line: Teller, boss: psycopg.Connection) -> None:
        """Boards may have been made between the question of an enrolment and its answer, which may have come hours later."""
        base = hashlib.sha256(b"the head by now").digest()
        line.journal.head = base
        (told,) = line.journal.tell(RequestSubmitted(1, line.chance.key(), line.chance.uid()))
        assert await line.centre.push(line.incarnation, 1, base, []) == Cursor(1, bytes(32))
        assert await line.centre.push(line.incarnation, 1, base, [told]) == Cursor(2, told.hash)
        assert rows(boss, "SELECT previous, head FROM segment") == [(base, told.hash)]
        assert list(audit.audit(boss)) == []

    async def test_no_later_line_brings_another_one(self, line: Teller, boss: psycopg.Connection) -> None:
        line.end(None)
        await line.push()
        other = Journal(head=hashlib.sha256(b"another").digest())
        (told,) = other.tell(RequestSubmitted(1, line.chance.key(), line.chance.uid()))
        there = Cursor(line.journal.next_line, line.journal.head)
        assert await line.centre.push(line.incarnation, 1, hashlib.sha256(b"another").digest(), [told]) == there
        assert rows(boss, "SELECT first_line, previous FROM segment") == [(1, bytes(32))]

    async def test_another_ledger_closes_the_one_before_and_burns_its_blocks(
        self, line: Teller, boss: psycopg.Connection
    ) -> None:
        await line.grant()
        first = line.incarnation
        await line.enrol()
        assert line.incarnation == first + 1
        assert rows(boss, "SELECT number, closed FROM incarnation ORDER BY number") == [(1, True), (2, False)]
        assert rows(boss, "SELECT number, incarnation, state FROM block") == [(0, 1, "burned")]

    async def test_other_stations_are_left_alone(self, line: Teller, other: Teller, boss: psycopg.Connection) -> None:
        await other.grant()
        await line.enrol()
        assert rows(boss, "SELECT incarnation, state FROM block") == [(1, "held")]
        assert await other.hello() is Word.OK

    async def test_a_role_of_no_station_is_refused(self, server: Server, centre: str, boss: psycopg.Connection) -> None:
        boss.execute("DROP ROLE IF EXISTS stranger")
        boss.execute("CREATE ROLE stranger LOGIN IN ROLE station_writer")
        async with Connection(server.dsn(centre, "stranger"), "stranger") as connection:
            said = await refused(Centre(connection).enrol(Chance().number(), "", bytes(32)), Refusal.STATION_UNKNOWN)
        assert "station central stations add NAME --role stranger" in said

    async def test_a_centre_that_has_forgotten_a_ledger_gives_it_its_number_again(self, line: Teller) -> None:
        """Also the number of one that it would not give by itself: what the ledger says of it is a fact."""
        assert (await line.centre.enrol("ab" * 16, "", bytes(32), incarnation=7)).incarnation == 7
        assert (await line.centre.enrol("ab" * 16, "", bytes(32), incarnation=7)).incarnation == 7
        assert await line.centre.hello(line.incarnation, 1, 0, CHECK) is Word.CLOSED
        assert (await line.centre.enrol("cd" * 16, "", bytes(32), incarnation=7)).incarnation == 8

    async def test_a_forgotten_ledger_that_has_a_successor_is_closed(self, line: Teller) -> None:
        await line.centre.enrol("ab" * 16, "", bytes(32), incarnation=7)
        await line.centre.enrol("cd" * 16, "", bytes(32), incarnation=5)
        assert await line.centre.hello(5, 1, 0, CHECK) is Word.CLOSED
        assert await line.centre.hello(7, 1, 0, CHECK) is Word.OK


class TestHello:
    async def test_a_ledger_that_knows_less_than_the_centre_is_rolled_back(self, line: Teller) -> None:
        line.end(None)
        await line.push()
        assert await line.hello() is Word.OK
        assert await line.centre.hello(line.incarnation, 2, 0, CHECK) is Word.ROLLED_BACK

    async def test_an_earlier_incarnation_is_closed_and_a_later_one_unknown(self, line: Teller) -> None:
        await line.enrol()
        assert await line.centre.hello(1, 1, 0, CHECK) is Word.CLOSED
        assert await line.centre.hello(3, 1, 0, CHECK) is Word.UNKNOWN

    async def test_the_first_station_decides_on_the_fleet_key(self, line: Teller, other: Teller) -> None:
        assert await line.hello() is Word.OK
        said = await refused(other.centre.hello(other.incarnation, 1, 0, "f" * 16), Refusal.FLEET_KEY)
        assert CHECK in said
        assert await other.hello() is Word.OK

    async def test_a_station_that_has_seen_a_higher_tick_freezes_the_centre(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        assert await line.centre.hello(line.incarnation, 1, 7, CHECK) is Word.OK
        assert "tick 7" in await refused(other.grant(), Refusal.RESTORED)
        assert administration.standing(boss).frozen is not None

    async def test_tables_of_another_version_are_refused(self, line: Teller, boss: psycopg.Connection) -> None:
        boss.execute("UPDATE central_version SET version_num = 'c9999'")
        assert "c9999" in await refused(line.hello(), Refusal.SCHEMA)
        await refused(line.grant(), Refusal.SCHEMA)

    async def test_a_database_without_tables_is_refused(self, server: Server, database: str) -> None:
        async with Connection(server.dsn(database), "line-1") as connection:
            said = await refused(Centre(connection).hello(1, 1, 0, CHECK), Refusal.SCHEMA)
        assert "station central init" in said


class TestGrant:
    async def test_blocks_and_pairs_are_given(self, line: Teller, other: Teller, boss: psycopg.Connection) -> None:
        request = line.request(blocks=2)
        grant = await line.grant(request)
        assert (list(grant.blocks), set(grant.hashes), grant.tick) == ([0, 1], set(request.hashes), 1)
        assert (grant.first, grant.size, grant.format) == (1, SIZE, FORMAT)
        assert list((await other.grant()).blocks) == [2]
        assert rows(boss, "SELECT number, station, release FROM block ORDER BY number") == [
            (0, 1, RELEASE),
            (1, 1, RELEASE),
            (2, 2, RELEASE),
        ]

    async def test_the_same_request_gets_the_same_again(self, line: Teller, other: Teller) -> None:
        request = line.request(blocks=2)
        first = await line.centre.grant(line.incarnation, request)
        await other.grant()
        again = await line.centre.grant(line.incarnation, request)
        assert (list(again.blocks), set(again.hashes)) == (list(first.blocks), set(first.hashes))
        assert again.tick > first.tick
        assert list((await other.grant()).blocks) == [3]

    async def test_a_pair_that_any_unit_may_have_is_not_given_again(self, line: Teller, other: Teller) -> None:
        mine = line.request()
        await line.grant(mine)
        theirs = other.request()
        grant = await other.grant(replace(theirs, hashes=[*mine.hashes[:2], *theirs.hashes]))
        assert set(grant.hashes) == set(theirs.hashes)
        later = line.request()
        grant = await line.grant(replace(later, hashes=[*mine.hashes, *later.hashes]))
        assert set(grant.hashes) == set(later.hashes)

    async def test_what_is_left_of_a_lot_is_given(self, line: Teller) -> None:
        await line.grant(line.request(blocks=8))
        assert list((await line.grant(line.request(blocks=5))).blocks) == [8, 9]
        await refused(line.grant(), Refusal.LOT_EXHAUSTED)

    async def test_the_last_block_of_a_lot_may_be_short(self, line: Teller, boss: psycopg.Connection) -> None:
        administration.add_lot(boss, "short", "SHORT-{:04d}", 1, GRID + 1)
        administration.approve(boss, RELEASE, "short")
        request = replace(line.request(blocks=9), lot="short")
        assert list((await line.grant(request)).blocks) == [0, 1]

    async def test_a_refusal_takes_no_pair(self, line: Teller, other: Teller) -> None:
        await line.grant(line.request(blocks=10))
        request = line.request()
        await refused(line.grant(request), Refusal.LOT_EXHAUSTED)
        await refused(other.grant(replace(other.request(), hashes=request.hashes)), Refusal.LOT_EXHAUSTED)

    async def test_blocks_given_back_or_burned_are_never_given_again(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        await line.grant(line.request(blocks=4))
        await line.centre.give_back(line.incarnation, LOT, [1, 2])
        await line.enrol()
        assert rows(boss, "SELECT state FROM block ORDER BY number") == [
            ("burned",),
            ("returned",),
            ("returned",),
            ("burned",),
        ]
        assert list((await other.grant(other.request(blocks=9))).blocks) == [4, 5, 6, 7, 8, 9]

    async def test_only_the_blocks_holder_gives_them_back(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        await line.grant()
        await other.centre.give_back(other.incarnation, LOT, [0])
        assert rows(boss, "SELECT state FROM block") == [("held",)]
        await line.centre.give_back(line.incarnation, LOT, [0])
        await line.centre.give_back(line.incarnation, LOT, [0])
        assert rows(boss, "SELECT state FROM block") == [("returned",)]

    async def test_a_closed_incarnation_gets_nothing(self, line: Teller) -> None:
        await line.enrol()
        await refused(line.centre.grant(1, line.request()), Refusal.CLOSED)
        await refused(line.centre.claim(1, line.chance.uid()), Refusal.CLOSED)
        await refused(line.centre.enter(1, [line.chance.uid()]), Refusal.CLOSED)
        assert "not known" in await refused(line.centre.enter(3, [line.chance.uid()]), Refusal.CLOSED)
        assert "not known" in await refused(line.centre.grant(3, line.request()), Refusal.CLOSED)

    async def test_a_release_that_nobody_approved_gets_nothing(self, line: Teller, boss: psycopg.Connection) -> None:
        said = await refused(line.grant(replace(line.request(), release="7a" * 32)), Refusal.NOT_APPROVED)
        assert f"station central approve {'7a' * 32}" in said
        assert administration.revoke(boss, RELEASE) == [LOT]
        await refused(line.grant(), Refusal.NOT_APPROVED)

    async def test_an_unknown_lot_is_refused(self, line: Teller) -> None:
        said = await refused(line.grant(replace(line.request(), lot="L2")), Refusal.LOT_UNKNOWN)
        assert "station central lots add L2" in said

    async def test_a_higher_tick_freezes_the_centre_for_all(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        await refused(line.grant(replace(line.request(), tick=1)), Refusal.RESTORED)
        await refused(other.grant(), Refusal.RESTORED)
        administration.accept_restore(boss, skip=1)
        assert list((await other.grant()).blocks) == [1]

    @pytest.mark.parametrize(
        "changed", ["UPDATE central SET system_id = 'another'", "UPDATE central SET timeline = timeline + 1"]
    )
    async def test_a_centre_on_another_server_gives_nothing(
        self, line: Teller, boss: psycopg.Connection, changed: str
    ) -> None:
        boss.execute(changed.encode())
        assert "accept-restore" in await refused(line.grant(), Refusal.RESTORED)
        await refused(line.centre.enrol(line.chance.number(), "", bytes(32)), Refusal.RESTORED)
        assert (await line.centre.enrol(line.ledger, "", bytes(32))).incarnation == line.incarnation
        line.end(None)
        assert (await line.push()).next_line == line.journal.next_line

    async def test_nothing_is_given_right_after_a_start(self, line: Teller, boss: psycopg.Connection) -> None:
        boss.execute("UPDATE central SET open_from = '-infinity'")
        assert "station central open" in await refused(line.grant(), Refusal.STARTING)
        administration.open_now(boss)
        assert list((await line.grant()).blocks) == [0]

    async def test_the_wait_after_a_start_ends_after_ten_minutes(self, line: Teller, boss: psycopg.Connection) -> None:
        boss.execute("UPDATE central SET open_from = '-infinity'")
        (definition,) = boss.execute("SELECT pg_get_viewdef('server')").fetchone() or ("",)
        earlier = definition.replace("pg_postmaster_start_time()", "pg_postmaster_start_time() - interval '10 minutes'")
        boss.execute(f"CREATE OR REPLACE VIEW server AS {earlier}".encode())
        assert list((await line.grant()).blocks) == [0]


class TestPush:
    async def test_lines_that_come_again_have_no_effect(self, line: Teller, boss: psycopg.Connection) -> None:
        await line.grant()
        line.finish(line.chance.uid(), 1)
        cursor = await line.push()
        line.sent = 0
        assert await line.push() == cursor
        assert rows(boss, "SELECT attempts FROM unit") == [(1,)]
        assert rows(boss, "SELECT attempts FROM yield") == [(1,)]
        assert rows(boss, "SELECT count(*) FROM segment") == [(1,)]

    async def test_the_segment_has_the_exact_lines(self, line: Teller, boss: psycopg.Connection) -> None:
        line.journal.write("StepStarted", {"step": "lötén"}, attempt=1)
        line.end(None)
        await line.push()
        (body, first, last, previous, head) = rows(
            boss, "SELECT body, first_line, last_line, previous, head FROM segment"
        )[0]
        assert isinstance(body, bytes)
        assert zlib.decompress(body) == b"\n".join(each.text for each in line.journal.lines)
        assert (first, last, previous, head) == (1, 3, bytes(32), line.journal.head)

    async def test_a_push_that_does_not_follow_changes_nothing(self, line: Teller, boss: psycopg.Connection) -> None:
        line.end(None)
        kept = await line.push()
        line.end(None)
        later = line.journal.lines[2:]
        assert await line.centre.push(line.incarnation, 3, kept.head, []) == kept
        with_another_head = [Line(3, later[0].text, hashlib.sha256(bytes(32) + later[0].text).digest())]
        assert await line.centre.push(line.incarnation, 3, bytes(32), with_another_head) == kept
        assert await line.centre.push(line.incarnation, 4, later[0].hash, later[1:]) == kept
        assert rows(boss, "SELECT count(*) FROM segment") == [(1,)]

    @pytest.mark.parametrize("wrong", ["hash", "text", "number", "line end"])
    async def test_lines_that_are_no_chain_are_never_stored(
        self, line: Teller, boss: psycopg.Connection, wrong: str
    ) -> None:
        line.end(None)
        line.end(None)
        lines = list(line.journal.lines)
        match wrong:
            case "hash":
                lines[2] = replace(lines[2], hash=bytes(32))
            case "text":
                lines[1] = replace(lines[1], text=lines[1].text.replace(b"pass", b"fail"))
            case "number":
                del lines[2]
            case _:
                text = lines[3].text + b"\n"
                lines[3] = Line(4, text, hashlib.sha256(lines[2].hash + text).digest())
        await refused(line.centre.push(line.incarnation, 1, bytes(32), lines), Refusal.BROKEN_CHAIN)
        assert rows(boss, "SELECT next_line FROM incarnation") == [(1,)]
        assert rows(boss, "SELECT count(*) FROM segment") == [(0,)]

    async def test_a_push_has_so_many_lines_at_most(self, line: Teller) -> None:
        for _ in range(MOST_LINES + 1):
            line.journal.write("StepStarted", {"step": "recognise"}, attempt=1)
        with pytest.raises(ValueError, match="3001 lines"):
            await line.centre.push(line.incarnation, 1, bytes(32), line.journal.lines)
        assert (await line.push()).next_line == MOST_LINES + 1

    async def test_a_closed_incarnation_pushes_its_rest(self, line: Teller, boss: psycopg.Connection) -> None:
        await line.grant()
        line.finish(line.chance.uid(), 1)
        await line.centre.enrol(line.chance.number(), "", bytes(32))
        assert await line.push() == Cursor(line.journal.next_line, line.journal.head, closed=True)
        assert rows(boss, "SELECT rank FROM unit") == [(Rank.PASSED,)]
        assert rows(boss, "SELECT * FROM anomaly") == []

    async def test_a_centre_that_was_set_back_is_told_again(self, line: Teller, boss: psycopg.Connection) -> None:
        line.end(None)
        await line.push()
        line.end(None)
        assert (await line.push()).next_line == 5
        boss.execute("DELETE FROM segment WHERE first_line = 3")
        boss.execute("UPDATE incarnation SET next_line = 3, head = %s", [line.journal.lines[1].hash])
        boss.execute("DELETE FROM attempt WHERE last_line = 4")
        line.end(None)
        assert (await line.push()).next_line == 3
        assert (await line.push()).next_line == 7
        assert rows(boss, "SELECT last_line FROM attempt ORDER BY 1") == [(2,), (4,), (6,)]

    async def test_when_a_station_was_heard_is_kept(self, line: Teller, boss: psycopg.Connection) -> None:
        boss.execute("UPDATE incarnation SET heard_at = '2000-01-01Z'")
        assert (await line.push()).next_line == 1
        (found,) = administration.stations(boss)[:1]
        assert found.heard_at is not None
        assert found.heard_at.year > 2000
        line.end(None)
        await line.push()
        assert administration.stations(boss)[0].newest_at == line.journal.at


class TestClaim:
    async def test_a_new_unit_is_the_stations_own(self, line: Teller) -> None:
        uid = line.chance.uid()
        first = await line.centre.claim(line.incarnation, uid)
        assert (first.epoch, first.known, first.was_ours) == (1, None, False)
        again = await line.centre.claim(line.incarnation, uid)
        assert (again.epoch, again.known, again.was_ours) == (1, None, True)

    async def test_another_stations_unit_is_taken_over(self, line: Teller, other: Teller) -> None:
        uid = line.chance.uid()
        await line.centre.claim(line.incarnation, uid)
        taken = await other.centre.claim(other.incarnation, uid)
        assert (taken.epoch, taken.was_ours) == (2, False)
        assert (await other.centre.claim(other.incarnation, uid)).was_ours
        assert not (await line.centre.claim(line.incarnation, uid)).was_ours

    async def test_only_units_that_nobody_has_are_entered(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        own, another, *new = (line.chance.uid() for _ in range(4))
        await line.centre.claim(line.incarnation, own)
        await other.centre.claim(other.incarnation, another)
        assert await line.centre.enter(line.incarnation, [own, *new, another]) == frozenset(new)
        assert not await other.centre.enter(other.incarnation, new)
        stations = boss.execute("SELECT uid FROM unit WHERE station = 1 AND epoch = 1").fetchall()
        assert {bytes(uid) for (uid,) in stations} == {uid.raw for uid in (own, *new)}
        assert (await other.centre.claim(other.incarnation, new[0])).epoch == 2

    async def test_an_earlier_incarnation_is_another_station(self, line: Teller) -> None:
        uid = line.chance.uid()
        await line.centre.claim(line.incarnation, uid)
        await line.enrol()
        claim = await line.centre.claim(line.incarnation, uid)
        assert (claim.epoch, claim.was_ours) == (2, False)

    async def test_a_request_without_an_answer_is_pending_until_its_station_is_retired(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        await line.grant()
        uid = line.chance.uid()
        line.advance(uid, line.take(uid), Rank.ON_BOARD)
        keys = sorted([line.chance.key(), line.chance.key()])
        line.journal.tell(RequestSubmitted(1, keys[0], uid), RequestSubmitted(2, keys[1], uid))
        await line.push()
        known = (await other.centre.claim(other.incarnation, uid)).known
        assert known is not None
        assert known.pending == [(keys[0], "line-1"), (keys[1], "line-1")]
        line.journal.tell(RequestAnswered(1, "rejected"))
        await line.push()
        known = (await other.centre.claim(other.incarnation, uid)).known
        assert known is not None
        assert known.pending == [(keys[1], "line-1")]
        own = (await line.centre.claim(line.incarnation, uid)).known
        assert own is not None
        assert own.pending == []
        administration.retire(boss, "line-1")
        known = (await other.centre.claim(other.incarnation, uid)).known
        assert known is not None
        assert known.pending == []

    async def test_a_request_of_an_earlier_incarnation_is_answered_by_a_later_one(
        self, line: Teller, boss: psycopg.Connection
    ) -> None:
        uid = line.chance.uid()
        line.journal.tell(RequestSubmitted(1, line.chance.key(), uid), RequestSubmitted(2, line.chance.key(), uid))
        await line.push()
        await line.enrol()
        line.journal.tell(RequestAnswered(1, "rejected"))
        line.certify(uid, 3)
        await line.push()
        assert rows(boss, "SELECT incarnation, number, answered FROM request ORDER BY number") == [
            (1, 1, True),
            (1, 2, False),
            (2, 3, True),
        ]


class TestBlocksThatAJournalTells:
    async def test_a_forgotten_block_is_entered_again(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        line.journal.tell(BlockReceived(LOT, 4, RELEASE, "ab" * 16))
        await line.push()
        assert rows(boss, "SELECT number, station, state FROM block") == [(4, 1, "held")]
        assert list((await other.grant()).blocks) == [5]

    async def test_a_block_of_another_station_is_an_anomaly(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        await other.grant()
        line.journal.tell(BlockReceived(LOT, 0, RELEASE, "ab" * 16))
        await line.push()
        (found,) = administration.anomalies(boss)
        assert (found.kind, found.detail["station"], found.detail["block"]) == ("block.second", "line-1", 0)

    async def test_the_normal_case_changes_nothing(self, line: Teller, boss: psycopg.Connection) -> None:
        grant = await line.grant()
        line.journal.tell(BlockReceived(LOT, grant.blocks[0], RELEASE, "ab" * 16), BlockGivenBack(LOT, grant.blocks[0]))
        await line.push()
        assert rows(boss, "SELECT state FROM block") == [("returned",)]
        assert rows(boss, "SELECT next_block FROM lot") == [(1,)]
        assert rows(boss, "SELECT * FROM anomaly") == []


async def test_eight_stations_get_different_blocks(server: Server, centre: str) -> None:
    async with AsyncExitStack() as stack:
        tellers = [await stack.enter_async_context(teller(server, centre, number)) for number in range(1, 9)]
        for each in tellers:
            await each.enrol()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each.grant()) for each in tellers]
    assert sorted(block for task in tasks for block in task.result().blocks) == list(range(8))
    with owner(server, centre) as boss:
        assert rows(boss, "SELECT tick FROM central") == [(8,)]
