# SPDX-License-Identifier: Apache-2.0
"""The benchmark's command in a file or a pipe: what it says is plain text, and its exit status tells of missed goals."""

from pathlib import Path

import pytest
import typer

from benchmarks import __main__ as command
from benchmarks.__main__ import bench
from benchmarks.findings import ALONE, Findings


def test_a_report_in_a_file_has_no_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(_console: object, found: Findings, *_: object) -> None:
        found.rates["ledger"] = {ALONE: [1.0]}
        found.unusable.append("[one], seed 1")

    monkeypatch.setattr(command, "_measure", measure)
    with pytest.raises(typer.Exit) as ended:
        bench(only="ledger", report=tmp_path / "bench.json", keep=tmp_path / "kept")
    machine, empty, again, *_, unusable, missed = capsys.readouterr().out.splitlines()
    assert (empty, again) == ("", machine)
    assert unusable == "A run gave no figures: [one], seed 1"
    assert missed == "1 of 1 goals were missed."
    assert ended.value.exit_code == 1
