# SPDX-License-Identifier: Apache-2.0
"""A ledger that another program holds: the message, and the command's exit code."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from station.adapters.ledger import Ledger
from station.faults.line import LedgerUnavailable
from tests.builders.bench import Secrets, begun, holding, recognised

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def written(path: Path, secrets: Secrets) -> Path:
    """A ledger with an open attempt, which no program holds."""
    async with Ledger.open(path, station="line-1") as ledger:
        await recognised(await begun(ledger, secrets), 1)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("command", ["units list", "units show 00", "units export", "pki orphans"])
def test_a_reader_of_a_held_ledger_says_so(written: Path, command: str) -> None:
    """The command prints one sentence and exits with 3; in WAL mode only an exclusive lock keeps readers out."""
    path = written
    whole = [sys.executable, "-m", "station", *command.split(), "--ledger", str(path)]
    with holding(path, "PRAGMA locking_mode = EXCLUSIVE") as holder:
        done = subprocess.run(whole, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 3
    (sentence,) = done.stderr.splitlines()
    assert f"{path}: database is locked by process {holder.pid} (" in sentence


@pytest.mark.slow
async def test_a_held_ledger_is_waited_for_and_refused(written: Path) -> None:
    """The wait is logged, the refusal names the file and the program."""
    path = written
    with holding(path) as holder, capture_logs() as logged:
        with pytest.raises(LedgerUnavailable, match=rf"{path.name}: database is locked by process {holder.pid} "):
            async with Ledger.open(path, station="line-1"):
                pass
        assert [line["event"] for line in logged] == ["ledger.awaited"]
    async with Ledger.open(path, station="line-1") as ledger:
        assert await ledger.close_open_attempts("station.stopped") == [1]
