# SPDX-License-Identifier: Apache-2.0
"""A short campaign of four stations, and lies planted into what it leaves: the referee finds each of them."""

import json
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.builders.postgresql import Server
from tests.shared.campaign.campaign import Campaign, server_for
from tests.shared.campaign.evidence import Evidence
from tests.shared.campaign.plan import Plan
from tests.shared.campaign.referee import Referee
from tests.shared.campaign.report import Outcome

PLAN = Plan(stations=4, slots=4, seconds=20.0, seed=3, cycle=2.0, rate=0.5, pair_space=100_000, lost_answers=0.05)

pytestmark = pytest.mark.line


@dataclass(frozen=True)
class Left:
    """What a campaign has left: its folder, and its database on a server that runs."""

    folder: Path
    server: Server
    database: str
    outcome: Outcome


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    folder = tmp_path_factory.mktemp("campaign")
    with server_for(PLAN) as server:
        campaign = Campaign.prepared(PLAN, folder, server)
        yield Left(folder, server, campaign.database, campaign.run())


@dataclass(frozen=True)
class Spoiled:
    """A copy of what is left, for one lie."""

    folder: Path
    dsn: str

    def promises(self) -> set[str]:
        """The promises that the referee finds broken."""
        with psycopg.connect(self.dsn) as connection:
            return {each.promise for each in Referee(Evidence.read(self.folder, connection)).violations()}

    def surely_passed(self) -> list[str]:
        """The units whose pass is on no lost disk, so that nothing excuses a centre that says otherwise."""
        with psycopg.connect(self.dsn) as connection:
            evidence = Evidence.read(self.folder, connection)
        lost = {uid for file in evidence.files if file.lost for uid in file.passed()}
        return [board.uid for board in evidence.world.boards if board.passes and board.uid not in lost]

    def world(self, change: Callable[[dict[str, list[dict[str, object]]]], None]) -> None:
        account = self.folder / "world.json"
        seen = json.loads(account.read_text(encoding="utf-8"))
        change(seen)
        account.write_text(json.dumps(seen), encoding="utf-8")

    def centre(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.dsn) as connection:
            assert connection.execute(statement.encode(), values).rowcount == 1, statement

    def station(self, statement: str) -> None:
        """Changes the file of the station that has made the most."""
        left = json.loads((self.folder / "left.json").read_text(encoding="utf-8"))
        path = max((self.folder / each["path"] for each in left["files"] if not each["lost"]), key=_events_in)
        with closing(sqlite3.connect(path)) as connection, connection:
            for (trigger,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
                connection.execute(f'DROP TRIGGER "{trigger}"')
            assert connection.execute(statement).rowcount == 1, statement


def _events_in(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("SELECT count(*) FROM event").fetchone()[0])


@pytest.fixture
def spoiled(left: Left, tmp_path: Path) -> Iterator[Spoiled]:
    folder = tmp_path / "left"
    shutil.copytree(left.folder, folder, ignore=shutil.ignore_patterns("*.sock", "backups"))
    database = left.server.database(template=left.database)
    yield Spoiled(folder, left.server.dsn(database))
    left.server.drop(database)


def test_no_promise_is_broken(left: Left) -> None:
    """Four stations go through every kind of disaster; every journal is drained, and nothing is twice."""
    assert left.outcome.good, left.outcome.text


def test_the_referee_shares_no_code_with_the_station() -> None:
    code = "import sys, tests.shared.campaign.referee; print(sorted(name for name in sys.modules if name.startswith('station')))"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"


def test_a_swapped_certificate_is_found(spoiled: Spoiled) -> None:
    sure = spoiled.surely_passed()[:2]

    def swap(seen: dict[str, list[dict[str, object]]]) -> None:
        one, other = (board for board in seen["boards"] if board["uid"] in sure)
        one["dac"], other["dac"] = other["dac"], one["dac"]

    spoiled.world(swap)
    assert spoiled.promises() == {"boards have the certificate that the centre names"}


def test_a_doubled_serial_number_is_found(spoiled: Spoiled) -> None:
    def double(seen: dict[str, list[dict[str, object]]]) -> None:
        one = seen["writes"][0]
        other = next(each for each in seen["writes"] if each["uid"] != one["uid"])
        other["serial_number"] = one["serial_number"]

    spoiled.world(double)
    assert spoiled.promises() == {"no serial number twice"}


def test_a_doubled_pair_is_found(spoiled: Spoiled) -> None:
    def double(seen: dict[str, list[dict[str, object]]]) -> None:
        one = seen["writes"][0]
        other = next(each for each in seen["writes"] if each["uid"] != one["uid"])
        other["pair"] = one["pair"]

    spoiled.world(double)
    assert spoiled.promises() == {"no pair twice"}


def test_another_certificate_of_a_passed_unit_is_found(spoiled: Spoiled) -> None:
    def again(seen: dict[str, list[dict[str, object]]]) -> None:
        board = next(board for board in seen["boards"] if board["passes"])
        passes = board["passes"]
        assert isinstance(passes, list)
        passes.append(passes[0] | {"dac": "00"})

    spoiled.world(again)
    assert spoiled.promises() == {"a passed unit keeps its certificate"}


def test_a_certificate_that_nobody_knows_is_found(spoiled: Spoiled) -> None:
    spoiled.world(lambda seen: seen["minted"].append(seen["minted"][0] | {"dac": "00", "key": "00", "by": "line-99"}))
    assert spoiled.promises() == {"certificates are accounted for"}


def test_a_line_removed_at_the_centre_is_found(spoiled: Spoiled) -> None:
    with psycopg.connect(spoiled.dsn) as connection:
        longest = (
            "SELECT station, incarnation, first_line, body FROM segment ORDER BY last_line - first_line DESC LIMIT 1"
        )
        row = connection.execute(longest.encode()).fetchone()
    assert row is not None
    *key, body = row
    lines = zlib.decompress(body).split(b"\n")
    shorter = zlib.compress(b"\n".join(lines[:-2] + lines[-1:]))
    where = "station = %s AND incarnation = %s AND first_line = %s"
    spoiled.centre(f"UPDATE segment SET body = %s WHERE {where}", shorter, *key)  # noqa: S608  of ours
    assert {"journals have no gap", "journals are linked"} <= spoiled.promises()


def test_a_changed_event_in_a_stations_file_is_found(spoiled: Spoiled) -> None:
    spoiled.station("UPDATE event SET at = '2020-01-01T00:00:00.000Z' WHERE id = (SELECT max(id) - 1 FROM event)")
    assert spoiled.promises() == {"journals are linked"}


def test_a_line_that_was_never_told_is_found(spoiled: Spoiled) -> None:
    spoiled.station(
        "INSERT INTO chain SELECT incarnation, number + 1, event_id, at, type, body, hash FROM chain"
        " ORDER BY incarnation DESC, number DESC LIMIT 1"
    )
    assert "every journal is drained" in spoiled.promises()


def test_an_attempt_counted_twice_is_found(spoiled: Spoiled) -> None:
    spoiled.centre("UPDATE yield SET attempts = attempts + 1 WHERE ctid = (SELECT min(ctid) FROM yield)")
    assert spoiled.promises() == {"what happened is counted once"}


def test_a_pass_that_the_centre_has_forgotten_is_found(spoiled: Spoiled) -> None:
    spoiled.centre("UPDATE unit SET rank = 3 WHERE rank = 4 AND uid = %s", bytes.fromhex(spoiled.surely_passed()[0]))
    assert spoiled.promises() == {"the centre knows each pass"}


def test_another_serial_number_at_the_centre_is_found(spoiled: Spoiled) -> None:
    uid = bytes.fromhex(spoiled.surely_passed()[0])
    named = "(SELECT lot, idx, uid FROM unit WHERE uid = %s)"
    spoiled.centre(f"UPDATE identity SET serial_number = 'LT00' WHERE (lot, idx, uid) IN {named}", uid)  # noqa: S608  of ours
    assert spoiled.promises() == {"the centre names the serial number on the board"}


def test_a_block_in_anothers_hands_is_found(spoiled: Spoiled) -> None:
    taken = "SELECT min(b.ctid) FROM block b JOIN identity i ON i.lot = b.lot AND i.idx / 256 = b.number"
    spoiled.centre(f"UPDATE block SET incarnation = incarnation + 1 WHERE ctid = ({taken})")  # noqa: S608  of ours
    assert spoiled.promises() == {"indices are from own blocks"}
