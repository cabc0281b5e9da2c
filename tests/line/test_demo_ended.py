# SPDX-License-Identifier: Apache-2.0
"""A demonstration that is stopped also stops bench, PKI, daemon and programmers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders.station_demo import ROOT

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

AS_IN_A_SCRIPT = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")  # like `&` in a script, ignores SIGINT


def running(folder: Path) -> list[str]:
    """The command lines of all processes that mention the folder."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in words and process.parent.name != str(os.getpid()):
            lines.append(words)
    return lines


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM], [signal.SIGHUP]],
    ids=["Ctrl-C", "Ctrl-C, impatiently", "a supervisor", "a closed terminal"],
)
def test_a_demonstration_that_is_told_to_end_leaves_nothing_running(
    tmp_path: Path, signals: list[signal.Signals]
) -> None:
    """Each slot has a transfer in progress; the exit status shows the interruption."""
    place = tmp_path / "line"
    with subprocess.Popen(
        [*AS_IN_A_SCRIPT, sys.executable, "-m", "station", "demo", "--boards", "2", "--dir", str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        try:
            while not any("STM32_Programmer_CLI" in line and " -d " in line for line in running(place)):
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            process.send_signal(signals[0])
        assert process.stdout is not None
        assert any("being stopped" in line for line in process.stdout)  # reads no further than that line
        for number in signals[1:]:
            process.send_signal(number)
        told, _ = process.communicate()
    assert process.returncode == 130
    assert f"Kept: {place}" in told
    assert running(place) == []


@pytest.mark.parametrize("lines", [0, 1, 6])
def test_a_demonstration_whose_output_is_closed_leaves_no_folder(tmp_path: Path, lines: int) -> None:
    """Like `station demo | head -1`: nobody is told any more where its files are."""
    with subprocess.Popen(
        [sys.executable, "-m", "station", "demo", "--boards", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline()
        process.stdout.close()
        assert process.wait() == 1
    assert list(tmp_path.glob("station-demo-*")) == []
    assert running(tmp_path) == []
