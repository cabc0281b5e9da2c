# SPDX-License-Identifier: Apache-2.0
"""Trouble with something that several slots share: the others go on, or all wait and resume by themselves."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.builders.line import Line
from tests.builders.station_demo import PATIENT_DEADLINES, SHORT_DEADLINES
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

BOARDS = 64
HUNG = 17
HANG = f"""
[[fault]]
board = {HUNG}
at = "flash_data"
what = "hang"
times = 0
"""


def test_a_programmer_that_hangs_holds_nobody_else_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of sixty-four hangs, and may do so for an hour: the others pass meanwhile. When its time is over, it is void."""
    for name, value in {**PATIENT_DEADLINES, "STATION__PROGRAMMER__IDLE_WITHIN": "3600"}.items():
        monkeypatch.setenv(name, value)
    faults = tmp_path / "faults.toml"
    faults.write_text(HANG)
    others = [number for number in range(1, BOARDS + 1) if number != HUNG]
    with Line.standing(tmp_path / "line", BOARDS, faults=faults) as line:
        standing = Standing(line)
        standing.bench("plug", "--all")
        assert [standing.wait(number, lambda slot: slot.verdict is not None).state for number in others] == [
            "pass"
        ] * len(others)
        assert standing.wait(HUNG, lambda slot: slot.step == "flash_data").state == "running"
        standing.bench("unplug", *map(str, others))
        line.processes["daemon"].terminate()
        assert line.processes["daemon"].wait(300) == 0
        monkeypatch.setenv("STATION__PROGRAMMER__IDLE_WITHIN", "20")  # seconds, for a board that is alone
        line.start_daemon()
        slot = standing.wait(HUNG, lambda slot: slot.verdict is not None)
        assert (slot.verdict, slot.fault) == ("void", "programmer.stuck")


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    for name, value in {**SHORT_DEADLINES, "STATION__PKI__CHECK_EVERY": "0.5"}.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", 4, time_scale=0.02) as line:
        yield Standing(line)


def test_a_line_waits_for_its_pki_and_goes_on_by_itself(standing: Standing) -> None:
    """Boards that stay in their slots pass when the PKI is back."""
    ready = json.loads((standing.line.folder / "pki" / "ready.json").read_text())
    pki = standing.line.processes["pki"]
    pki.kill()
    pki.wait()
    (standing.line.folder / "pki" / "ready.json").unlink()
    standing.bench("plug", "1", "2")
    standing.until(lambda: standing.line.status().line.state == "paused")
    status = standing.line.status()
    assert status.line.fault == status.pki.fault == "pki.unavailable"
    standing.until(lambda: [standing.slot(number).state for number in (1, 2)] == ["waiting", "waiting"])
    standing.bench("plug", "3")
    standing.wait(3, lambda slot: slot.probe is not None)
    assert standing.slot(3).state == "waiting"
    standing.line.start_pki(urlsplit(ready["url"]).port or 0)
    standing.until(lambda: standing.line.status().line.state == "open")
    for number in (1, 2, 3):
        assert standing.wait(number, lambda slot: slot.state in {"pass", "fail", "void"}).state == "pass"
