# SPDX-License-Identifier: Apache-2.0
"""A campaign's full disk strikes: the line closes, and makes boards again once the cause is gone."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.adapters.system.secret_files import SHARED_MEMORY
from tests.builders.line import Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.campaign.outages import disk_full
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as runtime:
        for name, value in {**SHORT_DEADLINES, "STATION__PKI__CHECK_EVERY": "0.2", "XDG_RUNTIME_DIR": runtime}.items():
            monkeypatch.setenv(name, value)
        with Line.standing(tmp_path / "line", 1) as line:
            yield Standing(line)


def test_the_line_closes_while_the_disk_is_full_and_makes_boards_after_it(standing: Standing) -> None:
    with disk_full(standing.line.processes["daemon"].pid):
        standing.bench("plug", "1", "--new")
        standing.until(lambda: standing.line.status().line.fault in {"ledger.unavailable", "station.secret_files"})
    standing.until(lambda: released(standing))
    standing.bench("unplug", "1")
    standing.wait(1, lambda slot: slot.probe is None)
    assert standing.next_board(1).verdict == "pass"


def released(standing: Standing) -> bool:
    """Somebody releases the line, again and again until it stays open."""
    standing.line.command("slots", "release", "--all")
    return standing.line.status().line.state == "open"
