# SPDX-License-Identifier: Apache-2.0
"""Programs that start warm: forked from a process that has imported their modules, for tests of many short lines.

A line's three programs import for longer than a board takes at time scale 0, and all lines together half of the time of the tests.
A forked program is the tests' own child with a process of its own, as one that was executed, but /proc has the words and the
environment of the process that it was forked from. Tests that read these there mark themselves with `executed`.
"""

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Protocol

from tests.builders.warm_start import IMPORTS

ROOT = Path(__file__).parents[2]
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)

programs: "WarmPrograms | None" = None
"""Where a line's programs come from; None executes each of them. The fixtures in conftest.py say when."""


class Program(Protocol):
    """What tests do with a process that they have started; `subprocess.Popen` is one."""

    pid: int
    returncode: int | None
    """Negative for the number of a signal; None until `poll` or `wait` has seen the end."""

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class WarmProgram:
    """A forked program."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = os.pidfd_open(pid)

    def poll(self) -> int | None:
        if self.returncode is None and self._has_ended(0):
            self._reap()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises `subprocess.TimeoutExpired`."""
        if self.returncode is not None:
            return self.returncode
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return self._reap()

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, timeout: float | None) -> bool:
        poll = select.poll()
        poll.register(self._ended, select.POLLIN)
        return bool(poll.poll(None if timeout is None else 1000 * timeout))

    def _reap(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        os.close(self._ended)
        self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class WarmPrograms:
    """One process for each module that has been asked for, until the block ends."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._askers: dict[str, socket.socket] = {}
        self._alone = threading.Lock()  # some tests start two lines at once

    @classmethod
    @contextmanager
    def ready(cls) -> Iterator["WarmPrograms"]:
        with ExitStack() as stack:
            yield cls(stack)

    @staticmethod
    def has(module: str) -> bool:
        return module in IMPORTS

    def start(
        self, module: str, arguments: Sequence[str], output: IO[bytes], environment: Mapping[str, str]
    ) -> WarmProgram:
        """Runs `python -m MODULE ARGUMENTS…` in a session of its own, without input; `output` takes its errors, too."""
        request = {"arguments": list(arguments), "environment": dict(environment), "folder": str(ROOT)}
        with self._alone, Path(os.devnull).open("rb") as nothing, _adopting():
            asker = self._askers.get(module) or self._awoken(module)
            socket.send_fds(asker, [json.dumps(request).encode()], [nothing.fileno(), output.fileno()])
            return WarmProgram(int(asker.recv(20)))

    def _awoken(self, module: str) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-m", "tests.builders.warm_start", module, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        )
        theirs.close()
        self._askers[module] = self._stack.enter_context(
            ours
        )  # closed before its process is awaited, which ends for it
        return ours


@contextmanager
def _adopting() -> Iterator[None]:
    """Descendants whose parent ends in the block become this process's children; after it nothing else is adopted."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        _prctl(PR_SET_CHILD_SUBREAPER, 0)


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
