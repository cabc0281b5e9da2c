"""The writer: groups, savepoints, and what happens when the database fails."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text

from station.adapters.ledger import sqlite, tables
from station.adapters.ledger.writer import Work, Writer
from station.faults.line import LedgerUnavailable
from tests.ledger.bench import rows

KEY = "SELECT key FROM pki_request ORDER BY id"


@pytest.fixture
def connection(path: Path) -> Iterator[Connection]:
    with sqlite.writing(path) as opened:
        yield opened


def written(key: str) -> Work[str]:
    """A unit of work that leaves a row."""

    def work(connection: Connection) -> str:
        row = {"key": key, "uid": "00" * 12, "csr": b"", "submitted_at": datetime.now(UTC)}
        connection.execute(insert(tables.pki_request), row)
        return key

    return work


def refused(key: str) -> Work[None]:
    """A unit of work that leaves a row and then fails."""

    def work(connection: Connection) -> None:
        written(key)(connection)
        raise ZeroDivisionError(key)

    return work


def without_commit(connection: Connection) -> None:
    """A unit of work after which the commit cannot succeed: a foreign key that is checked then points nowhere."""
    connection.execute(text("PRAGMA defer_foreign_keys = ON"))
    connection.execute(
        insert(tables.onboarding_secret),
        {"identity_id": 99, "passcode": 1, "salt": b"", "iterations": 1000, "verifier": b""},
    )


class Gate:
    """A unit of work that holds the writer up, so that what comes meanwhile makes one group."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = threading.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, _connection: Connection) -> None:
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self.opened.wait(10)


async def grouped(writer: Writer, *works: Work[object]) -> list[object]:
    """The outcomes, results and exceptions, of units of work that are committed together."""
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.do(gate))
        await gate.reached.wait()
        outcomes = [group.create_task(_outcome(writer, work)) for work in works]
        await asyncio.sleep(0)  # each has queued its unit
        gate.opened.set()
    return [outcome.result() for outcome in outcomes]


async def _outcome(writer: Writer, work: Work[object]) -> object:
    try:
        return await writer.do(work)
    except (ZeroDivisionError, LedgerUnavailable) as exc:
        return exc


async def test_what_waits_together_is_committed_together(connection: Connection, path: Path) -> None:
    """One commit, and so one flush to disk, for a whole group."""
    with Writer.running(connection) as writer:
        assert await grouped(writer, *(written(str(number)) for number in range(64))) == [str(n) for n in range(64)]
        assert writer.commits == 2  # the gate's and the group's
        assert len(rows(path, KEY)) == 64


async def test_an_error_undoes_its_own_unit_only(connection: Connection, path: Path) -> None:
    """Each unit stands behind a savepoint of its own."""
    with Writer.running(connection) as writer:
        first, error, last = await grouped(writer, written("a"), refused("b"), written("c"))
    assert (first, last) == ("a", "c")
    assert isinstance(error, ZeroDivisionError)
    assert rows(path, KEY) == [("a",), ("c",)]


async def test_a_failing_commit_fails_its_whole_group(connection: Connection, path: Path) -> None:
    """Nobody acts on what is not durable."""
    with Writer.running(connection) as writer:
        outcomes = await grouped(writer, written("a"), without_commit, written("c"))
    assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable] * 3
    assert rows(path, KEY) == []


async def test_after_a_failed_commit_nothing_is_written_any_more(connection: Connection, path: Path) -> None:
    """No journal, no production: only a new start tries again."""
    with Writer.running(connection) as writer:
        with pytest.raises(LedgerUnavailable, match="FOREIGN KEY"):
            await writer.do(without_commit)
        with pytest.raises(LedgerUnavailable, match="FOREIGN KEY"):
            await writer.do(written("a"))
    assert rows(path, KEY) == []


async def test_a_full_disk_is_everybodys_trouble(connection: Connection, path: Path) -> None:
    """What the database itself cannot do is no error of the unit that met it."""

    def fill(connection: Connection) -> None:
        connection.execute(text("PRAGMA max_page_count = 1"))
        for number in range(1000):
            written(str(number).rjust(64))(connection)

    with Writer.running(connection) as writer:
        outcomes = await grouped(writer, written("a"), fill)
        assert [type(outcome) for outcome in outcomes] == [LedgerUnavailable] * 2
        assert writer.failure == "database or disk is full"
    assert rows(path, KEY) == []


async def test_the_unit_of_a_cancelled_caller_is_carried_out_whole(connection: Connection, path: Path) -> None:
    """A pulled board never leaves half a unit of work."""
    gate = Gate()
    with Writer.running(connection) as writer:
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
    with Writer.running(connection) as writer:
        first = asyncio.ensure_future(writer.do(gate))
        await gate.reached.wait()
        last = asyncio.ensure_future(writer.do(written("a")))
        await asyncio.sleep(0)
        gate.opened.set()
    assert rows(path, KEY) == [("a",)]
    await first
    assert await last == "a"


async def test_a_closed_writer_refuses(connection: Connection) -> None:
    """Work that comes too late is not swallowed."""
    with Writer.running(connection) as writer:
        pass
    with pytest.raises(LedgerUnavailable, match="closed"):
        await writer.do(lambda connection: connection.execute(select(1)).scalar_one())
