# SPDX-License-Identifier: Apache-2.0
"""A broken installation of the programmer is the line's fault, whichever board meets it first, until it is repaired."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from station.adapters.ledger.reader import LedgerReader
from station.cli.exit_codes import USAGE
from tests.builders.line import Line, LineFailed
from tests.builders.station_demo import SHORT_DEADLINES
from tests.builders.transcripts import lines
from tests.line.standing_line import Standing
from virtual_bench.programmer.standin import EXECUTABLE, LOADER

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@pytest.fixture
def standing(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    for name, value in {**SHORT_DEADLINES, "STATION__PKI__CHECK_EVERY": "0.2"}.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", 3) as line:
        yield Standing(line)


def faults(standing: Standing) -> list[str | None]:
    """The faults of the attempts so far, once all have their verdicts: a slot of a paused line waits a moment before."""
    ledger = LedgerReader(standing.line.folder / "ledger.sqlite")
    standing.until(lambda: all(attempt.verdict is not None for attempt in ledger.attempts()))
    return [attempt.fault for attempt in ledger.attempts()]


def paused_by(standing: Standing, *boards: int) -> str | None:
    """The fault that pauses the line, once these boards wait for its end."""
    standing.until(lambda: standing.line.status().line.state == "paused")
    for board in boards:
        slot = standing.wait(board, lambda slot: slot.state == "waiting")
        assert slot.service == "in"
    return standing.line.status().line.fault


def released(standing: Standing, *boards: int) -> list[str | None]:
    """Releases the line; returns the verdicts of these boards."""
    standing.station("slots", "release", "--all")
    return [standing.wait(board, lambda slot: slot.state in {"pass", "fail", "void"}).verdict for board in boards]


def test_a_missing_shared_library_pauses_the_line_and_takes_no_slot_out(standing: Standing) -> None:
    """After the repair and a release the boards are judged."""
    cli = standing.line.folder / EXECUTABLE
    good = cli.rename(cli.with_name("kept"))
    (said,) = lines("unstarted-shared-library-missing")
    cli.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 127\n")
    cli.chmod(0o755)
    standing.bench("plug", "1", "2", "3")
    assert paused_by(standing, 1, 2, 3) == "programmer.missing"
    assert set(faults(standing)) == {"programmer.missing"}
    assert len(faults(standing)) <= 3
    good.rename(cli)
    assert released(standing, 1, 2, 3) == ["pass"] * 3


def test_a_loader_that_is_gone_pauses_the_line(standing: Standing) -> None:
    """A release without the loader leaves the line paused and says why, and a start without it does not open the line."""
    loader = standing.line.folder / LOADER
    kept = loader.rename(loader.with_name("kept"))
    standing.bench("plug", "1")
    assert paused_by(standing, 1) == "programmer.loader_missing"
    assert str(loader) in (standing.line.status().line.reason or "")
    told = standing.station("slots", "release", "--all")
    assert "the line is paused by programmer.loader_missing" in told
    assert paused_by(standing, 1) == "programmer.loader_missing"

    daemon = standing.line.processes["daemon"]
    daemon.terminate()
    daemon.wait()
    with pytest.raises(LineFailed, match=r"programmer\.external_loader: there is no file"):
        standing.line.start_daemon()
    assert standing.line.processes["daemon"].wait() == USAGE
    assert faults(standing) == ["programmer.loader_missing"]
    kept.rename(loader)
    standing.line.start_daemon()
    assert standing.wait(1, lambda slot: slot.state == "pass").verdict == "pass"


def test_a_loader_that_the_programmer_rejects_pauses_the_line(standing: Standing) -> None:
    """A rejected loader is the same for every board, so no board fails."""
    standing.bench("fault", "--board", "1", "--at", "flash_data", "--what", "loader_rejected")
    standing.bench("plug", "1")
    assert paused_by(standing, 1) == "programmer.loader_missing"
    assert released(standing, 1) == ["pass"]
    assert faults(standing) == ["programmer.loader_missing", None]
