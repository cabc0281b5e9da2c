# SPDX-License-Identifier: Apache-2.0
"""The daemon as a service: it reports to its service manager, names what a stop interrupts, and drains."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.adapters.ledger.interventions import history
from station.adapters.ledger.reader import LedgerReader
from station.daemon import control
from tests.builders.commands import station
from tests.builders.json_lines import objects_of
from tests.builders.line import Line
from tests.builders.station_demo import PATIENT_DEADLINES
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(240)]


@pytest.fixture
def notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's socket, which the daemon is told of."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "600000")
        yield receiver


@pytest.fixture
def standing(
    tmp_path: Path, secrets_folder: Path, notified: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Standing]:
    for name, value in PATIENT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    # Slow enough that the last firmware takes some seconds: the stop must come while it is written.
    with Line.standing(tmp_path / "line", 2, time_scale=0.4) as line:
        yield Standing(line)


def finished(standing: Standing) -> list[dict[str, object]]:
    lines = objects_of(standing.line.folder / "logs" / "station.jsonl")
    return [line for line in lines if line["event"] == "attempt.finished"]


def verdicts(standing: Standing) -> list[str | None]:
    return [attempt.verdict for attempt in LedgerReader(standing.line.folder / "ledger.sqlite").attempts()]


def ended(standing: Standing) -> int:
    return standing.line.processes["daemon"].wait(120)


def test_the_service_manager_hears_of_readiness_life_and_end(standing: Standing, notified: socket.socket) -> None:
    assert notified.recv(999) in {b"READY=1\nSTATUS=2 slots", b"WATCHDOG=1"}
    standing.line.processes["daemon"].send_signal(signal.SIGTERM)
    assert ended(standing) == 0
    notified.setblocking(False)
    heard = []
    while True:
        try:
            heard.append(notified.recv(999))
        except BlockingIOError:
            break
    assert b"WATCHDOG=1" in heard
    assert heard[-1] == b"STOPPING=1"


def test_a_stop_names_the_attempt_that_it_interrupts(standing: Standing) -> None:
    """The attempt is void in the ledger before the daemon ends, and the board passes after the next start."""
    standing.bench("plug", "1")
    standing.wait(1, lambda slot: slot.step == "flash_operational", within=120)
    standing.line.processes["daemon"].send_signal(signal.SIGTERM)
    assert ended(standing) == 0
    (event,) = finished(standing)
    assert (event["slot"], event["verdict"], event["fault"]) == ("1", "void", "station.stopped")
    assert verdicts(standing) == ["void"]
    standing.line.start_daemon()
    assert standing.wait(1, lambda slot: slot.verdict is not None, within=120).verdict == "pass"


def test_a_drained_line_finishes_its_boards_and_takes_no_other(standing: Standing) -> None:
    standing.bench("plug", "1")
    standing.wait(1, lambda slot: slot.step == "flash_operational", within=120)
    # No process, whose start may take longer than the board's last steps.
    draining = station("drain", "--reason", "end of shift", "--config", standing.line.folder / "line.toml")
    assert (draining.exit_code, draining.stdout.splitlines()) == (
        0,
        ["draining; at work: slot 1", "the daemon has ended"],
    )
    assert ended(standing) == 0
    assert verdicts(standing) == ["pass"]
    (drained,) = history(standing.line.folder / "ledger.sqlite")
    assert (drained.deed, drained.slot, drained.reason) == ("drain", None, "end of shift")
    assert drained.who


def test_a_board_that_comes_while_the_line_drains_is_not_judged(standing: Standing) -> None:
    standing.bench("plug", "1")
    standing.wait(1, lambda slot: slot.step == "flash_operational", within=120)
    control.ask(standing.line.folder / "station.sock", "drain")
    standing.bench("plug", "2")
    standing.wait(2, lambda slot: slot.state == "waiting", within=120)
    assert standing.line.status().line.state == "draining"
    shown = station(
        "status", "--config", standing.line.folder / "line.toml"
    ).stdout  # no process: the board is soon done
    assert "  line draining" in shown.splitlines()[0]
    assert ended(standing) == 0
    assert verdicts(standing) == ["pass"]
