# SPDX-License-Identifier: Apache-2.0
"""What /proc tells of a process, and the mark by which a child and all that it starts are known as a station's."""

import math
import os
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

MARK = "STATION_CHILD"
_FORM = re.compile(r"([0-9]{1,10})\.([0-9]{1,19})\.[0-9a-f]+(?:\.([0-9]{1,9}))?")
_TICKS = os.sysconf("SC_CLK_TCK")  # a second


@dataclass(frozen=True, slots=True)
class Look:
    """The facts about a process in /proc."""

    pid: int
    dead: bool
    group: int
    session: int
    began: int
    """In the kernel's ticks since the machine's start; with the number, it names one process for ever."""

    @classmethod
    def at(cls, pid: int) -> Self | None:
        """None where there is no such process any more."""
        try:
            # proc(5): the second field is the name in parentheses; the name itself may contain blanks and parentheses.
            _, _, rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:
            return None
        state, _, group, session, *more = rest.split()
        return cls(pid, state == "Z", int(group), int(session), int(more[15]))

    @property
    def age(self) -> float:
        """Seconds since it was started, by a clock that no person sets."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.began / _TICKS

    @property
    def numbered_as_here(self) -> bool:
        """Whether it is in this process's container, and may be looked at: numbers of processes mean others in another one."""
        try:
            return os.path.samestat(Path(f"/proc/{self.pid}/ns/pid").stat(), Path("/proc/self/ns/pid").stat())
        except OSError:
            return False

    @property
    def mark(self) -> str | None:
        """None if the environment has no mark, or cannot be read."""
        with suppress(OSError):
            for variable in Path(f"/proc/{self.pid}/environ").read_bytes().split(b"\0"):
                name, _, value = variable.partition(b"=")
                if name == MARK.encode():
                    return value.decode(errors="replace")
        return None

    @property
    def pipes(self) -> set[str]:
        found = set()
        for descriptor in self._descriptors():
            with suppress(OSError):
                found.add(os.readlink(descriptor))  # noqa: PTH115  a pipe's name is no path
        return found

    def has_open(self, file: os.stat_result) -> bool:
        """Whether it has this file open, by whatever name."""
        for descriptor in self._descriptors():
            with suppress(OSError):
                if os.path.samestat(descriptor.stat(), file):
                    return True
        return False

    def _descriptors(self) -> list[Path]:
        """Those that were open a moment ago; none of a process that may not be looked at."""
        with suppress(OSError):
            return list(Path(f"/proc/{self.pid}/fd").iterdir())
        return []


def fresh_mark(longest: float | None = None) -> str:
    """A mark for one child of this process. It tells of this process, too, so that a later one sees whether it lives.

    `longest`: the seconds for which this process lets the child run; the mark tells them to a later process.
    """
    mark = f"{_me()}.{secrets.token_hex(8)}"
    return mark if longest is None else f"{mark}.{math.ceil(longest)}"


def is_left_alone(mark: str) -> bool:
    """Whether the process that gave this mark has ended. A mark of another form is nobody's."""
    told = _FORM.fullmatch(mark)
    if told is None:
        return False
    giver = Look.at(int(told[1]))
    return giver is None or giver.dead or giver.began != int(told[2])


def longest_of(mark: str) -> int | None:
    """For how many seconds whoever gave this mark lets its child run; None where it does not say so."""
    told = _FORM.fullmatch(mark)
    return None if told is None or told[3] is None else int(told[3])


@cache
def _me() -> str:
    look = Look.at(os.getpid())
    assert look is not None
    return f"{look.pid}.{look.began}"
