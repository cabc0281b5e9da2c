# SPDX-License-Identifier: Apache-2.0
"""A soak at a line that does not wait for anything, ended by Ctrl-C."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.soak.figures import Figures, read

ROOT = Path(__file__).resolve().parents[2]
WITHIN = 300.0
LOOKED_EVERY = 0.1


@pytest.mark.line
@pytest.mark.timeout(900)
def test_a_run_that_is_cut_short_leaves_its_figures_and_is_not_called_good(tmp_path: Path) -> None:
    """Boards come and go, pass, and are counted; too few samples prove nothing."""
    options = ["--slots", "1", "--boards-an-hour", "3600", "--time-scale", "0", "--every", "0.5", "--to", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.soak.run", *options], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            _wait_for_units(tmp_path, process)
        finally:
            process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=WITHIN)[0]
    assert process.returncode == 1, said
    assert "BAD   NOT JUDGED" in said
    (plot,) = tmp_path.glob("*.svg")
    assert plot.read_text().endswith("</svg>\n")
    first, last = (rows := _rows(tmp_path))[0], rows[-1]
    assert (last.not_passed, last.interventions) == (0, 0)
    assert 20e6 < last.memory < last.resident < 1e9
    assert last.descriptors > 10
    assert last.threads > 1
    assert last.cpu_seconds > first.cpu_seconds
    assert min(last.ledger, last.wal, last.log, last.transcripts, last.bench_memory, last.pki_memory) > 0
    assert 0 <= last.lag_p50 <= last.lag_p99 <= last.lag_max
    assert any(row.cycle for row in rows)
    assert len(list(tmp_path.iterdir())) == 2


def _rows(folder: Path) -> list[Figures]:
    return [row for path in folder.glob("*.csv") if path.stat().st_size for row in read(path)]


def _wait_for_units(folder: Path, process: subprocess.Popen[str]) -> None:
    """Until two units have passed, one after the other."""
    deadline = time.monotonic() + WITHIN
    while not (rows := _rows(folder)) or rows[-1].passed < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline, rows[-1:]
        time.sleep(LOOKED_EVERY)
