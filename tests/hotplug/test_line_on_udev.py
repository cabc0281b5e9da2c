# SPDX-License-Identifier: Apache-2.0
"""The daemon as a process, with the source that it has on a PC: boards are told by udev, and get their verdicts."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.builders.station_demo import PATIENT_DEADLINES
from tests.hotplug.udev_line import UdevLine

pytestmark = [pytest.mark.line, pytest.mark.executed, pytest.mark.timeout(900)]

WITHIN = 300


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PATIENT_DEADLINES.items():
        monkeypatch.setenv(name, value)


def attempts(line: UdevLine) -> list[tuple[str, str]]:
    """Slot and verdict of every attempt, in the order in which they began."""
    with closing(sqlite3.connect(line.folder / "ledger.sqlite")) as connection:
        return connection.execute("SELECT slot, verdict FROM attempt ORDER BY id").fetchall()


def wait(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def verdicts(line: UdevLine) -> list[str | None]:
    return [slot.verdict for slot in line.status().slots]


def test_boards_that_udev_tells_of_pass_in_their_order(tmp_path: Path) -> None:
    """Their slots are at the paths that links would give, and a board that came back is tried again."""
    with UdevLine.with_host(tmp_path / "line", 3) as line:
        line.plug(3, 1, 2)
        wait(lambda: verdicts(line) == ["pass"] * 3)
        assert attempts(line) == [("3", "pass"), ("1", "pass"), ("2", "pass")]
        line.unplug(2)
        wait(lambda: verdicts(line) == ["pass", None, "pass"])
        line.plug(2)
        wait(lambda: verdicts(line) == ["pass"] * 3)
        assert attempts(line)[3:] == [("2", "pass")]
