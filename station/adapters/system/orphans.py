"""Orphans: what a child process started and left behind, out of its process group. This process adopts, finds, kills and reaps them.

The one home of prctl(2). Who has started an orphan is told by a mark in its environment, by its group, or by the pipe that it
holds; where none of them tells it, by its age: it is left alone as long as another child may have started it.
"""

import ctypes
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

log = structlog.get_logger()

MARK = "STATION_CHILD"
GONE_WITHIN = 1.0  # seconds
_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class _Adoption:
    """That this process adopts, which is a property of the process as a whole."""

    children_before: frozenset[int]


_adoption: _Adoption | None = None
_running: dict[int, "Family"] = {}


@contextmanager
def adopted() -> Iterator[None]:
    """For the block, orphans become children of this process. No child but `Child`'s may be started meanwhile."""
    global _adoption  # noqa: PLW0603  the kernel keeps one flag a process
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


def new_mark() -> str:
    """For the environment of the next child, and of no other; empty where orphans are not adopted."""
    return secrets.token_hex(8) if are_adopted() else ""


@dataclass(frozen=True, slots=True)
class Family:
    """A child, and all that it has started."""

    child: int
    mark: str
    pipe: str
    began: int

    @classmethod
    def begun(cls, child: int, mark: str, output: int) -> Self:
        """The family of a child that has just been started, whose output is read from this pipe."""
        if not mark:
            return cls(child, "", "", 0)
        look = _Look.at(child)
        family = cls(child, mark, f"pipe:[{os.fstat(output).st_ino}]", look.began if look else 0)
        _running[child] = family
        return family

    def end(self) -> bool:
        """Kills and reaps the orphans of a child that has been reaped. Whether there were any: then there may be more."""
        if _running.get(self.child) is self:  # the number may be another child's by now
            del _running[self.child]
        return _end_orphans(self) if self.mark else False

    def has(self, process: "_Look") -> bool:
        return self.child in {process.group, process.session} or self.pipe in process.pipes


@dataclass(frozen=True, slots=True)
class _Look:
    """What /proc tells of a process."""

    pid: int
    dead: bool
    group: int
    session: int
    began: int

    @classmethod
    def at(cls, pid: int) -> Self | None:
        """None where there is no such process any more."""
        try:
            # proc(5): the second field is the name in parentheses, which may have blanks and parentheses itself.
            _, _, rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:
            return None
        state, _, group, session, *more = rest.split()
        return cls(pid, state == "Z", int(group), int(session), int(more[15]))

    @property
    def mark(self) -> str | None:
        """None where its environment has none, or is not to be seen."""
        with suppress(OSError):
            for variable in Path(f"/proc/{self.pid}/environ").read_bytes().split(b"\0"):
                name, _, value = variable.partition(b"=")
                if name == MARK.encode():
                    return value.decode(errors="replace")
        return None

    @property
    def pipes(self) -> set[str]:
        found = set()
        with suppress(OSError):
            for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
                with suppress(OSError):  # it was closed between our two looks
                    found.add(os.readlink(descriptor))  # noqa: PTH115  a pipe's name is no path
        return found


def _adopt(value: int) -> str | None:
    """Why it cannot be done; None where it is done."""
    if sys.platform != "linux":
        return f"{sys.platform} has no way to adopt them"
    if not _list_of_children().exists():
        return f"{_list_of_children()} is not there"
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, value, 0, 0, 0):
        return f"PR_SET_CHILD_SUBREAPER: {os.strerror(ctypes.get_errno())}"
    return None


def _list_of_children() -> Path:
    return Path(f"/proc/self/task/{os.getpid()}/children")  # of the first thread, to which orphans go


def _children() -> list[int]:
    return [int(pid) for pid in _list_of_children().read_text(encoding="ascii").split()]


def _end_orphans(ended: Family | None) -> bool:
    """One look at all orphans. A dead one is nobody's any more; a living one is killed if nobody that runs can have started it."""
    found = False
    assert _adoption is not None  # a mark is given only then
    for pid in _children():
        if pid in _running or pid in _adoption.children_before:
            continue
        process = _Look.at(pid)
        if process is None:
            continue
        if process.dead:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            found = True
        elif _is_left_behind(process, ended):
            # Its number is still its own: only this process reaps it.
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            found = True
    return found


def _is_left_behind(process: _Look, ended: Family | None) -> bool:
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
