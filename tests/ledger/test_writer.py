# SPDX-License-Identifier: Apache-2.0
"""The writer: groups, savepoints, and failures of the database."""

import asyncio
import re
import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text

from station.adapters.ledger import sqlite, tables
from station.adapters.ledger.writer import UnitOfWork, Writer
from station.faults.line import LedgerUnavailable
from tests.builders.bench import holding, rows
from tests.builders.disks import filled, small_disk

KEY = "SELECT key FROM pki_request ORDER BY id"


@pytest.fixture
def connection(path: Path) -> Iterator[Connection]:
    with sqlite.writing(path) as opened:
        yield opened


def written(key: str) -> UnitOfWork[str]:
    """A unit of work that writes a row."""

    def work(connection: Connection) -> str:
        row = {"key": key, "uid": "00" * 12, "csr": b"", "submitted_at": datetime.now(UTC)}
        connection.execute(insert(tables.pki_request), row)
        return key

    return work


def refused(key: str) -> UnitOfWork[None]:
    """A unit of work that writes a row and then fails."""

    def work(connection: Connection) -> None:
        written(key)(connection)
        raise ZeroDivisionError(key)

    return work


def without_commit(connection: Connection) -> None:
    """A unit of work after which the commit must fail: it leaves a violated deferred foreign key."""
    connection.execute(text("PRAGMA defer_foreign_keys = ON"))
    connection.execute(
        insert(tables.sealed_secret), {"identity_id": 99, "key_id": "", "wrapped_key": b"", "content": b""}
    )


class Gate:
    """A unit of work that blocks the writer, so that later units form one group."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, _connection: Connection) -> None:
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self.opened.wait(10)


async def grouped(writer: Writer, *works: UnitOfWork[object]) -> list[object]:
    """The outcomes, results and exceptions, of units of work that are committed in one group."""
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.do(gate))
        await gate.reached.wait()
        outcomes = [group.create_task(_outcome(writer, work)) for work in works]
        await asyncio.sleep(0)  # each has queued its unit
        gate.opened.set()
    return [outcome.result() for outcome in outcomes]


async def _outcome(
    writer: Writer, work: UnitOfWork[object], once_durable: Callable[[object], None] | None = None
) -> object:
    try:
        return await writer.do(work, once_durable)
    except (ZeroDivisionError, LedgerUnavailable) as exc:
        return exc


async def test_what_waits_together_is_committed_together(connection: Connection, path: Path) -> None:
    """A whole group costs one commit and one flush to disk."""
    with Writer.running(connection, path) as writer:
        assert await grouped(writer, *(written(str(number)) for number in range(64))) == [str(n) for n in range(64)]
        assert writer.commits == 2  # the gate's and the group's
        assert len(rows(path, KEY)) == 64


async def test_an_error_undoes_its_own_unit_only(connection: Connection, path: Path) -> None:
    """Each unit has a savepoint."""
    with Writer.running(connection, path) as writer:
        first, error, last = await grouped(writer, written("a"), refused("b"), written("c"))
    assert (first, last) == ("a", "c")
    assert isinstance(error, ZeroDivisionError)
    assert rows(path, KEY) == [("a",), ("c",)]


async def test_what_follows_a_durable_unit_is_done_before_its_caller_goes_on(
    connection: Connection, path: Path
) -> None:
    """Its error is its caller's alone, and of a group the newest comes first, which may save the others their own."""
    seen: list[object] = []

    def refusing(_: object) -> None:
        raise ZeroDivisionError

    with Writer.running(connection, path) as writer:
        gate = Gate()
        async with asyncio.TaskGroup() as group:
            group.create_task(writer.do(gate))
            await gate.reached.wait()
            done = [group.create_task(writer.do(written(key), seen.append)) for key in "ab"]
            failed = group.create_task(_outcome(writer, written("c"), refusing))
            await asyncio.sleep(0)  # each has queued its unit
            gate.opened.set()
        assert writer.commits == 2
    assert [task.result() for task in done] == ["a", "b"]
    assert seen == ["b", "a"]
    assert isinstance(failed.result(), ZeroDivisionError)
    assert rows(path, KEY) == [("a",), ("b",), ("c",)]


async def test_a_failing_commit_fails_its_whole_group(connection: Connection, path: Path) -> None:
    """No caller may act on a write that is not durable."""
    with Writer.running(connection, path) as writer:
        outcomes = await grouped(writer, written("a"), without_commit, written("c"))
    assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable] * 3
    assert rows(path, KEY) == []


async def test_after_a_failed_commit_nothing_is_written_any_more(connection: Connection, path: Path) -> None:
    """Only a new start tries again."""
    with Writer.running(connection, path) as writer:
        with pytest.raises(LedgerUnavailable, match="FOREIGN KEY"):
            await writer.do(without_commit)
        with pytest.raises(LedgerUnavailable, match="FOREIGN KEY"):
            await writer.do(written("a"))
    assert rows(path, KEY) == []


async def told(writer: Writer) -> str | None:
    """The writer's next message about its trouble."""
    async with asyncio.timeout(200):
        await writer.news.wait()
    writer.news.clear()
    fault = writer.failure or writer.trouble
    return fault.evidence["reason"] if fault else None


def pragma(connection: Connection, text: str) -> None:
    """Sets a pragma on the writer's connection while the writer waits between two tries."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute(f"PRAGMA {text}")


async def test_a_full_disk_is_everybodys_trouble(connection: Connection, path: Path) -> None:
    """The whole group is kept, and committed once there is room; no unit is lost or applied twice."""
    tries = list[int]()

    def fill(connection: Connection) -> None:
        tries.append(len(tries))
        for number in range(1000):
            written(str(number).rjust(64))(connection)

    pragma(connection, "max_page_count = 40")
    with Writer.running(connection, path) as writer:
        async with asyncio.TaskGroup() as group:
            outcomes = group.create_task(grouped(writer, written("a"), fill))
            assert await told(writer) == f"{path}: database or disk is full"
            assert (writer.failure, writer.commits) == (None, 1)
            pragma(connection, "max_page_count = 1000000")
            assert await told(writer) is None
        assert outcomes.result() == ["a", None]
    assert len(tries) > 1
    assert len(rows(path, KEY)) == 1001


async def test_a_commit_for_which_there_is_no_room_is_tried_again(tmp_path: Path) -> None:
    """The commit fails after all statements have succeeded."""
    with small_disk(tmp_path / "disk", "1m") as disk:
        path = disk / "ledger.sqlite"
        with sqlite.writing(path) as connection, Writer.running(connection, path) as writer:
            filler = filled(disk)
            waiting = [asyncio.ensure_future(writer.do(written(str(number).rjust(64)))) for number in range(100)]
            assert await told(writer) == f"{path}: database or disk is full"
            filler.unlink()
            assert len(await asyncio.gather(*waiting)) == 100
        assert len(rows(path, KEY)) == 100


async def test_an_io_error_is_tried_again(connection: Connection, path: Path) -> None:
    """A limit on the file size causes the error, which SQLite reports as an I/O error."""
    with Writer.running(connection, path) as writer:
        await writer.do(written("a"))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(f"{path.name}-wal").stat().st_size, before[1]))
        try:
            waiting = asyncio.ensure_future(writer.do(written("b")))
            assert await told(writer) == f"{path}: disk I/O error"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert await waiting == "b"
    assert rows(path, KEY) == [("a",), ("b",)]


async def test_a_ledger_that_another_program_holds_is_waited_for(connection: Connection, path: Path) -> None:
    """Callers from before and during the lock get their results when it ends."""
    pragma(connection, "busy_timeout = 10")
    with Writer.running(connection, path) as writer, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        async with asyncio.TaskGroup() as group:
            first = group.create_task(writer.do(written("a")))
            assert await told(writer) == f"{path}: database is locked"
            second = group.create_task(writer.do(written("b")))
            await asyncio.sleep(0)
            other.execute("ROLLBACK")
        assert (first.result(), second.result()) == ("a", "b")
        assert (writer.trouble, writer.failure) == (None, None)
    assert rows(path, KEY) == [("a",), ("b",)]


async def test_the_program_that_holds_the_ledger_is_named(connection: Connection, path: Path) -> None:
    """The kernel's list of locks names the holder; reading it keeps the station's own locks."""
    pragma(connection, "busy_timeout = 10")
    with Writer.running(connection, path) as writer, holding(path) as holder:
        waiting = asyncio.ensure_future(writer.do(written("a")))
        reason = await told(writer)
        holder.communicate()  # it ends with its standard input
        assert await waiting == "a"
    assert reason is not None
    assert re.fullmatch(rf"{re.escape(str(path))}: database is locked by process {holder.pid} \(.*\)", reason)


async def test_a_writer_that_is_closed_in_trouble_ends(connection: Connection, path: Path) -> None:
    """SIGTERM does not wait for another program; units that are not durable are refused."""
    pragma(connection, "busy_timeout = 10")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with Writer.running(connection, path) as writer:
            waiting = asyncio.ensure_future(writer.do(written("a")))
            await told(writer)
        with pytest.raises(LedgerUnavailable, match="locked"):
            await waiting
    assert rows(path, KEY) == []


async def test_patience_has_an_end_where_nobody_watches(connection: Connection, path: Path) -> None:
    """A command gives up after a while, since a person waits for it."""
    pragma(connection, "busy_timeout = 10")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with Writer.running(connection, path, patience=0.1) as writer:
            with pytest.raises(LedgerUnavailable, match="locked"):
                await writer.do(written("a"))
            assert writer.failure is not None


async def test_the_unit_of_a_cancelled_caller_is_carried_out_whole(connection: Connection, path: Path) -> None:
    """A pulled board never leaves half a unit of work."""
    gate = Gate()
    with Writer.running(connection, path) as writer:
        async with asyncio.TaskGroup() as group:
            group.create_task(writer.do(gate))
            await gate.reached.wait()
            pulled = group.create_task(writer.do(written("a")))
            await asyncio.sleep(0)
            pulled.cancel()
            gate.opened.set()
    assert pulled.cancelled()
    assert rows(path, KEY) == [("a",)]


async def test_what_is_queued_at_the_end_is_still_committed(connection: Connection, path: Path) -> None:
    """Closing waits for the last group."""
    gate = Gate()
    with Writer.running(connection, path) as writer:
        first = asyncio.ensure_future(writer.do(gate))
        await gate.reached.wait()
        last = asyncio.ensure_future(writer.do(written("a")))
        await asyncio.sleep(0)
        gate.opened.set()
    assert rows(path, KEY) == [("a",)]
    await first
    assert await last == "a"


async def test_a_closed_writer_refuses(connection: Connection, path: Path) -> None:
    """A unit of work that comes too late raises an error."""
    with Writer.running(connection, path) as writer:
        pass
    with pytest.raises(LedgerUnavailable, match="closed"):
        await writer.do(lambda connection: connection.execute(select(1)).scalar_one())


async def test_the_log_is_emptied_once_its_reader_is_done_although_nothing_more_is_written(
    connection: Connection, path: Path
) -> None:
    """A forgotten unit's key leaves the file also on a line that stands still."""
    log = path.with_name(f"{path.name}-wal")
    with Writer.running(connection, path) as writer:

        def forgetting(opened: Connection) -> str:
            writer.log_to_empty = True
            return written("a")(opened)

        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute(KEY).fetchall()
            assert await writer.do(forgetting) == "a"
            assert log.stat().st_size > 0
            reader.execute("COMMIT")
        async with asyncio.timeout(60):
            while log.stat().st_size:
                await asyncio.sleep(0.05)


async def test_a_log_that_cannot_be_emptied_stops_no_writing(connection: Connection, path: Path) -> None:
    """As on a full disk. The thread goes on, and empties the log as soon as it can."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    denied = {"wal_checkpoint"}

    def allowed(_action: int, name: str | None, _value: str | None, _base: str | None, _trigger: str | None) -> int:
        return sqlite3.SQLITE_DENY if name in denied else sqlite3.SQLITE_OK

    driver.set_authorizer(allowed)
    with Writer.running(connection, path) as writer:

        def forgetting(opened: Connection) -> str:
            writer.log_to_empty = True
            return written("a")(opened)

        assert await writer.do(forgetting) == "a"
        assert await writer.do(written("b")) == "b"
        assert path.with_name(f"{path.name}-wal").stat().st_size > 0
        denied.clear()
        assert await writer.do(written("c")) == "c"
        async with asyncio.timeout(60):
            while writer.log_to_empty:
                await asyncio.sleep(0.05)
    assert writer.failure is not None  # closed in order
    assert "it is closed" in str(writer.failure)
