# SPDX-License-Identifier: Apache-2.0
"""A benchmark that is stopped stops the lines that it has started."""

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.builders.station_demo import heard, running

pytestmark = pytest.mark.line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "a supervisor"])
def test_a_benchmark_that_is_told_to_end_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    """Its exit status shows the interruption, and no file says what it has not measured."""
    place, report = tmp_path / "runs", tmp_path / "bench.json"
    command = [sys.executable, "-m", "benchmarks", "--only", "one", "--keep", str(place), "--json", str(report)]
    with heard(command) as process:
        try:
            while not any("STM32_Programmer_CLI" in line for line in running(place)):
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            process.send_signal(number)
        told, _ = process.communicate()
    assert process.returncode == 130
    assert "Interrupted" in told
    assert running(place) == []
    assert not report.exists()
