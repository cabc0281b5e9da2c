# SPDX-License-Identifier: Apache-2.0
"""`station measure` at the virtual bench: a board is measured, and whatever may be a unit is left alone."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.cli.exit_codes import DONE, ENVIRONMENT, FAILED, USAGE
from station.measure.figures import QUANTITIES
from station.measure.model import PROFILES
from tests.builders.line import STOP_WITHIN, Line
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

IN_RAM = {"ram_load", "ram_verified", "ram_boot", "ram_answer"}


def runs(line: Line) -> list[list[str]]:
    """The arguments of every run of the programmer."""
    journal = [json.loads(text) for text in (line.folder / "bench.jsonl").read_text().splitlines()]
    return [entry["argv"] for entry in journal if entry["event"] == "invocation"]


def known(line: Line) -> list[str]:
    """The boards of which the ledger has an attempt."""
    with closing(sqlite3.connect(line.folder / "ledger.sqlite")) as ledger:
        return [uid for (uid,) in ledger.execute("SELECT DISTINCT uid FROM attempt ORDER BY id")]


def test_a_board_is_measured_and_a_unit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A measured board is no unit: it leaves no trace in the ledger, and becomes one by the line as any other board."""
    with Line.standing(tmp_path / "line", 3) as line:
        standing = Standing(line)
        standing.bench("plug", "1")
        unit = standing.wait(1, lambda slot: slot.state == "pass")
        before = len(runs(line))

        beside = line.command("measure", "2", "--yes")
        assert beside.returncode == ENVIRONMENT
        assert "Another station on this machine uses this slot" in beside.stderr
        assert len(runs(line)) == before

        line.processes["daemon"].terminate()
        assert line.processes["daemon"].wait(STOP_WITHIN) == 0
        refused = line.command("measure", "1", "--yes")
        assert refused.returncode == FAILED
        assert f"board {unit.uid} is unit" in refused.stderr
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("STATION__STATION__STATE", str(tmp_path / "another"))
            foreign = line.command("measure", "1", "--yes")
        assert foreign.returncode == FAILED
        assert "another line's unit" in foreign.stderr
        absent = line.command("measure", "2", "--yes")
        assert absent.returncode == FAILED
        assert "no board is in slot 2" in absent.stderr

        standing.bench("plug", "2")
        unasked = line.command("measure", "2")
        assert unasked.returncode == USAGE
        assert "--yes agrees that the board is overwritten" in unasked.stderr
        assert not [argv for argv in runs(line)[before:] if "-d" in argv]

        measured = line.command("measure", "2", "--yes", "--rounds", "2", "--json")
        assert measured.returncode == DONE, measured.stderr
        found = json.loads(measured.stdout)
        assert [each["name"] for each in found["figures"]] == [each.name for each in QUANTITIES]
        assert all(each["least"] <= each["seconds"] <= each["most"] for each in found["figures"])
        assert next(iter(found.items())) == ("schema", 1)
        assert (found["slot"], found["rounds"], found["fault"], found["ram_fault"]) == ("2", 2, None, None)
        assert found["nearest"] in PROFILES
        assert found["uid"] != unit.uid
        assert known(line) == [unit.uid]

        standing.bench("fault", "--board", "3", "--at", "flash_provisioner", "--what", "ram_torn")
        standing.bench("plug", "3")
        torn = line.command("measure", "3", "--yes", "--rounds", "1", "--json")
        assert torn.returncode == FAILED
        found = json.loads(torn.stdout)
        assert {each["name"] for each in found["figures"]} == {each.name for each in QUANTITIES} - IN_RAM
        assert (found["rounds"], found["fault"], found["ram_fault"]["code"]) == (1, None, "flash.mismatch")

        line.start_daemon()
        assert standing.wait(2, lambda slot: slot.verdict is not None).verdict == "pass"
