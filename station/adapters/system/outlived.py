# SPDX-License-Identifier: Apache-2.0
"""Processes that have outlived the station which started them, found by a file that they hold, and ended in order.

A station that is killed cannot end its children. One of them that hangs would keep its lock for ever, and nobody is
there to close it.
"""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from station.adapters.system.child import Patience
from station.adapters.system.descriptors import readable
from station.adapters.system.process import Look, is_left_alone, longest_of

_DEAD_WITHIN = 5.0  # seconds after SIGKILL; a process in an uninterruptible system call takes longer


@dataclass(frozen=True, slots=True)
class Outlived:
    """A process of a station that has ended."""

    process: Look
    longest: int
    """The seconds after its start at which its station would have ended it."""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return self.process.age

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.longest - self.age)

    async def end(self, patience: Patience) -> bool:
        """Interrupts, then terminates, then kills it, as its station would have. Returns whether it has ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            now = Look.at(self.pid)
            if now is None or now.dead or now.began != self.process.began:  # another process has its number by now
                return True
            for number, within in (
                (signal.SIGINT, patience.interrupted),
                (signal.SIGTERM, patience.terminated),
                (signal.SIGKILL, _DEAD_WITHIN),
            ):
                with suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(descriptor, number)
                with suppress(TimeoutError):
                    async with asyncio.timeout(within):
                        await readable(descriptor)
                        return True
            return False
        finally:
            os.close(descriptor)


def holding(path: Path) -> list[Outlived]:
    """The processes that have this file open, and whose station has ended; the oldest first.

    Only processes of this account and of this container show what they have open. One whose station did not say how long it
    may run is left alone.
    """
    try:
        file = path.stat()
    except FileNotFoundError:
        return []
    looks = (Look.at(int(each.name)) for each in Path("/proc").iterdir() if each.name.isdecimal())
    outlived = (each for look in looks if look is not None and (each := _outlived(look)) is not None)
    return sorted((each for each in outlived if each.process.has_open(file)), key=lambda each: each.process.began)


def _outlived(look: Look) -> Outlived | None:
    mark = look.mark if not look.dead and look.numbered_as_here else None
    if mark is None or (longest := longest_of(mark)) is None or not is_left_alone(mark):
        return None
    return Outlived(look, longest)
