# SPDX-License-Identifier: Apache-2.0
"""What the page of all stations asks at a real centre."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from station.adapters.centre import look as asking
from station.adapters.centre.look import look
from station.adapters.centre.trouble import CentreUnreachable
from station.config import line as configuration
from station.daemon.central_page import WORST, central_of, view_of
from station.daemon.further_routes import stations_of
from station.domain.shared import Rank
from station.web.central import CentreAway, SharingStation
from tests.builders.centres import Teller
from tests.builders.network import Mode, Way
from tests.builders.postgresql import Server
from tests.doctor.line_files import make


async def made_now(teller: Teller) -> None:
    """Three boards of this hour: one passed, one failed in each of two slots."""
    teller.journal.at = datetime.now(UTC) - timedelta(seconds=30)
    await teller.grant(teller.request(candidates=64))
    uid = teller.chance.uid()
    teller.advance(uid, teller.take(uid), Rank.ON_BOARD, Rank.CERTIFIED, Rank.PASSED)
    teller.end(uid)
    teller.end(None, "fail", "flash.mismatch", slot="2")
    teller.end(None, "fail", "board.silent", slot="10")
    teller.end(None, "void", "tty.lost", slot="10")
    await teller.push()


def reader(server: Server, centre: str, boss: psycopg.Connection) -> str:
    """The address of the centre with a role that only reads."""
    boss.execute(f"CREATE ROLE reader_{centre} LOGIN IN ROLE station_reader".encode())
    return server.dsn(centre, f"reader_{centre}")


async def test_every_station_is_there_and_those_that_need_somebody_come_first(
    server: Server, centre: str, boss: psycopg.Connection, line: Teller
) -> None:
    """The reader's role is enough for all of it."""
    await made_now(line)
    seen = look(reader(server, centre, boss))
    view = view_of(seen, "line-1")
    assert [each.name for each in view.stations] == [f"line-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 1)]
    own: SharingStation = view.stations[-1]
    assert (own.own, own.passed, own.failed, own.void, own.items_left) == (True, 1, 2, 1, 255)
    assert own.heard_at is not None
    assert own.lag_seconds is not None
    assert 0 < own.units_an_hour <= 1
    assert view.stations[0].heard_at is None
    assert [each.name for each in view.slots] == ["line-1 10", "line-1 2", "line-1 1"]
    assert [(each.name, each.failed, each.void) for each in view.faults] == [
        ("board.silent", 1, 0),
        ("flash.mismatch", 1, 0),
        ("tty.lost", 0, 1),
    ]
    assert sum(each.passed for each in view.hours) == 1
    assert view.anomalies == 0
    assert (view.unheard, view.dry) == (7, 7)


async def test_only_the_worst_slots_are_shown(
    server: Server, centre: str, boss: psycopg.Connection, line: Teller
) -> None:
    line.journal.at = datetime.now(UTC) - timedelta(minutes=2)
    for slot in range(1, WORST + 6):
        for _ in range(1 + (slot == 7)):
            line.end(None, "fail", "board.silent", slot=str(slot))
    await line.push()
    slots = view_of(look(reader(server, centre, boss)), "line-1").slots
    assert len(slots) == WORST
    assert slots[0].name == "line-1 7"


async def test_a_line_asks_the_centre_that_its_configuration_names(
    server: Server, centre: str, boss: psycopg.Connection, tmp_path: Path
) -> None:
    """A line by itself asks none, and one without `reader` says what to set."""
    make(tmp_path)
    file, alone = tmp_path / "line.toml", (tmp_path / "line.toml").read_text()
    assert stations_of(configuration.load(file, {})) is None
    section = '[shared]\ndsn = "host=db user=u dbname=d"\nfleet_key = "/k"\n'
    file.write_text(alone.replace("[pki]", f"{section}[pki]"))
    without = stations_of(configuration.load(file, {}))
    assert without is not None
    with pytest.raises(CentreAway, match="reader"):
        await without.stations()
    file.write_text(alone.replace("[pki]", f'{section}reader = "{reader(server, centre, boss)}"\n[pki]'))
    asked = stations_of(configuration.load(file, {}))
    assert asked is not None
    view = await asked.stations()
    assert [each.name for each in view.stations if each.own] == ["line-1"]


async def test_the_page_says_what_is_wrong_with_the_centre(server: Server, database: str, tmp_path: object) -> None:
    """Nobody listens, or the database is not a centre."""
    for address, words in ((f"host={tmp_path} dbname=d user=u", "not answer"), (server.dsn(database), "refuses")):
        with pytest.raises(CentreAway, match=words):
            await central_of(address, "line-1").stations()


async def test_a_centre_in_a_dead_network_holds_no_thread(
    way: Way, centre: str, boss: psycopg.Connection, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The visit ends by itself soon after its time, else the daemon could not end."""
    monkeypatch.setattr(asking, "LOOKED_WITHIN", 0.2)
    moments = asking._moments  # noqa: SLF001  the network goes while the visit is under way

    def gone(connection: psycopg.Connection) -> tuple[datetime, datetime]:
        way.become(Mode.HOLE)
        return moments(connection)

    monkeypatch.setattr(asking, "_moments", gone)
    with pytest.raises(CentreUnreachable):
        look(way.dsn(centre))
