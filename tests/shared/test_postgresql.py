# SPDX-License-Identifier: Apache-2.0
"""The servers of the tests start, crash, go back to a copy, and end with the tests."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.builders.postgresql import Server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WITHIN = 120.0
HISTORY = """
SELECT system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
FROM pg_control_system()
"""


@pytest.fixture
def own() -> Iterator[Server]:
    """A server for one test, with a table that has one row."""
    with Server() as server:
        insert(server, 1, "CREATE TABLE kept (number int)")
        yield server


def insert(server: Server, number: int, *before: str, database: str = "postgres") -> None:
    with psycopg.connect(server.dsn(database)) as connection:
        for statement in before:
            connection.execute(statement.encode())
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def rows(server: Server, database: str = "postgres", user: str = "postgres") -> list[int]:
    with psycopg.connect(server.dsn(database, user)) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM kept ORDER BY number")]


def history(server: Server) -> tuple[int, int]:
    """The system identifier and the timeline, which the control file learns of at a checkpoint only."""
    with psycopg.connect(server.dsn()) as connection:
        found = connection.execute(HISTORY).fetchone()
    assert found is not None
    return found[0], found[1]


def test_every_test_has_an_empty_database(server: Server, database: str) -> None:
    with psycopg.connect(server.dsn(database)) as connection:
        connection.execute("CREATE TABLE only_here ()")
    with psycopg.connect(server.dsn(server.database())) as connection:
        assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)


def test_a_database_may_be_a_copy_of_another(server: Server, database: str) -> None:
    insert(server, 5, "CREATE TABLE kept (number int)", database=database)
    assert rows(server, server.database(template=database)) == [5]


@pytest.mark.parametrize("end", [Server.stop, Server.crash, Server.kill])
def test_what_is_committed_outlives_every_end(own: Server, end: Callable[[Server], None]) -> None:
    insert(own, 2)
    end(own)
    own.start()
    assert rows(own) == [1, 2]


def test_raw_files_put_back_are_the_same_system_on_the_same_timeline(own: Server) -> None:
    copy = own.copy_files()
    before = history(own)
    insert(own, 2)
    own.put_back(copy)
    assert rows(own) == [1]
    assert history(own) == before


def test_a_recovery_begins_a_new_timeline(own: Server) -> None:
    copy = own.copy_files()
    system, timeline = history(own)
    insert(own, 2)
    own.recover(copy)
    assert rows(own) == [1]
    assert history(own) == (system, timeline + 1)


def test_a_dump_brings_rows_and_roles_to_another_system(own: Server) -> None:
    insert(own, 2, "CREATE ROLE reader LOGIN", "GRANT SELECT ON kept TO reader")
    dump = own.dump("postgres")
    with Server(own_system=True) as other:
        assert rows(other, other.load(dump), user="reader") == [1, 2]
        assert history(other)[0] != history(own)[0]


def test_servers_end_with_the_process_that_started_them() -> None:
    """Also when it is killed, as a run of tests may be."""
    program = (
        "import time\n"
        "from tests.builders.postgresql import Server\n"
        "server = Server()\n"
        "server.start()\n"
        "print(server.folder, server._process.pid, flush=True)\n"
        "time.sleep(3600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        folder, pid = tests.stdout.readline().split()
        assert working_in(pid) == Path(folder, "data")
        tests.send_signal(signal.SIGKILL)
    end = time.monotonic() + WITHIN
    while Path(folder).parent.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert working_in(pid) is None


def working_in(pid: str) -> Path | None:
    try:
        return Path("/proc", pid, "cwd").readlink()
    except OSError:
        return None
