# SPDX-License-Identifier: Apache-2.0
"""Measures a line's processes from outside: CPU time of each without its children, and memory. Linux only."""

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
EVERY = 0.025
LOOKED_FOR_EVERY = 0.1
_PROCESS_CLOCK = 2  # clock_getcpuclockid(3): the scheduler's nanoseconds, all threads, no children

ROLES = {
    "daemon": re.compile(r"\bstation\0run\0"),
    "bench": re.compile(r"\bvirtual_bench\0serve\0"),
    "pki": re.compile(r"\bdevelopment_pki\0serve\0"),
}


def cpu_seconds(pid: int) -> float:
    """CPU time of a process; raises `OSError` once the process is gone."""
    return time.clock_gettime((~pid << 3) | _PROCESS_CLOCK)


def children_seconds(pid: int) -> float:
    """CPU time of the children that have ended and were waited for; raises `OSError` once the process is gone."""
    # The process name, before the last parenthesis, may contain anything.
    fields = (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> int:
    """The peak of resident memory in bytes; 0 once the process is gone."""
    try:
        status = (PROC / str(pid) / "status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else 0


def find(folder: Path) -> dict[str, int]:
    """The processes of the line in this folder, by role."""
    found = {}
    for place in PROC.glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        for role, pattern in ROLES.items():
            if f"\0{folder}" in words and pattern.search(words):
                found[role] = int(place.parent.name)
    return found


@dataclass
class Watch:
    """Samples of one process: the time, its CPU time, and the CPU time of its ended children."""

    seen: list[tuple[float, float, float]] = field(default_factory=list)
    memory: int = 0

    def cpu_between(self, start: float, end: float) -> tuple[float, float]:
        """CPU seconds of the process and of its ended children between two moments (Unix time), to within one sample.

        Raises `ValueError` if the samples do not cover both moments.
        """
        if not self.seen or self.seen[0][0] > start or self.seen[-1][0] < end:
            raise ValueError("the process was not watched for the whole time")
        before = max(look for look in self.seen if look[0] <= start)
        after = min(look for look in self.seen if look[0] >= end)
        return after[1] - before[1], after[2] - before[2]


@contextmanager
def watched(folder: Path) -> Iterator[Mapping[str, Watch]]:
    """Samples the line's processes for the block, from a thread, as soon as they exist."""
    watches = {role: Watch() for role in ROLES}
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(folder, watches, over), name="watch")
    thread.start()
    try:
        yield watches
    finally:
        over.set()
        thread.join()


def _watch(folder: Path, watches: Mapping[str, Watch], over: threading.Event) -> None:
    pids: dict[str, int] = {}
    while len(pids) < len(ROLES) and not over.wait(LOOKED_FOR_EVERY):
        pids = find(folder)
        _look(pids, watches)
    while not over.wait(EVERY):
        _look(pids, watches)


def _look(pids: Mapping[str, int], watches: Mapping[str, Watch]) -> None:
    for role, pid in pids.items():
        try:
            used, of_children = cpu_seconds(pid), children_seconds(pid)
        except OSError:
            continue
        watches[role].seen.append((time.time(), used, of_children))
        watches[role].memory = max(watches[role].memory, peak_memory(pid))
