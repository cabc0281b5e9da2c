# SPDX-License-Identifier: Apache-2.0
"""The centre for a person's command or question: one transaction, and no thread that waits for a dead network."""

import psycopg
import pytest

from station.adapters.centre.by_hand import connected
from station.adapters.centre.trouble import CentreBroken, CentreUnreachable
from tests.builders.network import Mode, Way
from tests.builders.postgresql import Server

CANARY = "hunter2-canary"


def numbers(dsn: str) -> list[int]:
    with connected(dsn, reads_only=True) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM kept ORDER BY number")]


@pytest.fixture
def dsn(server: Server, database: str) -> str:
    """The address of a database with an empty table."""
    found = server.dsn(database)
    with connected(found) as connection:
        connection.execute("CREATE TABLE kept (number int PRIMARY KEY)")
    return found


def test_a_block_is_one_transaction(dsn: str) -> None:
    with connected(dsn) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
    with pytest.raises(KeyError), connected(dsn) as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
        raise KeyError
    assert numbers(dsn) == [1]


def test_a_question_changes_nothing(dsn: str) -> None:
    with pytest.raises(CentreUnreachable, match="read-only"), connected(dsn, reads_only=True) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
    assert numbers(dsn) == []


def test_an_error_of_the_database_is_told_as_such(dsn: str) -> None:
    with pytest.raises(CentreBroken) as caught, connected(dsn) as connection:
        connection.execute("SELECT * FROM lost")
    assert caught.value.sqlstate == "42P01"


@pytest.mark.parametrize("mode", [Mode.HOLE, Mode.DEAF])
def test_a_network_that_is_gone_holds_nobody(way: Way, dsn: str, database: str, mode: Mode) -> None:
    """Neither in the block nor at its end."""
    with pytest.raises(CentreUnreachable), connected(way.dsn(database), within=0.3) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
        way.become(mode)
        connection.execute("INSERT INTO kept VALUES (2)")
    way.become(Mode.OK)
    assert numbers(dsn) == []


def test_a_lost_answer_to_the_commit_holds_nobody(way: Way, dsn: str, database: str) -> None:
    with pytest.raises(CentreUnreachable), connected(way.dsn(database), within=0.3) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
        way.become(Mode.HOLE)


def test_a_server_that_is_not_there_is_unreachable(way: Way, database: str) -> None:
    way.become(Mode.REFUSE)
    with pytest.raises(CentreUnreachable), connected(way.dsn(database), within=0.3):
        pass


@pytest.mark.parametrize("dsn", [f"password='{CANARY}", f"host=db {CANARY}"])
def test_no_error_shows_the_address(dsn: str) -> None:
    with pytest.raises(ValueError, match="cannot read") as caught, connected(dsn):
        pass
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_connection_names_the_command(dsn: str) -> None:
    """Whoever looks at the server's list of sessions sees whose it is."""
    with connected(dsn) as connection:
        row = connection.execute("SELECT current_setting('application_name')").fetchone()
    assert row == ("matter-station central",)
    assert psycopg.conninfo.conninfo_to_dict(dsn).get("application_name") is None
