# SPDX-License-Identifier: Apache-2.0
"""Orphans: processes that a child started and left behind, outside its process group.

This process adopts, finds, kills and reaps them. The one home of prctl(2). A mark in an orphan's environment, its
group, or the pipe that it holds shows which child started it. If none of them does, its age decides: it is left alone
as long as another child may have started it.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from station.adapters.system.process import Look, fresh_mark

log = structlog.get_logger()

GONE_WITHIN = 1.0  # seconds
_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class _Adoption:
    """Whether this process adopts orphans: one flag for the whole process."""

    children_before: frozenset[int]


_adoption: _Adoption | None = None
_running: dict[int, "Family"] = {}


@contextmanager
def adopted() -> Iterator[None]:
    """For the block, orphans become children of this process. No child but `Child`'s may be started meanwhile."""
    global _adoption  # noqa: PLW0603  the kernel keeps one flag for each process
    if reason := _adopt(1):
        log.warning("orphans.out_of_reach", reason=reason)
        yield
        return
    _adoption = _Adoption(frozenset(_children()))
    try:
        yield
    finally:
        _end_all()
        _adoption = None
        _adopt(0)


def are_adopted() -> bool:
    return _adoption is not None


def new_mark(longest: float | None) -> str:
    """The mark, as environment of the next child and of no other; empty where orphans are not adopted. See `fresh_mark`."""
    return fresh_mark(longest) if are_adopted() else ""


@dataclass(frozen=True, slots=True)
class Family:
    """A child and every process that it has started."""

    child: int
    mark: str
    pipe: str

    @classmethod
    def begun(cls, child: int, mark: str, output: int) -> Self:
        """The family of a child that has just been started; this pipe carries the child's output."""
        if not mark:
            return cls(child, "", "")
        family = cls(child, mark, f"pipe:[{os.fstat(output).st_ino}]")
        _running[child] = family
        return family

    @property
    def began(self) -> int:
        """When the child was started, which is not reaped as long as its family is running."""
        look = Look.at(self.child)
        return look.began if look else 0

    def end(self) -> bool:
        """Kills and reaps the orphans of a child that has been reaped.

        Returns whether there were any, since there may be more.
        """
        if _running.get(self.child) is self:  # another child may have the number by now
            del _running[self.child]
        return _end_orphans(self) if self.mark else False

    def has(self, process: "Look") -> bool:
        return self.child in {process.group, process.session} or self.pipe in process.pipes


def _adopt(value: int) -> str | None:
    """The reason why this process cannot adopt orphans; None if it does."""
    if sys.platform != "linux":
        return f"{sys.platform} has no way to adopt them"
    if not Path(_list_of_children()).exists():
        return f"{_list_of_children()} is not there"
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, value, 0, 0, 0):
        return f"PR_SET_CHILD_SUBREAPER: {os.strerror(ctypes.get_errno())}"
    return None


def _list_of_children() -> str:
    # the children of the main thread, to which the kernel gives orphans
    return f"/proc/self/task/{os.getpid()}/children"


def _children() -> list[int]:
    with open(_list_of_children(), "rb", buffering=0) as listed:  # noqa: PTH123  pathlib takes longer, for every run of a programmer
        return [int(pid) for pid in listed.readall().split()]


def _end_orphans(ended: Family | None) -> bool:
    """Looks at all orphans once: reaps the dead, and kills each living one that no running child can have started."""
    found = False
    assert _adoption is not None  # only adopting processes give marks
    for pid in _children():
        if pid in _running or pid in _adoption.children_before:
            continue
        process = Look.at(pid)
        if process is None:
            continue
        if process.dead:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            found = True
        elif _is_left_behind(process, ended):
            # The number is still this orphan's, since only this process reaps it.
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            found = True
    return found


def _is_left_behind(process: Look, ended: Family | None) -> bool:
    mark = process.mark
    if mark is not None:
        return all(mark != family.mark for family in _running.values())
    if any(family.has(process) for family in _running.values()):
        return False
    if ended is not None and ended.has(process):
        return True
    return all(process.began < family.began for family in _running.values())


def _end_all() -> None:
    deadline = time.monotonic() + GONE_WITHIN
    while _end_orphans(None) and time.monotonic() < deadline:
        time.sleep(0.002)
