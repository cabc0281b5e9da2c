# SPDX-License-Identifier: Apache-2.0
"""What the doctor says of the shared ledger's centre: each mistake of a set-up has its finding, with a remedy and without a secret."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from station.adapters.centre import administration
from station.adapters.centre.examined import Examined
from station.config import line
from station.config.line import Config
from station.doctor import shared
from station.doctor.finding import State
from tests.builders.centres import owner
from tests.builders.postgresql import Server
from tests.builders.replicas import RECIPE, made
from tests.builders.sharing import FLEET
from tests.doctor.line_files import LINE

pytestmark = pytest.mark.slow

OTHER = "11" * 32


@pytest.fixture(scope="module")
def template(server: Server) -> str:
    return made(server)


@pytest.fixture
def database(server: Server, template: str) -> Iterator[str]:
    name = server.database(template)
    yield name
    server.drop(name)


@pytest.fixture
def boss(server: Server, database: str) -> Iterator[psycopg.Connection]:
    with owner(server, database) as connection:
        yield connection


def configured(folder: Path, dsn: str, key: str = FLEET.key.hex(), further: str = "") -> Config:
    (folder / "fleet.key").write_text(key)
    (folder / "fleet.key").chmod(0o600)
    (folder / "line.toml").write_text(f'{LINE}\n[shared]\ndsn = "{dsn}"\nfleet_key = "fleet.key"\n{further}')
    return line.load(folder / "line.toml", {})


async def found(config: Config) -> dict[str, State]:
    """How each check ended, the worst of those with one name."""
    assert config.shared is not None
    states: dict[str, State] = {}
    async for finding in shared.findings(config, config.shared, RECIPE, runs=False):
        assert FLEET.key.hex() not in finding.text + finding.remedy
        assert finding.remedy or finding.state is State.GOOD
        if states.get(finding.check, State.GOOD) is State.GOOD:
            states[finding.check] = finding.state
    return states


async def test_a_centre_that_is_set_up_is_good(server: Server, database: str, tmp_path: Path) -> None:
    states = await found(configured(tmp_path, server.dsn(database, "line_1")))
    assert states == {
        "centre": State.GOOD,
        "centre's role": State.GOOD,
        "fleet key": State.GOOD,
        "centre's lot": State.GOOD,
    }


async def test_a_centre_that_is_not_there_is_bad(tmp_path: Path) -> None:
    assert await found(configured(tmp_path, f"host={tmp_path} dbname=none user=line_1")) == {"centre": State.BAD}


async def test_a_database_without_a_centre_is_bad(server: Server, tmp_path: Path) -> None:
    name = server.database()
    assert await found(configured(tmp_path, server.dsn(name, "line_1"))) == {"centre": State.BAD}


@pytest.mark.parametrize(("role", "state"), [("line_1", State.GOOD), ("line_2", State.BAD)])
async def test_a_role_is_of_one_station(server: Server, database: str, tmp_path: Path, role: str, state: State) -> None:
    assert (await found(configured(tmp_path, server.dsn(database, role))))["centre's role"] is state


async def test_another_fleet_key_is_bad(
    server: Server, database: str, boss: psycopg.Connection, tmp_path: Path
) -> None:
    boss.execute("UPDATE central SET fleet_check = %s", [FLEET.check])
    dsn = server.dsn(database, "line_1")
    assert (await found(configured(tmp_path, dsn)))["fleet key"] is State.GOOD
    assert (await found(configured(tmp_path, dsn, OTHER)))["fleet key"] is State.BAD


async def test_a_fleet_key_that_others_can_read_is_bad(server: Server, database: str, tmp_path: Path) -> None:
    config = configured(tmp_path, server.dsn(database, "line_1"))
    (tmp_path / "fleet.key").chmod(0o644)
    assert (await found(config))["fleet key"] is State.BAD


async def test_a_release_that_is_not_approved_is_bad(
    server: Server, database: str, boss: psycopg.Connection, tmp_path: Path
) -> None:
    administration.revoke(boss, RECIPE.release)
    assert (await found(configured(tmp_path, server.dsn(database, "line_1"))))["centre's lot"] is State.BAD


async def test_a_frozen_centre_and_one_of_another_version_are_bad(
    server: Server, database: str, boss: psycopg.Connection, tmp_path: Path
) -> None:
    config = configured(tmp_path, server.dsn(database, "line_1"))
    boss.execute("UPDATE central SET frozen = 'it was set back'")
    assert (await found(config))["centre"] is State.BAD
    boss.execute("UPDATE central SET frozen = NULL")
    boss.execute("UPDATE central_version SET version_num = 'c9999'")
    assert (await found(config))["centre"] is State.BAD


async def test_a_wrong_clock_is_advice() -> None:
    found_there = Examined("line_1", "line-1", "c0001", None, None, 3600.0, None)
    states = {finding.check: finding.state for finding in shared.judged(found_there, "line-1", None)}
    assert states["centre's clock"] is State.ADVICE
    near = {finding.check for finding in shared.judged(replace(found_there, ahead=-3.0), "line-1", None)}
    assert "centre's clock" not in near


async def test_questions_need_a_role_that_may_read(
    server: Server, database: str, boss: psycopg.Connection, tmp_path: Path
) -> None:
    dsn = server.dsn(database, "line_1")
    boss.execute("CREATE ROLE asking LOGIN")
    boss.execute("GRANT station_reader TO asking")
    good = configured(tmp_path, dsn, further=f'reader = "{server.dsn(database, "asking")}"')
    assert (await found(good))["centre's reader"] is State.GOOD
    bad = configured(tmp_path, dsn, further=f'reader = "{dsn}"')
    assert (await found(bad))["centre's reader"] is State.BAD
    boss.execute("DROP ROLE asking")
