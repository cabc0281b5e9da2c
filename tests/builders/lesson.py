# SPDX-License-Identifier: Apache-2.0
"""`station slots learn` as a process, which a test watches as the person does who plugs boards in."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.builders.station_demo import ROOT

ASKED = "slot {}: plug a board or an empty probe into its place; Enter or Ctrl-C ends"


class Lesson:
    """The running command."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def says(self, *expected: str) -> None:
        """Waits for these lines, which are the next ones."""
        assert self.process.stdout
        assert [self.process.stdout.readline().rstrip("\n") for _ in expected] == list(expected)

    def ends(self) -> tuple[int, list[str]]:
        """Exit code and last lines."""
        output, _ = self.process.communicate()
        return self.process.returncode, output.splitlines()


@contextmanager
def lesson(file: Path, *options: str, stdin: int = subprocess.DEVNULL, **environment: str) -> Iterator[Lesson]:
    """The command with this file, killed if it has not ended when the block does."""
    command = [sys.executable, "-W", "error", "-m", "station", "slots", "learn", "--config", str(file), *options]
    with subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    ) as process:
        try:
            yield Lesson(process)
        finally:
            process.kill()
