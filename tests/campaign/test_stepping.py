# SPDX-License-Identifier: Apache-2.0
"""The clock that a campaign sets: a daemon's wall clock, however it is asked, and no other clock or process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.campaign.stepping import DAYS, HOURS, STEPS, SteppedClock

pytestmark = pytest.mark.slow

TELLS = """
import datetime, sqlite3, sys, time
asked = sqlite3.connect(":memory:")
for _ in sys.stdin:
    by_sqlite = float(asked.execute("SELECT (julianday('now') - 2440587.5) * 86400").fetchone()[0])
    now = datetime.datetime.now(datetime.UTC)
    print(time.time(), now.timestamp(), by_sqlite, time.monotonic(), flush=True)
"""
NEAR = 600.0  # seconds: less than any step, and more than a busy machine needs


def test_a_daemons_wall_clock_is_stepped_and_no_other(tmp_path: Path) -> None:
    """Whoever asks in it sees the step at once, while its monotonic clock goes on. Another program keeps the real time."""
    clock = SteppedClock(tmp_path)
    environment = {**os.environ, **clock.built()}
    told = {
        name: subprocess.Popen(
            [sys.executable, "-c", TELLS, *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, command in {"daemon": ["station", "run", "--config"], "other": ["station", "status"]}.items()
    }
    try:
        for seconds in (0, *STEPS):
            with clock.stepped(seconds):
                for name, process in told.items():
                    ahead = seconds if name == "daemon" else 0
                    *wall, monotonic = asked(process)
                    assert all(abs(each - time.time() - ahead) < NEAR for each in wall), (name, seconds, wall)
                    assert abs(monotonic - time.monotonic()) < NEAR
        assert abs(asked(told["daemon"])[0] - time.time()) < NEAR
    finally:
        for process in told.values():
            process.kill()
            process.communicate()


def asked(process: "subprocess.Popen[str]") -> list[float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return [float(each) for each in process.stdout.readline().split()]


def test_a_step_is_longer_than_a_campaign() -> None:
    """Some are shorter than the day that the station must notice, and some longer."""
    assert min(map(abs, STEPS)) >= 4 * HOURS
    assert {abs(each) > DAYS for each in STEPS} == {True, False}
