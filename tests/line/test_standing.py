# SPDX-License-Identifier: Apache-2.0
"""A running line: boards are plugged in and pulled out by hand, and `station status` is right all the time."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.json_lines import objects_of
from tests.builders.line import Line
from tests.builders.station_demo import ROOT, SHORT_DEADLINES
from tests.line.standing_line import Standing, issued, story

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

PHASES = [
    "recognise",
    "flash_data",
    "flash_provisioner",
    "await_csr",
    "relay_to_pki",
    "deliver",
    "flash_operational",
    "confirm",
]


@pytest.fixture
def time_scale() -> float:
    return 0.02


@pytest.fixture
def policy() -> dict[str, int]:
    """The fault policy of a real line, if a test asks for it; the demonstration's configuration turns it off."""
    return {}


@pytest.fixture
def standing(
    tmp_path: Path, time_scale: float, policy: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Standing]:
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    for name, limit in policy.items():
        monkeypatch.setenv(f"STATION__POLICY__{name.upper()}", str(limit))
    with Line.standing(tmp_path / "line", 4, time_scale=time_scale) as line:
        yield Standing(line)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """An empty line for the tests that change nothing on it."""
    with Line.standing(tmp_path_factory.mktemp("untouched") / "line", 4) as line:
        yield Standing(line)


def test_boards_come_and_go_in_every_phase(standing: Standing) -> None:
    """Each pulled board is void, its slot is empty at once, and the next board on the slot passes."""
    assert standing.slot(1).state == "empty"
    for number, phase in enumerate(PHASES, start=1):
        standing.bench("fault", "--board", str(2 * number - 1), "--at", phase, "--what", "unplug")
        standing.bench("plug", "1", "--new")
        standing.pulled_by_its_fault(1)
        standing.bench("plug", "1", "--new")
        passed = standing.wait(1, lambda slot: slot.state in {"pass", "fail", "void", "out of service"})
        assert passed.state == "pass", (phase, passed)
        standing.bench("unplug", "1")
        standing.wait(1, lambda slot: slot.state == "empty")


def test_a_board_that_was_pulled_passes_when_it_comes_back(standing: Standing) -> None:
    """The board keeps its identity."""
    standing.bench("fault", "--board", "1", "--at", "deliver", "--what", "unplug")
    standing.bench("plug", "1")
    standing.pulled_by_its_fault(1)
    standing.bench("plug", "1")
    assert standing.wait(1, lambda slot: slot.verdict is not None).state == "pass"


def test_the_ledger_has_who_held_and_released_a_slot_and_why(standing: Standing) -> None:
    """The slots show it while the slot is held, and the log has it."""
    standing.station("slots", "hold", "2", "--reason", "pogo pins are dirty")
    held = standing.slot(2).held
    assert held is not None
    assert held.reason == "pogo pins are dirty"
    for shown in (standing.station("slots", "list"), standing.station("status")):
        assert f"{held.who}, " in shown
        assert "pogo pins are dirty" in shown
    listed = json.loads(standing.station("slots", "list", "--json"))["slots"]
    assert [slot["held"] and slot["held"]["reason"] for slot in listed] == [None, "pogo pins are dirty", None, None]
    standing.station("slots", "release", "2")
    assert standing.slot(2).held is None
    standing.station("slots", "release", "--all", "--reason", "cleaned")
    standing.until(lambda: len(interventions(standing)) == 4)  # a slow disk delays a record
    assert [(each["deed"], each["slot"], each["fault"], each["reason"]) for each in interventions(standing)] == [
        ("hold", "2", None, "pogo pins are dirty"),
        ("release", "2", "slot.held", ""),
        ("release", None, None, "cleaned"),
        ("release", "2", "slot.held", "cleaned"),  # still on trial
    ]
    assert {each["who"] for each in interventions(standing)} == {held.who}
    log = objects_of(standing.line.folder / "logs" / "station.jsonl")
    told = [event for event in log if "who" in event]
    assert [(event["event"], event.get("reason"), event["who"]) for event in told] == [
        ("slot.taken_out", "pogo pins are dirty", held.who),
        ("slot.released", None, held.who),
        ("line.released", "cleaned", held.who),
        ("slot.released", "cleaned", held.who),
    ]


@pytest.mark.parametrize("reason", ["two\nlines", "\x1b[2J", "x" * 501], ids=["lines", "escape", "long"])
def test_a_reason_that_is_no_line_is_refused(untouched: Standing, reason: str) -> None:
    """Nothing is done and nothing recorded."""
    for command in (("slots", "hold", "2"), ("slots", "release", "--all"), ("drain",)):
        done = untouched.line.command(*command, "--reason", reason)
        assert (done.returncode, "one line of at most 500 characters" in done.stderr) == (1, True)
    assert untouched.slot(2).service == "in"
    assert untouched.line.status().line.state == "open"
    assert interventions(untouched) == []


def interventions(standing: Standing) -> list[dict[str, object]]:
    """What the ledger has of people's deeds."""
    found: list[dict[str, object]] = json.loads(standing.station("slots", "history", "--json"))["interventions"]
    return found


def test_the_command_shows_what_the_daemon_says(standing: Standing) -> None:
    """The command shows the status as a table, and as JSON for scripts."""
    standing.bench("plug", "2")
    standing.wait(2, lambda slot: slot.state == "pass")
    command = [sys.executable, "-m", "station", "status", "--config", str(standing.line.folder / "line.toml")]
    done = subprocess.run([*command, "--json"], check=True, capture_output=True, cwd=ROOT)
    assert [slot["state"] for slot in json.loads(done.stdout)["slots"]] == ["empty", "pass", "empty", "empty"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert "line open" in shown
    assert re.search(r"^ ?2 +pass ", shown, re.MULTILINE)


@pytest.mark.parametrize("time_scale", [1.0])
def test_sigterm_leaves_nothing_running(standing: Standing) -> None:
    """No child process and no socket are left, and the daemon exits with 0."""
    standing.bench("plug", "1", "2")
    standing.wait(1, lambda slot: slot.state == "running")
    daemon = standing.line.processes["daemon"]
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait(300) == 0
    assert not (standing.line.folder / "station.sock").exists()
    programmers = subprocess.run(["pgrep", "-f", str(standing.line.folder / "STM32CubeProgrammer")], check=False)
    assert programmers.returncode == 1


def test_a_crash_would_write_no_memory_to_a_disk(untouched: Standing) -> None:
    """The daemon's memory holds passcodes and the key to the PKI."""
    limits = Path(f"/proc/{untouched.line.processes['daemon'].pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)


def test_a_unit_that_has_passed_is_reconfirmed(standing: Standing) -> None:
    """The unit passes again; the station writes nothing to it and requests no second certificate."""
    standing.bench("plug", "1")
    standing.wait(1, lambda slot: slot.state == "pass")
    standing.bench("unplug", "1")
    standing.wait(1, lambda slot: slot.state == "empty")
    standing.bench("plug", "1")
    again = standing.wait(1, lambda slot: slot.verdict is not None)
    assert again.state == "pass"
    assert story(standing, again.uid) == ["provision pass", "reconfirm pass"]
    assert len(issued(standing)) == 1


def test_a_board_that_holds_its_certificate_is_redelivered(standing: Standing) -> None:
    """The board was pulled before its operational firmware was flashed; it is completed with its own certificate."""
    standing.bench("fault", "--board", "1", "--at", "flash_operational", "--what", "unplug")
    standing.bench("plug", "1")
    standing.pulled_by_its_fault(1)
    standing.bench("plug", "1")
    again = standing.wait(1, lambda slot: slot.verdict is not None)
    assert again.state == "pass"
    assert story(standing, again.uid) == ["provision void", "redeliver pass"]
    assert len(issued(standing)) == 1


LINE_POLICY = {"boards_in_a_slot": 2, "slots": 3, "within_boards": 10}
BAD_CSR = "--at await_csr --what csr_bad_signature"


@pytest.mark.parametrize("policy", [LINE_POLICY], ids=["line policy"])
def test_the_same_cause_on_two_boards_takes_the_slot_out(standing: Standing) -> None:
    """After the release the next board decides."""
    assert [standing.next_board(1, BAD_CSR).verdict for _ in range(2)] == ["fail", "fail"]
    out = standing.wait(1, lambda slot: slot.service == "out")
    assert (out.state, out.fault) == ("out of service", "slot.suspected")
    standing.boards += 1
    standing.bench("plug", "1", "--new")
    standing.wait(1, lambda slot: slot.probe is not None)
    assert standing.slot(1).attempt is None
    assert "on trial: 1" in standing.station("slots", "release", "1")
    passed = standing.wait(1, lambda slot: slot.verdict is not None)
    assert (passed.verdict, passed.service) == ("pass", "in")


@pytest.mark.parametrize("policy", [LINE_POLICY], ids=["line policy"])
def test_a_slot_on_trial_that_shows_it_again_is_out_again(standing: Standing) -> None:
    """One board with the same cause takes a slot on trial out of service."""
    for _ in range(2):
        standing.next_board(1, BAD_CSR)
    standing.wait(1, lambda slot: slot.service == "out")
    standing.station("slots", "release", "--all")
    assert standing.slot(1).service == "trial"
    standing.next_board(1, BAD_CSR)
    assert standing.wait(1, lambda slot: slot.service == "out").fault == "slot.suspected"


@pytest.mark.parametrize("policy", [LINE_POLICY], ids=["line policy"])
def test_a_cause_on_three_slots_pauses_the_line(standing: Standing) -> None:
    """A release opens the line, and a waiting board is judged."""
    for number in (1, 2, 3):
        standing.next_board(number, BAD_CSR)
    assert standing.line.status().line.fault == "line.suspected"
    standing.boards += 1
    standing.bench("plug", "4", "--new")
    assert standing.wait(4, lambda slot: slot.probe is not None).state == "waiting"
    standing.station("slots", "release", "--all")
    assert standing.wait(4, lambda slot: slot.verdict is not None).state == "pass"


def test_a_slot_can_be_taken_out_by_hand(standing: Standing) -> None:
    """A held slot judges nothing until it is released."""
    standing.station("slots", "hold", "2")
    standing.bench("plug", "2")
    standing.wait(2, lambda slot: slot.probe is not None)
    assert (standing.slot(2).state, standing.slot(2).attempt) == ("out of service", None)
    assert "slot.held" in standing.station("slots", "list")
    standing.station("slots", "release", "2")
    assert standing.wait(2, lambda slot: slot.verdict is not None).state == "pass"
