# SPDX-License-Identifier: Apache-2.0
"""Requests that are at the PKI when the station is stopped, a PKI that serves one connection after the other, and every form of a request."""

import signal
from pathlib import Path
from typing import get_args

import pytest

from station.adapters.pki.est import Form
from tests.builders.json_lines import objects_of
from tests.builders.line import LOG, Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line import pki_line
from tests.line.pki_behaviours import ALWAYS
from tests.line.pki_line import Switches
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@pytest.fixture
def folder(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "line"


def passed(standing: Standing, boards: int) -> None:
    for number in range(1, boards + 1):
        assert standing.wait(number, lambda slot: slot.state in {"pass", "fail"}).state == "pass"


def test_a_stopping_station_loses_none_of_eight_requests_in_flight(folder: Path) -> None:
    """It takes no new board, awaits the answers and keeps them; after the restart each board passes with its certificate."""
    boards = 8
    with Line.standing(folder, boards, time_scale=0.02) as line:
        standing, switches = Standing(line), Switches(folder)
        switches.set({"late": {"times": ALWAYS, "seconds": 20}})
        standing.bench("plug", "--all")
        standing.until(lambda: len(pki_line.issued(folder)) == boards)
        daemon = line.processes["daemon"]
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(300) == 0
        assert len(pki_line.certified(folder)) == boards
        assert pki_line.orphans(folder) == ()
        switches.set({"late": 0})
        line.start_daemon()
        passed(standing, boards)
        assert sorted(pki_line.bought(folder).values()) == [1] * boards


def test_a_pki_that_serves_one_connection_at_a_time_is_never_asked_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `at_once = 1` and `keep_alive = 0`, sixteen boards wait for one another and need no retry."""
    boards = 16
    for name, value in {"AT_ONCE": "1", "KEEP_ALIVE": "0", "ANSWER_WITHIN": "300"}.items():
        monkeypatch.setenv(f"STATION__PKI__{name}", value)
    with Line.standing(folder, boards, time_scale=0.02) as line:
        standing, switches = Standing(line), Switches(folder)
        switches.set({"one_at_a_time": ALWAYS})
        standing.bench("plug", "--all")
        passed(standing, boards)
        assert switches.fired("one_at_a_time") >= boards
        assert len(pki_line.requests(folder)) == boards
        told = [line["event"] for line in objects_of(folder / LOG)]
        assert "retry.scheduled" not in told


def test_every_form_of_a_request_brings_one_certificate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the configuration has it, from one start of the station to the next."""
    forms = get_args(Form)
    with Line.standing(folder, 1, time_scale=0.02) as line:
        standing, switches = Standing(line), Switches(folder)
        switches.set({"lenient": ALWAYS})
        for form in forms:
            monkeypatch.setenv("STATION__PKI__REQUEST", form)
            daemon = line.processes["daemon"]
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(300) == 0
            line.start_daemon()
            assert standing.next_board(1).state == "pass"
        assert switches.fired("lenient") == len(forms)
        assert sorted(pki_line.bought(folder).values()) == [1] * len(forms)
