# SPDX-License-Identifier: Apache-2.0
"""A pretended USB host, in another process (`mocked_host.py`), as a test plugs boards into it and hears of them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.hotplug.umockdev import PRELOAD

ROOT = Path(__file__).resolve().parents[2]
Command = Sequence[str | float]
Told = dict[str, str | None]


class MockedHost:
    """The other process, which has the host and the source."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._told: list[Told] = []
        self.root = ""
        """The folder that the host's files are in."""

    @classmethod
    @contextmanager
    def started(cls, source: str, *before: Command) -> Iterator["MockedHost"]:
        """The source, if there is to be one, starts when `before` has been done."""
        command = [sys.executable, "-X", "dev", "-W", "error", "-m", "tests.hotplug.mocked_host", source]
        environment = {**os.environ, "LD_PRELOAD": PRELOAD}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        ) as process:
            try:
                host = cls(process)
                host.does(*before)
                yield host
                if process.stdin and not process.stdin.closed:
                    host.ends()
                assert process.wait() == 0
            finally:
                process.kill()

    def does(self, *commands: Command) -> None:
        """All of them, before the source looks."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(commands) + "\n")
        self._process.stdin.flush()
        while "done" not in (said := self._said()):
            self._told.append(said)
        self.root = said["done"] or ""

    def tells(self, count: int) -> list[Told]:
        """The next events of the source; waits for them."""
        while len(self._told) < count:
            self._told.append(self._said())
        told, self._told = self._told[:count], self._told[count:]
        return told

    def ends(self) -> Told:
        """What is open when the source has ended, and was not before it began."""
        assert self._process.stdin
        self._process.stdin.close()
        while "left_open" not in (said := self._said()):
            self._told.append(said)
        return said

    def _said(self) -> Told:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the host's process has ended"
        said: Told = json.loads(line)
        return said
