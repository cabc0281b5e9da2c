# SPDX-License-Identifier: Apache-2.0
"""The lock, end to end: option bytes are set last, read back, and survive every interruption."""

import json
from pathlib import Path

import pytest

from tests.builders.line import RECIPE, Line
from tests.builders.station_demo import ROOT, demonstrate
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

LEVEL_1 = "[lock]\noption_bytes = { BOR_LEV = 4 }\n"
LEVEL_2 = "[lock]\nreadout_protection = 2\nirreversible = true\n"


def recipe(folder: Path, lock: str) -> Path:
    """The shipped recipe with a lock."""
    text = RECIPE.read_text().replace('"../../', f'"{ROOT}/')
    text = text.replace('"certification-declaration.der"', f'"{ROOT}/config/recipes/certification-declaration.der"')
    path = folder / "locked.toml"
    path.write_text(f"{text}\n{lock}")
    return path


def option_bytes(folder: Path) -> list[dict[str, int]]:
    """The option bytes of all boards of a run."""
    return [json.loads(path.read_text())["option_bytes"] for path in sorted(folder.glob("boards/*/board.json"))]


def test_every_unit_is_locked_as_the_recipe_says(tmp_path: Path) -> None:
    """A unit passes only after its lock is confirmed."""
    run = demonstrate(tmp_path, "--boards", "3", "--recipe", str(recipe(tmp_path, LEVEL_1)))
    assert run.exit_status == 0, run.output
    assert [(each["RDP"], each["BOR_LEV"]) for each in option_bytes(run.folder)] == [(0xBB, 4)] * 3
    assert all("lock" in board["phases"] for board in run.report["boards"])  # type: ignore[operator]  # JSON


def test_level_2_is_proven_by_a_door_that_stays_shut(tmp_path: Path) -> None:
    """A part at level 2 refuses the connection, which is the proof."""
    run = demonstrate(tmp_path, "--boards", "1", "--recipe", str(recipe(tmp_path, LEVEL_2)))
    assert run.exit_status == 0, run.output
    assert option_bytes(run.folder)[0]["RDP"] == 0xCC


def test_a_lock_that_did_not_take_is_no_pass(tmp_path: Path) -> None:
    """The programmer's report of success does not count."""
    faults = tmp_path / "faults.toml"
    expected = (
        ("nothing_done", '{ verdict = "fail", fault = "lock.unproven" }\ntimes = 0'),
        ("connect_error", '{ verdict = "pass" }'),
        ("option_reconnect_fails", '{ verdict = "pass" }'),
        ("options_refused", '{ verdict = "pass" }'),
        ("options_refused", '{ verdict = "fail", fault = "lock.unproven" }\ntimes = 0'),
        ("unplug", '{ verdict = "void", fault = "board.removed" }'),
    )
    faults.write_text(
        "".join(
            f'[[fault]]\nboard = {board}\nat = "lock"\nwhat = "{what}"\nexpect = {expect}\n'
            for board, (what, expect) in enumerate(expected, start=1)
        )
    )
    options = ["--boards", "6", "--faults", str(faults), "--recipe", str(recipe(tmp_path, LEVEL_1))]
    run = demonstrate(tmp_path, *options)
    assert run.exit_status == 0, run.output


def test_a_locked_unit_that_sees_the_station_restart_is_void_until_it_was_without_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core stands still since the lock: that is no fault of the unit."""
    monkeypatch.setenv("STATION__BOARD__BOOT_WITHIN", "10")
    with Line.standing(tmp_path / "line", 1, recipe=recipe(tmp_path, LEVEL_1)) as line:
        standing = Standing(line)
        standing.bench("plug", "1")
        assert standing.wait(1, lambda slot: slot.verdict is not None).state == "pass"
        line.processes["daemon"].kill()
        line.processes["daemon"].wait()
        line.start_daemon()
        asleep = standing.wait(1, lambda slot: slot.verdict is not None)
        assert (asleep.state, asleep.verdict, asleep.fault, asleep.service) == ("void", "void", "board.asleep", "in")
        standing.bench("unplug", "1")
        standing.wait(1, lambda slot: slot.probe is None)
        standing.bench("plug", "1")
        assert standing.wait(1, lambda slot: slot.verdict is not None).verdict == "pass"


@pytest.mark.parametrize("phase", ["confirm", "lock"])
def test_a_unit_that_was_pulled_before_its_lock_is_locked_when_it_comes_back(tmp_path: Path, phase: str) -> None:
    """Once locked, the unit passes again by the ledger's record and its firmware's answer."""
    with Line.standing(tmp_path / "line", 1, time_scale=0.02, recipe=recipe(tmp_path, LEVEL_1)) as line:
        standing = Standing(line)
        standing.bench("fault", "--board", "1", "--at", phase, "--what", "unplug")
        standing.bench("plug", "1")
        standing.pulled_by_its_fault(1)
        for _ in range(2):
            standing.bench("plug", "1")
            assert standing.wait(1, lambda slot: slot.verdict is not None).state == "pass"
            assert option_bytes(line.folder)[0]["RDP"] == 0xBB
            standing.bench("unplug", "1")
            standing.wait(1, lambda slot: slot.state == "empty")
