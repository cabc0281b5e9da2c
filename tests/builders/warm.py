# SPDX-License-Identifier: Apache-2.0
"""Programs that start warm: forked from a process that has imported their modules, for tests of many short lines.

A line's three programs import for longer than a board takes at time scale 0, and all lines together half of the time of the tests.
A forked program is the tests' own child with a process of its own, as one that was executed. Three things are those of the process
that it was forked from: the command line and the environment that /proc shows, what modules remember of their import, and the seed of
hashes. Tests that read the former mark their file `executed`.
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
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from tests.builders.warm_start import IMPORTS, READY

ROOT = Path(__file__).parents[2]
PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37  # linux/prctl.h
READY_WITHIN = 240.0  # seconds, on a busy machine
BEFORE_ITS_FIRST_LINE = ("LD_", "PYTHON")  # variables that the linker and Python read when a program is executed
_libc = ctypes.CDLL(None, use_errno=True)

programs: "WarmPrograms | None" = None
"""Where a line's programs come from; None executes each of them. The fixtures in conftest.py say when."""


class WarmFailed(Exception):
    """The process that was to fork a program has ended, or does not answer."""


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
    """A forked program. Raises `ChildProcessError` for a process that is not a child of this one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._one = threading.Lock()
        self._sign = os.pidfd_open(pid)
        os.waitid(os.P_PIDFD, self._sign, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def __del__(self) -> None:
        if self.returncode is None:
            os.close(self._sign)
            warnings.warn(f"nobody has awaited process {self.pid}", ResourceWarning, stacklevel=2)

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises `subprocess.TimeoutExpired`."""
        with self._one:
            if self.returncode is None:
                awaited = select.poll()
                awaited.register(self._sign, select.POLLIN)
                if not awaited.poll(None if timeout is None else max(0, 1000 * timeout)):
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
                _, status = os.waitpid(self.pid, 0)
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self._sign)
            return self.returncode

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class WarmPrograms:
    """One process for each module that has been asked for, until the block ends."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.askers: dict[str, socket.socket] = {}
        """Our ends of the sockets at which the warm processes await requests, by module."""
        self._alone = threading.Lock()  # some tests start two lines at once
        self._environment = _early(os.environ)

    @classmethod
    @contextmanager
    def ready(cls) -> Iterator["WarmPrograms"]:
        with ExitStack() as stack:
            yield cls(stack)

    def can_start(self, module: str, environment: Mapping[str, str]) -> bool:
        """Whether a forked program would be as an executed one."""
        return module in IMPORTS and _early(environment) == self._environment

    def start(
        self, module: str, arguments: Sequence[str], output: IO[bytes], environment: Mapping[str, str]
    ) -> WarmProgram:
        """Runs `python -m MODULE ARGUMENTS…` in a session of its own, without input; `output` takes its errors, too.

        Raises `WarmFailed`.
        """
        request = {"arguments": list(arguments), "environment": dict(environment)}
        with self._alone:
            asker = self.askers.get(module) or self._awoken(module)
            try:
                with Path(os.devnull).open("rb") as nothing, _adopting():
                    socket.send_fds(asker, [json.dumps(request).encode()], [nothing.fileno(), output.fileno()])
                    return WarmProgram(int(asker.recv(20)))
            except (OSError, ValueError) as exc:
                self._give_up(module)
                raise WarmFailed(f"no {module} was forked: {exc!r}") from exc
            except BaseException:
                self._give_up(module)
                raise

    def _give_up(self, module: str) -> None:
        """An answer that nobody has read, since the test took too long, would be that of the next request; its program is ended."""
        with self.askers.pop(module) as asker, suppress(OSError, ValueError):
            asker.settimeout(1)
            os.kill(int(asker.recv(20)), signal.SIGKILL)

    def _awoken(self, module: str) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ExitStack() as undo:
            undo.enter_context(ours)
            with theirs:
                command = [sys.executable, "-X", "faulthandler", "-m", "tests.builders.warm_start"]
                process = subprocess.Popen(
                    [*command, module, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    cwd=ROOT,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            self._stack.enter_context(process)  # awaits its end, which comes with that of our end of the socket
            self._stack.callback(ours.close)
            ours.settimeout(READY_WITHIN)
            try:
                said = ours.recv(20)
            except OSError as exc:
                raise WarmFailed(f"the warm process of {module} has not imported it") from exc
            if said != READY:
                raise WarmFailed(f"the warm process of {module} has ended at its imports: see above")
            undo.pop_all()
        self.askers[module] = ours
        return ours


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(BEFORE_ITS_FIRST_LINE)}


@contextmanager
def _adopting() -> Iterator[None]:
    """Descendants whose parent ends in the block become this process's children; after it as before."""
    before = ctypes.c_int()
    _prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        _prctl(PR_SET_CHILD_SUBREAPER, before.value)


def _prctl(option: int, argument: object) -> None:
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
