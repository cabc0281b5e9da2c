# SPDX-License-Identifier: Apache-2.0
"""Trouble with something that several slots share: the others go on, or all wait and resume by themselves."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.builders.line import Line
from tests.builders.station_demo import PATIENT_DEADLINES, SHORT_DEADLINES, demonstrate
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(180)]

BOARDS = 64
HUNG = 17
HANG = f"""
[[fault]]
board = {HUNG}
at = "flash_data"
what = "hang"
expect = {{ verdict = "void", fault = "programmer.stuck" }}
"""


def test_a_programmer_that_hangs_holds_nobody_else_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of sixty-four hangs: the others have passed long before its deadline."""
    monkeypatch.setenv("STATION__PROGRAMMER__IDLE_WITHIN", "20")
    faults = tmp_path / "faults.toml"
    faults.write_text(HANG)
    run = demonstrate(tmp_path, "--boards", str(BOARDS), "--faults", str(faults), deadlines=PATIENT_DEADLINES)
    assert run.exit_status == 0, run.output
    finished = [line for line in run.lines("logs/station.jsonl") if line["event"] == "attempt.finished"]
    assert [line["verdict"] for line in finished] == ["pass"] * (BOARDS - 1) + ["void"]


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
