# SPDX-License-Identifier: Apache-2.0
"""What a reader is told about all stations."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from station.adapters.centre import questions
from station.adapters.centre.questions import By, YieldRow
from station.adapters.centre.sessions import connected
from station.domain.shared import Rank
from station.domain.target import UID
from tests.builders.centres import BEGUN, LOT, RELEASE, Teller
from tests.builders.postgresql import Server

pytestmark = pytest.mark.slow


@pytest.fixture
def reader(server: Server, centre: str, boss: psycopg.Connection) -> Iterator[psycopg.Connection]:
    if boss.execute("SELECT 1 FROM pg_roles WHERE rolname = 'asker'").fetchone() is None:
        boss.execute("CREATE ROLE asker LOGIN IN ROLE station_reader")
    with connected(server.dsn(centre, "asker"), within=60, reads_only=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
async def uids(line: Teller, other: Teller) -> list[UID]:
    """Units in the order in which the centre saw them: two of line-1, then two of line-2, of which the last one failed."""
    found = list[UID]()
    for each in (line, other):
        await each.grant()
        for number in (1, 2):
            uid = each.chance.uid()
            found.append(uid)
            if (each, number) == (other, 2):
                each.take(uid)
                each.end(uid, "fail", "flash.mismatch", slot="2")
            else:
                each.finish(uid, number)
            await each.push()
    return found


class TestUnits:
    def test_all_are_streamed(self, reader: psycopg.Connection, uids: list[UID]) -> None:
        assert {each.uid for each in questions.units(reader)} == set(uids)

    def test_the_newest_come_first(self, reader: psycopg.Connection, uids: list[UID]) -> None:
        assert [each.uid for each in questions.units(reader, newest=3)] == uids[:0:-1]

    def test_they_are_selected_by_station_lot_and_verdict(self, reader: psycopg.Connection, uids: list[UID]) -> None:
        for newest in (None, 9):
            by_station = questions.units(reader, newest=newest, station="line-1")
            assert {each.uid for each in by_station} == set(uids[:2])
            assert [each.uid for each in questions.units(reader, newest=newest, verdict="fail")] == uids[3:]
            assert len(list(questions.units(reader, newest=newest, lot=LOT))) == 4
            assert list(questions.units(reader, newest=newest, lot="L9")) == []

    def test_the_newest_of_a_lot_have_the_highest_serial_numbers(
        self, reader: psycopg.Connection, uids: list[UID]
    ) -> None:
        assert [each.uid for each in questions.units(reader, newest=3, lot=LOT)] == [uids[3], uids[2], uids[1]]
        of_line = questions.units(reader, newest=1, lot=LOT, station="line-1", verdict="pass")
        assert [each.uid for each in of_line] == [uids[1]]

    def test_a_row_has_what_the_centre_knows(self, reader: psycopg.Connection, uids: list[UID]) -> None:
        (row,) = questions.units(reader, newest=1)
        assert (row.uid, row.serial_number, row.lot, row.station) == (uids[3], "LIGHT-000258", LOT, "line-2")
        assert (row.rank, row.verdict, row.fault, row.attempts) == (Rank.TAKEN, "fail", "flash.mismatch", 1)
        assert row.dac_serial_number is None

    def test_an_answer_that_nobody_reads_to_its_end_leaves_the_connection_usable(
        self, reader: psycopg.Connection
    ) -> None:
        rows = questions.units(reader)
        next(rows)
        rows.close()  # type: ignore[attr-defined]  # a generator
        assert len(list(questions.units(reader))) == 4


class TestUnit:
    async def test_its_story_is_told(self, reader: psycopg.Connection, uids: list[UID], other: Teller) -> None:
        await other.centre.claim(other.incarnation, uids[0])
        other.end(uids[0], "void", "board.removed", slot="3")
        await other.push()
        story = questions.unit(reader, str(uids[0]))
        assert story is not None
        assert (story.unit.serial_number, story.unit.rank, story.unit.station) == (
            "LIGHT-000001",
            Rank.PASSED,
            "line-2",
        )
        assert (story.began_at, story.stations, story.epoch) == ("line-1", ["line-1", "line-2"], 1)
        assert [(each.station, each.slot, each.verdict, each.fault) for each in story.attempts] == [
            ("line-1", "1", "pass", None),
            ("line-2", "3", "void", "board.removed"),
        ]
        assert [each.dac_serial_number for each in story.certificates] == [story.unit.dac_serial_number]

    def test_it_is_found_by_its_serial_number(self, reader: psycopg.Connection, uids: list[UID]) -> None:
        story = questions.unit(reader, "LIGHT-000257")
        assert story is not None
        assert story.unit.uid == uids[2]

    @pytest.mark.parametrize("name", ["LIGHT-000003", "LIGHT-999999", "OTHER-000001", "", "ab" * 12])
    def test_an_unknown_one_is_none(self, reader: psycopg.Connection, name: str) -> None:
        assert questions.unit(reader, name) is None


class TestYields:
    @pytest.mark.parametrize(
        ("by", "expected"),
        [
            ("station", [YieldRow("line-1", 2, 0, 0), YieldRow("line-2", 1, 1, 0)]),
            (
                "slot",
                [YieldRow("line-1 1", 2, 0, 0), YieldRow("line-2 1", 1, 0, 0), YieldRow("line-2 2", 0, 1, 0)],
            ),
            ("hour", [YieldRow("2026-11-23T08:00Z", 3, 1, 0)]),
            ("fault", [YieldRow("flash.mismatch", 0, 1, 0)]),
        ],
    )
    def test_attempts_are_counted(self, reader: psycopg.Connection, by: By, expected: list[YieldRow]) -> None:
        assert questions.yields(reader, by) == expected
        assert questions.yields(reader, by, lot=LOT) == expected
        assert questions.yields(reader, by, lot="L9") == []

    def test_hours_are_selected(self, reader: psycopg.Connection) -> None:
        hour = BEGUN.replace(minute=0)
        assert questions.yields(reader, "station", since=hour + timedelta(hours=1)) == []
        assert questions.yields(reader, "station", until=hour) == []
        assert len(questions.yields(reader, "station", since=hour, until=hour + timedelta(hours=1))) == 2


async def test_neighbours_are_shown(reader: psycopg.Connection, line: Teller) -> None:
    line.journal.at = datetime.now(UTC)
    line.end(None)
    line.end(None, "fail", "flash.mismatch")
    await line.push()
    found = questions.neighbours(reader)
    first, second, third = found.stations[:3]
    assert (first.name, first.passed, first.failed, first.items_left) == ("line-1", 1, 1, 254)
    assert (second.name, second.passed, second.failed, second.items_left) == ("line-2", 0, 0, 254)
    assert (third.heard_at, third.newest_at, third.items_left) == (None, None, 0)
    assert found.anomalies == 0
    assert RELEASE not in str(found)
