# SPDX-License-Identifier: Apache-2.0
"""Each fault of the bench leads to its verdict and its code, and the other boards pass."""

import tomllib
from pathlib import Path

import pytest

from tests.builders.station_demo import demonstrate

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

HERE = Path(__file__).parent


@pytest.mark.parametrize(("boards", "faults"), [(12, HERE / "faults.toml"), (37, HERE / "more_faults.toml")])
def test_every_fault_gives_its_verdict(tmp_path: Path, boards: int, faults: Path) -> None:
    """The demonstration exits 0 only if each board ends as its entry says and all others pass."""
    run = demonstrate(tmp_path, "--boards", str(boards), "--faults", str(faults))
    assert run.exit_status == 0, run.output
    fired = {line["board"] for line in run.lines("bench.jsonl") if line["event"] == "fault"}
    assert fired == {entry["board"] for entry in tomllib.loads(faults.read_text())["fault"]}


def test_a_board_without_its_external_flash_is_bad_and_its_slot_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing external flash shows only as an erase that does not end."""
    monkeypatch.setenv("STATION__PROGRAMMER__IDLE_WITHIN", "30")
    faults = tmp_path / "faults.toml"
    faults.write_text(
        '[[fault]]\nboard = 1\nat = "flash_data"\nwhat = "external_flash_absent"\nseconds = 1e6\n'
        'expect = { verdict = "fail", fault = "flash.erase_failed" }\n'
    )
    run = demonstrate(tmp_path, "--boards", "2", "--faults", str(faults), "--time-scale", "0.001")
    assert run.exit_status == 0, run.output


def test_a_verdict_that_nobody_expected_fails_the_run(tmp_path: Path) -> None:
    """A mute board without an `expect` entry fails the run, so the check can fail."""
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nboard = 1\nat = "await_csr"\nwhat = "mute"\nexpect = { verdict = "pass" }\n')
    run = demonstrate(tmp_path, "--boards", "2", "--faults", str(faults))
    assert run.exit_status == 1
    assert "board 1 ended as fail (board.silent), expected pass" in run.output


PHASES = ("recognise", "flash_data", "flash_provisioner", "await_csr", "deliver", "flash_operational", "confirm")


def test_a_pulled_board_is_void_in_every_phase(tmp_path: Path) -> None:
    """The boards in the other slots pass."""
    faults = tmp_path / "faults.toml"
    faults.write_text(
        "".join(
            f'[[fault]]\nboard = {board}\nat = "{phase}"\nwhat = "unplug"\n'
            'expect = { verdict = "void", fault = "board.removed" }\n'
            for board, phase in enumerate(PHASES, start=1)
        )
    )
    run = demonstrate(tmp_path, "--boards", str(len(PHASES) + 2), "--faults", str(faults))
    assert run.exit_status == 0, run.output
