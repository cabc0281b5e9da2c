# SPDX-License-Identifier: Apache-2.0
"""A damaged ledger file: the station gives no identity out, and the fault is the ledger's, not a bug or a board's."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.domain.attempt import Voided
from station.faults import LineFault
from tests.builders.bench import Secrets, begun, execute, passed, recognised
from tests.builders.commands import station
from tests.builders.damage import spoil
from tests.ledger.test_place import refused


async def filled(path: Path) -> None:
    """A ledger with some pages per table, closed in order."""
    async with Ledger.open(path, station="line-1") as ledger:
        for board in range(1, 30):
            await passed(await begun(ledger, Secrets((board,))), board, dac_serial_number=f"{board:02X}")


TABLES = ["identity", "event", "sealed_secret"]


@pytest.mark.parametrize("table", TABLES)
async def test_an_unclean_end_is_followed_by_a_look_at_the_whole_file(path: Path, table: str) -> None:
    """A power cut may lose writes that the disk had reported as done."""
    await filled(path)
    execute(path, "UPDATE ledger SET in_order = 0")
    spoil(path, table)
    with pytest.raises(LineFault) as damaged:
        async with Ledger.open(path, station="line-1"):
            pass
    assert damaged.value.code == "ledger.damaged"
    assert str(path) in str(damaged.value)


@pytest.mark.parametrize("table", TABLES)
async def test_a_damaged_page_is_the_ledgers_fault(path: Path, table: str) -> None:
    """SQLite reports "malformed" with a separate exception class. After it the writer writes nothing more."""
    await filled(path)
    spoil(path, table)
    with pytest.raises(LineFault, match="malformed"):
        async with Ledger.open(path, station="line-1") as ledger:
            journal = await begun(ledger, Secrets((99,)))
            await recognised(journal, board=1)
            await journal.finish(Voided("station.stopped"))
    await refused(path, match="malformed|damaged")


async def test_check_finds_a_damaged_page(path: Path) -> None:
    """The check works while the daemon runs, and its exit code is the result."""
    await filled(path)
    async with Ledger.open(path, station="line-1"):
        assert station("ledger", "check", "--ledger", path).exit_code == 0
    spoil(path, "event")
    checked = await asyncio.to_thread(station, "ledger", "check", "--ledger", path)
    assert checked.exit_code == 1
    assert "damaged" in checked.output


async def test_a_full_check_finds_an_index_that_lost_a_row(path: Path) -> None:
    """The quick check does not compare indexes with their tables."""
    await filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'ix_attempt_uid')"
            " WHERE name = 'ix_pki_request_uid'"
        )
    assert station("ledger", "check", "--full", "--ledger", path).exit_code == 1


async def test_a_damaged_ledger_is_not_backed_up(path: Path, tmp_path: Path) -> None:
    """A useless copy must not look like a good backup."""
    await filled(path)
    spoil(path, "event")
    with pytest.raises(LineFault, match="damaged"):
        station("ledger", "backup", tmp_path / "copy.sqlite", "--ledger", path)
    assert not list(tmp_path.glob("copy*"))


async def test_a_file_whose_head_is_overwritten_is_damaged(path: Path) -> None:
    """SQLite reports that it is not a database, which no retry can change."""
    await filled(path)
    with path.open("r+b") as file:
        os.pwrite(file.fileno(), bytes(100), 0)
    with pytest.raises(LineFault) as damaged:
        async with Ledger.open(path, station="line-1"):
            pass
    assert damaged.value.code == "ledger.damaged"
