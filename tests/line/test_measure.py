# SPDX-License-Identifier: Apache-2.0
"""`station measure` at the virtual bench: a board is measured, and whatever may be a unit is left alone."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from station.cli.exit_codes import DONE, ENVIRONMENT, FAILED, INTERRUPTED, USAGE
from station.config import line as configuration
from station.measure.figures import QUANTITIES
from station.measure.model import PROFILES
from tests.builders.json_lines import objects_of
from tests.builders.line import RECIPE, ROOT, STOP_WITHIN, Line, station_command
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

IN_RAM = {"internal_read", "ram_load", "ram_verified", "ram_boot", "ram_answer"}


def invocations(line: Line) -> list[dict[str, object]]:
    """Every run of the programmer that has ended."""
    return [entry for entry in objects_of(line.folder / "bench.jsonl") if entry["event"] == "invocation"]


def known(line: Line) -> list[str]:
    """The boards of which the ledger has an attempt."""
    with closing(sqlite3.connect(line.folder / "ledger.sqlite")) as ledger:
        return [uid for (uid,) in ledger.execute("SELECT DISTINCT uid FROM attempt ORDER BY id")]


def test_a_board_is_measured_and_a_unit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A measured board is no unit: it leaves no trace in the ledger, and becomes one by the line as any other board."""
    with Line.standing(tmp_path / "line", 4) as line:
        standing = Standing(line)
        standing.bench("plug", "1")
        unit = standing.wait(1, lambda slot: slot.state == "pass").uid
        before = len(invocations(line))
        refused(line, "2", ENVIRONMENT, "Another station on this machine uses this slot")
        assert len(invocations(line)) == before
        line.processes["daemon"].terminate()
        assert line.processes["daemon"].wait(STOP_WITHIN) == 0

        refused(line, "1", FAILED, f"board {unit} is unit")
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("STATION__STATION__STATE", str(tmp_path / "another"))
            refused(line, "1", FAILED, "another line's unit")
        refused(line, "2", FAILED, "no board is in slot 2")
        standing.bench("plug", "2")
        refused(line, "2", USAGE, "--yes agrees that the board is overwritten", yes=False)
        assert not [each for each in invocations(line)[before:] if "'-d'" in str(each["argv"])]

        measured(line)
        assert known(line) == [unit]
        standing.bench("fault", "--board", "3", "--at", "flash_provisioner", "--what", "ram_torn")
        standing.bench("plug", "3")
        measured_but_for_ram(line)
        interrupted(standing)
        line.start_daemon()
        assert standing.wait(2, lambda slot: slot.verdict is not None).verdict == "pass"


def refused(line: Line, slot: str, status: int, reason: str, *, yes: bool = True) -> None:
    done = line.command("measure", slot, *["--yes"] * yes)
    assert (done.returncode, done.stdout) == (status, "")
    assert reason in done.stderr


def measured(line: Line) -> None:
    """Two rounds have every figure."""
    done = line.command("measure", "2", "--yes", "--rounds", "2", "--json")
    assert done.returncode == DONE, done.stderr
    found = json.loads(done.stdout)
    assert next(iter(found.items())) == ("schema", 1)
    assert (found["slot"], found["rounds"], found["fault"], found["ram_fault"]) == ("2", 2, None, None)
    assert [each["name"] for each in found["figures"]] == [each.name for each in QUANTITIES]
    assert all(each["least"] <= each["seconds"] <= each["most"] for each in found["figures"])
    assert list(found["cycles"]) == ["flash", "ram"]
    assert found["nearest"] in PROFILES


def measured_but_for_ram(line: Line) -> None:
    """The line has a recipe whose own agent is the one in RAM; its load fails, and all other figures are told."""
    config = line.folder / "in-ram.toml"
    text = (line.folder / "line.toml").read_text()
    config.write_text(text.replace(str(RECIPE), str(RECIPE.with_name("lighting-ram.toml"))))
    done = station_command("measure", "3", "--yes", "--rounds", "1", "--json", "--config", config)
    assert done.returncode == FAILED, done.stderr
    found = json.loads(done.stdout)
    assert (found["rounds"], found["fault"], found["ram_fault"]["code"]) == (1, None, "flash.mismatch")
    assert {each["name"] for each in found["figures"]} == {each.name for each in QUANTITIES} - IN_RAM
    assert list(found["cycles"]) == ["flash"]


def interrupted(standing: Standing) -> None:
    """Ctrl-C while the programmer is at work asks it to end, and leaves the probe free."""
    standing.bench("fault", "--board", "4", "--at", "flash_data", "--what", "hang", "--set", "deaf_to=nothing")
    standing.bench("plug", "4")
    before = len(invocations(standing.line))
    config = standing.line.folder / "line.toml"
    command = [sys.executable, "-m", "station", "measure", "4", "--yes", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stderr is not None
        next(said for said in process.stderr if "factory data, provisioning firmware" in said)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == INTERRUPTED
    assert "The programmer has ended" in rest
    assert not list(configuration.load(config, {}).locks.glob("*.lock"))
    ended = [entry["exit_status"] for entry in invocations(standing.line)[before:]]
    assert set(ended) <= {DONE, INTERRUPTED}, ended
    standing.bench("unplug", "4")
