# SPDX-License-Identifier: Apache-2.0
"""Acknowledged writes survive a kill."""

import subprocess
import sys
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from tests.builders.bench import rows

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 100, 500])
async def test_a_killed_process_loses_nothing_that_it_acknowledged(path: Path, lines: int) -> None:
    """After SIGKILL the file is whole and has every acknowledged verdict, and the next daemon can open it."""
    acknowledged = scribbled(path, lines)
    async with Ledger.open(path, station="line-1") as ledger:
        await ledger.close_open_attempts("station.stopped")
    ended = {attempt.number for attempt in LedgerReader(path).attempts() if attempt.fault == "board.removed"}
    assert len(acknowledged) >= lines
    assert acknowledged <= ended
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.slow
@pytest.mark.timeout(900)  # it starts processes, one after the other
async def test_a_killed_process_leaves_a_ledger_that_opens(path: Path) -> None:
    """The machine's register is never ahead of the ledger on disk."""
    for first in range(1, 5):
        scribbled(path, first * 7, str(first * 100_000))
    async with Ledger.open(path, station="line-1"):
        pass
    given = rows(path, "SELECT count(*), count(DISTINCT serial_number), max(lot_index) + 1 FROM identity")
    assert len(set(given[0])) == 1


def scribbled(path: Path, lines: int, *arguments: str) -> set[int]:
    """The attempts that a process acknowledged before it was killed, after that many lines."""
    command = [sys.executable, "-m", "tests.ledger.scribble", str(path), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        acknowledged += process.stdout.readlines()
    return {int(line) for line in acknowledged if line.endswith("\n")}
