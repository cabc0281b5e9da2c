# SPDX-License-Identifier: Apache-2.0
"""Processes forked from one that has imported everything: a hundred stations share the memory of their modules."""

import ctypes
import faulthandler
import gc
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class Process:
    """A forked process, which dies with this one."""

    pid: int
    status: int | None = None
    """As `os.waitstatus_to_exitcode` tells it; None while it runs."""

    @classmethod
    def forked(cls, work: Callable[[], None], errors: Path) -> "Process":
        """Calls `work` in a new process, whose errors go to the end of this file."""
        gc.freeze()
        sys.stdout.flush()
        parent = os.getpid()
        if pid := os.fork():
            return cls(pid)
        code = 1
        try:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == parent:
                descriptor = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                for stream in (1, 2):
                    os.dup2(descriptor, stream)
                sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1) for stream in (1, 2))
                warnings.simplefilter("default")  # under pytest they are errors, in threads, too
                faulthandler.enable()
                work()
                code = 0
        except BaseException:  # noqa: BLE001  of a forked process, which must end here
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    @property
    def alive(self) -> bool:
        if self.status is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is None

    def kill(self) -> None:
        """`kill -9`; returns when it is dead."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(60.0)

    def end(self) -> None:
        """Asks it to end."""
        if self.alive:
            os.kill(self.pid, signal.SIGTERM)

    def wait(self, within: float) -> bool:
        """Whether it has ended within so many seconds."""
        end = time.monotonic() + within
        while self.alive:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True
