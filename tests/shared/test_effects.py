# SPDX-License-Identifier: Apache-2.0
"""What a journal's facts do at the centre: identities and their ranks, certificates, the yield, and what contradicts."""

from collections.abc import Sequence
from datetime import timedelta

import psycopg
import pytest

from station.adapters.centre import administration
from station.domain.facts import CertificateIssued, Checkpoint, IdentityAdvanced, IdentityTaken, UnitAdopted
from station.domain.shared import GRID, Rank
from tests.builders.centres import BEGUN, LOT, PAI_NAME, RELEASE, SIZE, Teller

pytestmark = pytest.mark.slow


def rows(boss: psycopg.Connection, query: str) -> list[tuple[object, ...]]:
    return boss.execute(query.encode()).fetchall()


def kinds(boss: psycopg.Connection) -> Sequence[str]:
    return [each.kind for each in administration.anomalies(boss)]


def unit(boss: psycopg.Connection) -> tuple[object, ...]:
    """Index, rank and station of the one unit that there is."""
    ((index, rank, station),) = rows(boss, "SELECT idx, rank, station FROM unit_shown")
    return index, rank, station


@pytest.fixture(autouse=True)
async def _blocks(line: Teller, other: Teller) -> None:
    """line-1 has the indexes from 0, line-2 those from 256."""
    await line.grant()
    await other.grant()


class TestIdentities:
    @pytest.mark.parametrize("rank", [Rank.ON_BOARD, Rank.CERTIFIED, Rank.PASSED])
    async def test_a_higher_rank_replaces_a_lower_one(
        self, line: Teller, other: Teller, boss: psycopg.Connection, rank: Rank
    ) -> None:
        uid = line.chance.uid()
        line.take(uid)
        await line.push()
        other.advance(uid, other.take(uid), rank)
        await other.push()
        assert unit(boss) == (256, rank, "line-2")

    async def test_a_second_identity_of_the_same_rank_is_an_anomaly(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        uid = line.chance.uid()
        line.advance(uid, line.take(uid), Rank.ON_BOARD, Rank.PASSED)
        await line.push()
        other.advance(uid, other.take(uid), Rank.ON_BOARD, Rank.PASSED)
        await other.push()
        assert unit(boss) == (0, Rank.PASSED, "line-1")
        (found,) = administration.anomalies(boss)
        assert found.kind == "unit.second_identity"
        assert found.detail == {
            "uid": str(uid),
            "lot": LOT,
            "index": 256,
            "has_lot": LOT,
            "has_index": 0,
            "station": "line-2",
            "incarnation": 1,
        }

    async def test_of_two_identities_in_one_push_the_first_stays(self, line: Teller, boss: psycopg.Connection) -> None:
        uid = line.chance.uid()
        first, second = line.take(uid), line.take(uid)
        line.advance(uid, first, Rank.ON_BOARD)
        line.advance(uid, second, Rank.ON_BOARD)
        await line.push()
        assert unit(boss) == (first, Rank.ON_BOARD, "line-1")
        assert kinds(boss) == ["unit.second_identity"]

    async def test_of_two_identities_in_one_push_the_higher_one_stays(
        self, line: Teller, boss: psycopg.Connection
    ) -> None:
        uid = line.chance.uid()
        first, second = line.take(uid), line.take(uid)
        line.advance(uid, second, Rank.ON_BOARD, Rank.CERTIFIED)
        line.advance(uid, first, Rank.ON_BOARD)
        await line.push()
        assert unit(boss) == (second, Rank.CERTIFIED, "line-1")

    async def test_a_serial_number_of_another_unit_is_an_anomaly(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        mine, theirs = line.chance.uid(), other.chance.uid()
        index = line.take(mine)
        await line.push()
        other.advance(theirs, other.take(theirs, index), Rank.ON_BOARD)
        await other.push()
        assert rows(boss, "SELECT uid, station FROM identity") == [(mine.raw, 1)]
        assert rows(boss, "SELECT uid, idx, rank FROM unit ORDER BY station") == [
            (mine.raw, index, Rank.TAKEN),
            (theirs.raw, None, Rank.SEEN),
        ]
        assert kinds(boss) == ["identity.outside_block", "identity.double"]
        assert (await other.centre.claim(other.incarnation, theirs)).known is None

    @pytest.mark.parametrize("index", [GRID, 5 * GRID, SIZE, -1])
    async def test_an_index_outside_the_stations_blocks_is_an_anomaly(
        self, line: Teller, boss: psycopg.Connection, index: int
    ) -> None:
        line.take(line.chance.uid(), index)
        await line.push()
        assert kinds(boss) == ["identity.outside_block"]
        assert unit(boss) == (index, Rank.TAKEN, "line-1")

    async def test_a_block_that_nobody_was_given_is_burned_once_it_is_used(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        line.take(line.chance.uid(), 3 * GRID + 5)
        await line.push()
        grant = await other.grant(other.request(blocks=3))
        assert list(grant.blocks) == [2, 4, 5]
        assert rows(boss, "SELECT state, station FROM block WHERE number = 3") == [("burned", 1)]

    async def test_a_ledger_that_joined_tells_of_its_standalone_time(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        administration.join(boss, "line-1", [])
        for index in (2 * GRID, 2 * GRID + 1, 4 * GRID):
            line.take(line.chance.uid(), index)
            await line.push()
        assert kinds(boss) == []
        line.take(line.chance.uid(), GRID)  # a block of line-2
        await line.push()
        assert kinds(boss) == ["identity.outside_block"]
        assert list((await other.grant(other.request(blocks=2))).blocks) == [3, 5]

    async def test_an_index_of_an_unknown_lot_is_an_anomaly(self, line: Teller, boss: psycopg.Connection) -> None:
        line.journal.tell(IdentityTaken(line.chance.uid(), "L9", 0, "X-1", b"sealed"))
        await line.push()
        assert kinds(boss) == ["identity.outside_block"]

    async def test_a_block_given_back_is_no_block_any_more(self, line: Teller, boss: psycopg.Connection) -> None:
        await line.centre.give_back(line.incarnation, LOT, [0])
        line.take(line.chance.uid())
        await line.push()
        assert kinds(boss) == ["identity.outside_block"]

    async def test_the_same_contradiction_is_noted_once(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        uid = line.chance.uid()
        line.advance(uid, line.take(uid), Rank.PASSED)
        await line.push()
        index = other.take(uid)
        for rank in (Rank.ON_BOARD, Rank.CERTIFIED, Rank.PASSED):
            other.advance(uid, index, rank)
            await other.push()
        assert kinds(boss) == ["unit.second_identity"]

    async def test_what_is_taken_out_of_a_block_is_counted(self, line: Teller, boss: psycopg.Connection) -> None:
        for _ in range(3):
            line.take(line.chance.uid())
        await line.push()
        assert rows(boss, "SELECT number, taken FROM block ORDER BY number") == [(0, 3), (1, 0)]
        assert administration.stations(boss)[0].items_left == GRID - 3


class TestUnits:
    async def test_adopting_moves_a_unit_at_a_centre_that_forgot_the_claim(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        uid = line.chance.uid()
        index = line.take(uid)
        await line.push()
        other.journal.tell(UnitAdopted(uid, LOT, index, 2, "line-1"))
        other.advance(uid, index, Rank.ON_BOARD)
        await other.push()
        assert unit(boss) == (index, Rank.ON_BOARD, "line-2")
        assert rows(boss, "SELECT epoch FROM unit") == [(2,)]
        line.journal.tell(UnitAdopted(uid, LOT, index, 1, "line-1"))
        await line.push()
        assert unit(boss) == (index, Rank.ON_BOARD, "line-2")

    async def test_verdicts_are_the_units(self, line: Teller, boss: psycopg.Connection) -> None:
        uid = line.chance.uid()
        line.end(uid, "void", "board.removed")
        line.end(uid, "fail", "flash.mismatch")
        await line.push()
        line.end(uid)
        line.end(uid, "pass", slot="2")
        await line.push()
        assert rows(boss, "SELECT attempts, verdict, fault, first_verdict, release FROM unit") == [
            (4, "pass", None, "fail", RELEASE)
        ]

    async def test_a_later_failure_keeps_the_release_that_passed(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        uid = line.chance.uid()
        line.finish(uid, 1)
        line.end(uid, "fail", "flash.mismatch")
        await line.push()
        assert rows(boss, "SELECT verdict, release FROM unit") == [("fail", RELEASE)]
        known = (await other.centre.claim(other.incarnation, uid)).known
        assert known is not None
        assert known.release == RELEASE


class TestYield:
    async def test_attempts_are_counted_by_hour_slot_and_fault(self, line: Teller, boss: psycopg.Connection) -> None:
        uids = [line.chance.uid() for _ in range(3)]
        line.end(uids[0])
        line.end(uids[1])
        line.end(uids[1], slot="2")
        line.end(None, "void", "board.removed")
        line.journal.at += timedelta(hours=1)
        line.end(uids[2], "fail", "flash.mismatch")
        await line.push()
        hour = BEGUN.replace(minute=0)
        assert rows(boss, "SELECT hour, slot, verdict, fault, attempts FROM yield ORDER BY hour, slot, verdict") == [
            (hour, "1", "pass", "", 2),
            (hour, "1", "void", "board.removed", 1),
            (hour, "2", "pass", "", 1),
            (hour + timedelta(hours=1), "1", "fail", "flash.mismatch", 1),
        ]

    async def test_attempts_of_the_laboratory_count_nowhere(self, line: Teller, boss: psycopg.Connection) -> None:
        line.end(line.chance.uid(), laboratory=True)
        await line.push()
        assert rows(boss, "SELECT * FROM yield") == rows(boss, "SELECT * FROM unit") == []
        assert rows(boss, "SELECT laboratory FROM attempt") == [(True,)]


class TestCertificates:
    async def test_the_same_certificate_may_be_told_again(
        self, line: Teller, other: Teller, boss: psycopg.Connection
    ) -> None:
        uid, key, serial = line.chance.uid(), line.chance.key(), line.chance.serial()
        line.certify(uid, 1, key, serial)
        other.certify(uid, 1, key, serial)
        await line.push()
        await other.push()
        assert kinds(boss) == []
        assert rows(boss, "SELECT count(*) FROM certificate") == [(1,)]

    @pytest.mark.parametrize("same", ["key", "serial"])
    async def test_a_second_certificate_is_an_anomaly(
        self, line: Teller, other: Teller, boss: psycopg.Connection, same: str
    ) -> None:
        uid, key, serial = line.chance.uid(), line.chance.key(), line.chance.serial()
        line.certify(uid, 1, key, serial)
        await line.push()
        second = (key, line.chance.serial()) if same == "key" else (line.chance.key(), serial)
        other.certify(uid, 1, *second)
        await other.push()
        (found,) = administration.anomalies(boss)
        assert found.kind == "dac.second"
        assert (found.detail["key"], found.detail["dac_serial_number"]) == second
        assert (found.detail["has_key"], found.detail["has_dac_serial_number"]) == (key, serial)
        assert rows(boss, "SELECT encode(key, 'hex') FROM certificate") == [(key,)]

    async def test_two_certificates_for_a_key_in_one_push_are_an_anomaly(
        self, line: Teller, boss: psycopg.Connection
    ) -> None:
        uid, key = line.chance.uid(), line.chance.key()
        line.certify(uid, 1, key)
        line.certify(uid, 2, key)
        await line.push()
        assert kinds(boss) == ["dac.second"]

    async def test_a_units_certificates_come_the_newest_last(self, line: Teller, other: Teller) -> None:
        uid = line.chance.uid()
        line.take(uid)
        keys = [line.certify(uid, request) for request in (1, 2, 3)]
        await line.push()
        known = (await other.centre.claim(other.incarnation, uid)).known
        assert known is not None
        assert [key for key, _ in known.certificates] == keys


class TestCheckpoints:
    async def test_a_checkpoint_is_kept(self, line: Teller, boss: psycopg.Connection) -> None:
        line.end(None)
        line.journal.tell(Checkpoint(2, line.journal.head, b"signature"))
        await line.push()
        assert rows(boss, "SELECT line, head, signature FROM checkpoint") == [
            (2, line.journal.lines[1].hash, b"signature")
        ]


class TestWhatFails:
    """A line whose fact fails is kept, noted and has no effect; all others of its push have theirs."""

    async def test_an_effect_that_the_database_refuses_is_cut_out(self, line: Teller, boss: psycopg.Connection) -> None:
        uids = [line.chance.uid() for _ in range(9)]
        bad = list[int]()
        for number, uid in enumerate(uids, 1):
            line.finish(uid, number)
            if number == 4:
                line.certify(uid, number)  # request 4 once more
                bad.append(line.journal.next_line - 3)
            if number == 7:
                line.advance(uid, 2**70, Rank.ON_BOARD)
                bad.append(line.journal.next_line - 1)
        await line.push()
        found = administration.anomalies(boss)
        assert [each.detail["line"] for each in found if each.kind == "effect.failed"] == bad
        assert rows(boss, "SELECT count(*) FROM unit WHERE rank = 4 AND attempts = 1") == [(9,)]
        assert rows(boss, "SELECT last_line FROM segment") == [(line.journal.next_line - 1,)]

    @pytest.mark.parametrize(
        "content",
        [
            "no object",
            {},
            {"uid": "no uid", "lot": LOT, "index": 0, "rank": 2},
            {"uid": "ab" * 12, "lot": LOT, "index": True, "rank": 2},
            {"uid": "ab" * 12, "lot": LOT, "index": 0, "rank": 9},
            {"uid": "ab" * 12, "lot": "a\0b", "index": 0, "rank": 2},
            {"uid": "ab" * 12, "lot": None, "index": 0, "rank": 2},
        ],
    )
    async def test_a_fact_that_cannot_be_read_is_noted(
        self, line: Teller, boss: psycopg.Connection, content: object
    ) -> None:
        line.end(None)
        line.journal.write("IdentityAdvanced", content)
        line.end(None)
        assert (await line.push()).next_line == 6
        (found,) = administration.anomalies(boss)
        assert (found.kind, found.detail["line"], found.detail["station"]) == ("effect.failed", 3, "line-1")
        assert rows(boss, "SELECT count(*) FROM attempt") == [(2,)]

    async def test_a_line_with_another_number_is_noted(self, line: Teller, boss: psycopg.Connection) -> None:
        line.end(None)
        line.journal.add(line.journal.lines[1].text)
        await line.push()
        (found,) = administration.anomalies(boss)
        assert (found.detail["line"], found.detail["reason"]) == (3, "the line says that it is number 2")
        assert rows(boss, "SELECT count(*) FROM attempt") == [(1,)]

    async def test_what_later_versions_tell_is_kept_without_effect(
        self, line: Teller, boss: psycopg.Connection
    ) -> None:
        line.journal.write("UnitWashed", {"uid": "ab" * 12})
        uid = line.chance.uid()
        line.journal.write("IdentityAdvanced", {"uid": str(uid), "lot": LOT, "index": 0, "rank": 2, "colour": "red"})
        await line.push()
        assert kinds(boss) == []
        assert rows(boss, "SELECT uid, rank FROM unit") == [(uid.raw, 2)]
        assert rows(boss, "SELECT last_line FROM segment") == [(2,)]

    async def test_an_intermediate_certificate_has_its_own_name(self, line: Teller, boss: psycopg.Connection) -> None:
        line.journal.write("IntermediateSeen", {"pai": PAI_NAME, "content": b"another".hex()})
        await line.push()
        assert kinds(boss) == ["effect.failed"]
        assert rows(boss, "SELECT * FROM pai") == []

    async def test_a_push_of_nothing_but_failures_is_taken(self, line: Teller, boss: psycopg.Connection) -> None:
        uid = line.chance.uid()
        for _ in range(5):
            line.journal.tell(IdentityAdvanced(uid, LOT, 2**70, 2))
            serial = "".join(line.chance.key() for _ in range(100))  # more than an index takes
            line.journal.tell(CertificateIssued(1, line.chance.key(), uid, serial, b"", PAI_NAME))
        await line.push()
        assert line.sent == 10
        assert kinds(boss) == ["effect.failed"] * 10
