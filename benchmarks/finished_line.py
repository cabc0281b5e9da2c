# SPDX-License-Identifier: Apache-2.0
"""A standing line whose boards have all passed, for what is measured afterwards; started as the tests start theirs."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.recording import RunUnusable
from tests.builders.line import ROOT, Line, LineFailed

LOOK_EVERY = 0.2
PASSED_WITHIN = 60.0


@contextmanager
def finished_line(folder: Path, boards: int) -> Iterator[Line]:
    """The line stands for the block. Raises `RunUnusable`."""
    try:
        with Line.standing(folder, boards) as line:
            _plug_all(line)
            _wait_until_all_passed(line)
            yield line
    except LineFailed as exc:
        raise RunUnusable(str(exc)) from exc


def page_of(line: Line) -> str:
    """The address of the line's page; raises `RunUnusable`."""
    page = line.status().page
    if page is None or page.url is None:
        raise RunUnusable("the daemon serves no page")
    return page.url


def _plug_all(line: Line) -> None:
    command = [sys.executable, "-m", "virtual_bench", "plug", "--all", "--dir", str(line.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RunUnusable(f"virtual-bench plug --all: {done.stdout}{done.stderr}")


def _wait_until_all_passed(line: Line) -> None:
    deadline = time.monotonic() + PASSED_WITHIN
    while any(slot.state != "pass" for slot in line.status().slots):
        if time.monotonic() > deadline:
            raise RunUnusable("the boards of the standing line did not all pass")
        time.sleep(LOOK_EVERY)
