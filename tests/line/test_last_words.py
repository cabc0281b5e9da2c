# SPDX-License-Identifier: Apache-2.0
"""A test that fails because a process of its line has died says so."""

import signal
from pathlib import Path

from tests.builders.line import RECIPE, Line


def test_a_failure_tells_which_process_died(tmp_path: Path) -> None:
    """With its exit status, and where in the code a fatal signal has hit it; a process that runs is not mentioned."""
    (tmp_path / "logs").mkdir()
    line = Line(tmp_path, RECIPE)
    try:
        for name in ("bench", "pki"):
            line.start(name, "virtual_bench", "serve", "--dir", str(tmp_path / name))
            line.wait_for(name, (tmp_path / name / "bench.json").exists)
        line.processes["bench"].send_signal(signal.SIGSEGV)
        line.processes["bench"].wait()
        failure = AssertionError()
        line.tell_of_the_dead(failure)
    finally:
        line.stop()
    (note,) = failure.__notes__
    assert f"the bench had ended with {-signal.SIGSEGV};" in note
    assert "Segmentation fault" in note
    assert "virtual_bench/cli.py" in note
