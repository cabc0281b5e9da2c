# SPDX-License-Identifier: Apache-2.0
"""A person's connection to the centre: what it may do, and that no thread waits for a dead network."""

import pytest

from station.adapters.centre.sessions import connected
from station.adapters.centre.trouble import CentreBroken, CentreUnreachable
from tests.builders.network import Mode, Way
from tests.builders.postgresql import Server

pytestmark = pytest.mark.slow


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
    with pytest.raises(CentreUnreachable), connected(way.dsn(database), cut_after=0.3) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
        way.become(mode)
        connection.execute("INSERT INTO kept VALUES (2)")


def test_a_server_that_is_not_there_is_unreachable(way: Way, database: str) -> None:
    way.become(Mode.REFUSE)
    with pytest.raises(CentreUnreachable), connected(way.dsn(database), cut_after=0.3):
        pass


def test_the_connection_names_the_command(dsn: str) -> None:
    """Whoever looks at the server's list of sessions sees whose it is."""
    with connected(dsn) as connection:
        row = connection.execute("SELECT current_setting('application_name')").fetchone()
    assert row == ("matter-station central",)
