# SPDX-License-Identifier: Apache-2.0
"""What a station's role and a reader's may do at the centre, and what not."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from station.adapters.centre import administration, rights
from tests.builders.centres import Teller
from tests.builders.postgresql import Server

pytestmark = pytest.mark.slow

TABLES = (
    "anomaly",
    "approval",
    "attempt",
    "attempt_rest",
    "block",
    "central",
    "central_version",
    "certificate",
    "checkpoint",
    "identity",
    "incarnation",
    "lot",
    "pai",
    "pairing",
    "request",
    "segment",
    "segment_rest",
    "station",
    "unit",
    "yield",
)
ALONE = ("anomaly", "attempt", "checkpoint", "segment")  # what a station adds and never reads


@pytest.fixture
def writer(server: Server, centre: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn(centre, "line_1"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def reader(server: Server, centre: str, boss: psycopg.Connection) -> Iterator[psycopg.Connection]:
    if boss.execute("SELECT 1 FROM pg_roles WHERE rolname = 'asker'").fetchone() is None:
        boss.execute("CREATE ROLE asker LOGIN IN ROLE station_reader")
    with psycopg.connect(server.dsn(centre, "asker"), autocommit=True) as connection:
        yield connection


def refuses(connection: psycopg.Connection, *statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        connection.execute(" ".join(statement).encode())


def test_the_tables_are_those_that_the_tests_name(boss: psycopg.Connection) -> None:
    found = boss.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
    )
    assert tuple(name for (name,) in found.fetchall()) == TABLES


@pytest.mark.parametrize("table", TABLES)
def test_a_station_removes_nothing(writer: psycopg.Connection, table: str) -> None:
    refuses(writer, "DELETE FROM", table)
    refuses(writer, "TRUNCATE", table)
    refuses(writer, "DROP TABLE", table)
    refuses(writer, "ALTER TABLE", table, "ADD COLUMN other int")


def test_a_station_makes_nothing(writer: psycopg.Connection) -> None:
    refuses(writer, "CREATE TABLE other (number int)")
    refuses(writer, "CREATE ROLE other")


@pytest.mark.parametrize("table", ALONE)
def test_a_station_does_not_read_what_it_only_adds(writer: psycopg.Connection, table: str) -> None:
    refuses(writer, "SELECT * FROM", table)
    refuses(writer, "UPDATE", table, "SET kind = ''" if table == "anomaly" else "SET station = 1")


@pytest.mark.parametrize(
    "change",
    [
        "approval SET release = ''",
        "block SET station = 1",
        "block SET number = number + 1",
        "central SET system_id = ''",
        "central SET open_from = now()",
        "certificate SET dac = ''",
        "identity SET sealed = ''",
        "incarnation SET retired = false",
        "incarnation SET base = ''",
        "lot SET size = 9",
        "pairing SET station = 1",
        "request SET key = ''",
        "station SET db_role = 'line_2'",
        "unit SET uid = ''",
        "yield SET hour = now()",
    ],
)
def test_a_station_changes_only_what_it_must(writer: psycopg.Connection, change: str) -> None:
    refuses(writer, "UPDATE", change)


@pytest.mark.parametrize("what", ["lot", "approval", "station", "central", "central_version"])
def test_a_station_adds_neither_lots_nor_approvals_nor_stations(writer: psycopg.Connection, what: str) -> None:
    refuses(writer, "INSERT INTO", what, "DEFAULT VALUES")


@pytest.mark.parametrize("table", TABLES)
def test_a_reader_changes_nothing(reader: psycopg.Connection, table: str) -> None:
    refuses(reader, "DELETE FROM", table)
    refuses(reader, "TRUNCATE", table)
    refuses(reader, "INSERT INTO", table, "DEFAULT VALUES")


@pytest.mark.parametrize("what", ["pairing", "pairing WHERE hash = 1", "identity", "segment"])
def test_a_reader_does_not_see_pairs_and_secrets(reader: psycopg.Connection, what: str) -> None:
    refuses(reader, "SELECT * FROM", what)


@pytest.mark.parametrize("column", ["identity.sealed", "segment.body"])
def test_a_reader_does_not_see_a_sealed_secret(reader: psycopg.Connection, column: str) -> None:
    refuses(reader, "SELECT", column, "FROM", column.partition(".")[0])


async def test_a_reader_sees_the_rest(reader: psycopg.Connection, line: Teller) -> None:
    await line.grant()
    line.finish(line.chance.uid(), 1)
    await line.push()
    for query in (
        "SELECT * FROM unit_shown",
        "SELECT serial_number FROM identity",
        "SELECT first_line FROM segment",
        "SELECT * FROM attempt",
        "SELECT * FROM certificate",
        "SELECT * FROM yield",
    ):
        assert len(reader.execute(query.encode()).fetchall()) == 1


def test_a_stranger_sees_nothing(server: Server, centre: str, boss: psycopg.Connection) -> None:
    if boss.execute("SELECT 1 FROM pg_roles WHERE rolname = 'nobody_known'").fetchone() is None:
        boss.execute("CREATE ROLE nobody_known LOGIN")
    with psycopg.connect(server.dsn(centre, "nobody_known"), autocommit=True) as connection:
        for table in TABLES:
            refuses(connection, "SELECT * FROM", table)


def test_rights_may_be_granted_again(boss: psycopg.Connection, writer: psycopg.Connection) -> None:
    boss.execute("GRANT DELETE ON unit TO station_writer")
    rights.grant(boss)
    refuses(writer, "DELETE FROM unit")


def test_who_may_not_make_roles_gets_the_sql(server: Server, boss: psycopg.Connection) -> None:
    """Another server would have none of the roles: here they are renamed meanwhile."""
    with psycopg.connect(server.dsn(server.database()), autocommit=True) as connection:
        connection.execute("CREATE ROLE owns_one_database LOGIN")
        try:
            connection.execute("GRANT CREATE ON SCHEMA public TO owns_one_database")
            connection.execute("SET SESSION AUTHORIZATION owns_one_database")
            assert administration.init(connection) == []  # the roles are there
            wanted = administration.add_station(connection, "line-9", "line_nine")
            assert wanted == ['CREATE ROLE "line_nine" LOGIN', 'GRANT "station_writer" TO "line_nine"']
        finally:
            connection.execute("RESET SESSION AUTHORIZATION")
            connection.execute("DROP OWNED BY owns_one_database")
            connection.execute("DROP ROLE owns_one_database")
