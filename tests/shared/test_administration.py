# SPDX-License-Identifier: Apache-2.0
"""What people do at the centre: its tables, lots, stations, anomalies, and its months."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import psycopg
import pytest

from station.adapters.centre import administration, partitions, schema
from station.adapters.centre.administration import CentreStanding
from station.adapters.centre.sessions import Refused
from station.adapters.centre.version import KNOWN
from station.domain.shared import Word
from tests.builders.centres import CHECK, LOT, RELEASE, SIZE, Chance, Teller, owner
from tests.builders.postgresql import Server

pytestmark = pytest.mark.slow


@pytest.fixture
def empty(server: Server, database: str) -> Iterator[psycopg.Connection]:
    """The owner's connection to a database without tables."""
    with owner(server, database) as connection:
        yield connection


class TestTables:
    def test_this_version_knows_the_newest_tables(self) -> None:
        assert schema.newest() == KNOWN
        assert schema.script(KNOWN) == ""

    def test_init_may_be_repeated(self, empty: psycopg.Connection) -> None:
        assert administration.init(empty) == []
        administration.add_lot(empty, "L7", "X-{:04d}", 1, 1000)
        assert administration.init(empty) == []
        assert administration.upgrade(empty) == (KNOWN, KNOWN)
        assert [lot.name for lot in administration.lots(empty)] == ["L7"]

    def test_tables_of_a_later_version_are_left_alone(self, boss: psycopg.Connection) -> None:
        boss.execute("UPDATE central_version SET version_num = 'c9999'")
        with pytest.raises(Refused, match="c9999"):
            administration.upgrade(boss)

    def test_a_new_centre_stands_open(self, boss: psycopg.Connection) -> None:
        found = administration.standing(boss)
        assert isinstance(found, CentreStanding)
        assert (found.revision, found.tick, found.same_server, found.frozen) == (KNOWN, 0, True, None)
        assert (found.stations, found.lots, found.units, found.anomalies) == (8, 1, 0, 0)
        assert found.open_from >= found.started_at


class TestLots:
    def test_a_lot_shows_its_blocks_and_releases(self, boss: psycopg.Connection) -> None:
        (found,) = administration.lots(boss)
        assert (found.name, found.size, found.grid, found.given, found.releases) == (LOT, SIZE, 256, 0, [RELEASE])

    @pytest.mark.parametrize(
        ("form", "first", "size"),
        [("LIGHT-{:06d}", SIZE, 10), ("LIGHT-0{:05d}", 1, 10), ("LIGHT-{:06d}", 1, 1)],
    )
    def test_lots_never_have_a_serial_number_in_common(
        self, boss: psycopg.Connection, form: str, first: int, size: int
    ) -> None:
        with pytest.raises(Refused, match="L1"):
            administration.add_lot(boss, "L2", form, first, size)

    def test_a_lot_after_another_is_added(self, boss: psycopg.Connection) -> None:
        administration.add_lot(boss, "L2", "LIGHT-{:06d}", SIZE + 1, 10)
        assert [lot.name for lot in administration.lots(boss)] == ["L1", "L2"]

    @pytest.mark.parametrize(("form", "size"), [("LIGHT", 5), ("L-{:02d}", 500), ("L-{:02d}", 0)])
    def test_a_lot_that_cannot_be_is_refused(self, boss: psycopg.Connection, form: str, size: int) -> None:
        with pytest.raises(Refused):
            administration.add_lot(boss, "L2", form, 1, size)

    def test_a_name_is_given_once(self, boss: psycopg.Connection) -> None:
        with pytest.raises(Refused, match="L1 already"):
            administration.add_lot(boss, LOT, "OTHER-{:04d}", 1, 10)

    def test_a_release_is_approved_for_one_lot_or_for_all(self, boss: psycopg.Connection) -> None:
        administration.add_lot(boss, "L2", "OTHER-{:04d}", 1, 10)
        assert administration.approve(boss, "7a" * 32, "L2") == ["L2"]
        assert administration.approve(boss, "7a" * 32) == [LOT, "L2"]
        assert administration.revoke(boss, "7a" * 32, LOT) == [LOT]
        assert administration.revoke(boss, "7a" * 32) == ["L2"]
        assert administration.revoke(boss, "7a" * 32) == []

    @pytest.mark.parametrize(("release", "lot"), [("7a", LOT), ("7A" * 32, LOT), ("7a" * 32, "L9")])
    def test_what_cannot_be_approved_is_refused(self, boss: psycopg.Connection, release: str, lot: str) -> None:
        with pytest.raises(Refused):
            administration.approve(boss, release, lot)


class TestStations:
    @pytest.mark.parametrize(("name", "role"), [("line-1", "line_99"), ("line-99", "line_1")])
    def test_a_station_and_its_role_are_known_once(self, boss: psycopg.Connection, name: str, role: str) -> None:
        with pytest.raises(Refused):
            administration.add_station(boss, name, role)

    async def test_a_station_shows_when_it_was_heard(self, boss: psycopg.Connection, line: Teller) -> None:
        line.journal.at = datetime(2100, 1, 1, tzinfo=UTC)  # a clock that is wrong
        line.end(None)
        await line.push()
        first, second = administration.stations(boss)[:2]
        assert (first.name, first.incarnation, first.lines, second.incarnation) == ("line-1", 1, 2, 0)
        assert first.skew_ms is not None
        assert first.skew_ms > 1e12
        assert (second.heard_at, second.skew_ms) == (None, None)

    async def test_a_retired_station_is_closed_and_its_blocks_are_burned(
        self, boss: psycopg.Connection, line: Teller
    ) -> None:
        await line.grant(line.request(blocks=2))
        retired = administration.retire(boss, "line-1")
        assert (retired.incarnations, retired.blocks) == (1, 2)
        assert await line.centre.hello(line.incarnation, 1, 1, CHECK) is Word.CLOSED
        found = administration.stations(boss)[0]
        assert (found.retired, found.blocks_held, found.items_left) == (True, 0, 0)
        line.end(None)
        assert (await line.push()).closed
        await line.enrol()
        assert await line.hello() is Word.OK

    def test_an_unknown_station_is_refused(self, boss: psycopg.Connection) -> None:
        with pytest.raises(Refused):
            administration.retire(boss, "line-99")
        with pytest.raises(Refused):
            administration.join(boss, "line-99", [1])

    async def test_the_pairs_of_a_standalone_ledger_are_entered(self, boss: psycopg.Connection, other: Teller) -> None:
        theirs = other.request()
        await other.grant(theirs)
        mine = Chance(9).hashes(5)
        assert administration.join(boss, "line-1", [*mine, *theirs.hashes[:2]]) == 2
        assert administration.join(boss, "line-1", mine) == 0


class TestAnomalies:
    async def test_a_person_settles_them(self, boss: psycopg.Connection, line: Teller) -> None:
        line.take(line.chance.uid(), 700)
        await line.push()
        (found,) = administration.anomalies(boss)
        administration.settle(boss, found.id, "Ann")
        assert administration.anomalies(boss) == []
        assert [each.settled_by for each in administration.anomalies(boss, settled=True)] == ["Ann"]
        with pytest.raises(Refused):
            administration.settle(boss, found.id, "Bob")


class TestRestore:
    def test_lots_are_skipped_to_their_end_at_most(self, boss: psycopg.Connection) -> None:
        administration.add_lot(boss, "L2", "OTHER-{:04d}", 1, 300)
        accepted = administration.accept_restore(boss, skip=5)
        assert accepted.lots == {LOT: 5, "L2": 2}
        assert accepted.tick == administration.TICKS

    def test_a_centre_that_was_set_back_skips_something(self, boss: psycopg.Connection) -> None:
        assert administration.least_skip(boss) == 0
        boss.execute("UPDATE central SET frozen = 'why'")
        assert administration.least_skip(boss) == 1
        with pytest.raises(Refused):
            administration.accept_restore(boss, skip=0)
        administration.accept_restore(boss, skip=1)
        assert administration.standing(boss).frozen is None


class TestMonths:
    def test_months_are_made_ahead_once(self, boss: psycopg.Connection) -> None:
        made = partitions.made(boss, 2, date(2026, 11, 26))
        assert made == [
            f"{table}_{month}" for table in ("attempt", "segment") for month in ("2026_11", "2026_12", "2027_01")
        ]
        assert partitions.made(boss, 2, date(2026, 11, 26)) == []
        found = partitions.partitions(boss)
        assert [each.name for each in found] == [*made[:3], "attempt_rest", *made[3:], "segment_rest"]
        assert (found[1].since, found[1].until) == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
        assert (found[3].since, found[3].until) == (None, None)

    async def test_rows_go_to_their_months(self, boss: psycopg.Connection, line: Teller) -> None:
        line.end(None)
        await line.push()
        partitions.made(boss, 1, date(2026, 11, 26))
        assert boss.execute("SELECT count(*) FROM attempt_2026_11").fetchone() == (1,)
        assert boss.execute("SELECT count(*) FROM attempt_rest").fetchone() == (0,)
        line.end(None)
        await line.push()
        assert boss.execute("SELECT count(*) FROM attempt_2026_11").fetchone() == (2,)

    async def test_segments_stay_uncompressed_by_the_server(self, boss: psycopg.Connection) -> None:
        """They are compressed already."""
        partitions.made(boss, 0, date(2026, 11, 26))
        storage = boss.execute(
            "SELECT c.relname, a.attstorage FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE a.attname = 'body' AND c.relname LIKE 'segment%' ORDER BY 1"
        ).fetchall()
        assert storage == [("segment", "e"), ("segment_2026_11", "e"), ("segment_rest", "e")]

    async def test_old_months_are_detached_and_named(self, boss: psycopg.Connection, line: Teller) -> None:
        partitions.made(boss, 2, date(2026, 10, 1))
        line.end(None)
        await line.push()
        assert partitions.detach(boss, date(2026, 11, 30)) == ["attempt_2026_10", "segment_2026_10"]
        assert partitions.detach(boss, date(2026, 12, 1)) == ["attempt_2026_11", "segment_2026_11"]
        assert boss.execute("SELECT count(*) FROM attempt").fetchone() == (0,)
        assert boss.execute("SELECT count(*) FROM attempt_2026_11").fetchone() == (1,)
        assert boss.execute("SELECT kept_from FROM central").fetchone() == (datetime(2026, 12, 1, tzinfo=UTC),)

    def test_thirteen_months_are_kept(self, boss: psycopg.Connection) -> None:
        today = datetime.now(UTC).date()
        partitions.made(boss, 0, date(today.year - 2, 1, 1))
        partitions.made(boss, 0)
        gone = partitions.detach(boss)
        assert gone == [f"attempt_{today.year - 2}_01", f"segment_{today.year - 2}_01"]
