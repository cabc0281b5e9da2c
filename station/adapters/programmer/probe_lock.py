# SPDX-License-Identifier: Apache-2.0
"""Locks on slots and probes: lock files that all stations of a machine share.

The programmer inherits the descriptor of its probe's lock, so that a programmer which outlives its daemon keeps the
lock. The next daemon then waits for that programmer, instead of starting a second one at the same probe, and ends it
when it has had as long as its own daemon would have given it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import structlog

from station.adapters.system import file_lock, outlived
from station.adapters.system.child import Patience
from station.adapters.system.file_lock import LockHeld
from station.domain.usb_port import one_spelling
from station.faults.line import ResourcesExhausted, SlotTaken
from station.faults.resources import named
from station.faults.slot import ProbeBusy

log = structlog.get_logger()

_LOOK_EVERY = 0.1
MOST_LEFT = 128  # files: those of the boards on a full line, and of as many that were there


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long whoever has a probe's lock is waited for, in seconds."""

    within: float
    """For a program that no station has left behind."""
    patience: Patience = Patience()  # noqa: RUF009  frozen
    """With a programmer that has outlived its daemon, and has had as long as that would have given it."""


@asynccontextmanager
async def held(folder: Path, probe: str, waiting: Waiting) -> AsyncIterator[int]:
    """Holds this probe's lock for the block, as a descriptor to be inherited; raises `ProbeBusy`.

    The file stays for the board's next run, and goes after those of many other boards.
    """
    path = folder / f"{probe}.lock"
    descriptor = await _awaited(path, probe, waiting)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
        _leave(path)


def check_free(folder: Path, probe: str) -> None:
    """Raises `ProbeBusy` while a programmer of any station has this probe."""
    path = folder / f"{probe}.lock"
    descriptor = _try(path)
    if descriptor is None:
        raise ProbeBusy(probe)
    file_lock.give_back(path, descriptor)


class Claims:
    """Locks on the slots that this process uses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, tuple[Path, int]] = {}

    def take(self, slot: str) -> None:
        """Takes a slot's lock; raises `SlotTaken` while another process has it."""
        path = self._folder / f"slot-{quote(one_spelling(slot), safe='')}.lock"
        try:
            descriptor = _locked(path)
        except LockHeld as exc:
            raise SlotTaken(slot, exc.holder) from exc
        before, self._held[slot] = self._held.get(slot), (path, descriptor)
        if before is not None:
            os.close(before[1])

    def check(self) -> None:
        """Locks every slot again whose lock file was removed; raises `SlotTaken` if another process was faster."""
        for slot, (path, descriptor) in self._held.items():
            if not file_lock.is_at(path, descriptor):
                self.take(slot)

    def give_up(self) -> None:
        while self._held:
            _, (path, descriptor) = self._held.popitem()
            file_lock.give_back(path, descriptor)


@contextmanager
def claimed(folder: Path, slots: Iterable[str]) -> Iterator[Claims]:
    """Reserves the slots at these USB ports for this process, for the block; raises `SlotTaken`.

    A probe's lock is held for one run of the programmer only, so it would let two stations take turns at one board.
    """
    claims = Claims(folder)
    try:
        for slot in slots:
            claims.take(slot)
        yield claims
    finally:
        claims.give_up()
        while _left:
            _remove(next(iter(_left)))


_left: dict[Path, None] = {}
"""The lock files that this process has left for a next run, the latest last."""


def _leave(path: Path) -> None:
    """Leaves a file that is not locked any more: to make and remove it for each of a board's runs would cost far more than to open it."""
    _left.pop(path, None)
    _left[path] = None
    if len(_left) > MOST_LEFT:
        _remove(next(iter(_left)))


def _remove(path: Path) -> None:
    """Removes a file that was left, unless somebody has locked it since."""
    del _left[path]
    with suppress(ResourcesExhausted, OSError):
        if (descriptor := _try(path)) is not None:
            file_lock.give_back(path, descriptor)


async def _awaited(path: Path, probe: str, waiting: Waiting) -> int:
    while (descriptor := _try(path)) is None:
        programmers = await asyncio.to_thread(outlived.holding, path)
        seconds = max((each.seconds_left for each in programmers), default=waiting.within)
        log.warning("probe.awaited", probe=probe, seconds=round(seconds, 1))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await _unlocked(path)
        if not programmers and not await asyncio.to_thread(
            outlived.holding, path
        ):  # its station may have ended meanwhile
            raise ProbeBusy(probe)
        for programmer in programmers:
            log.warning("probe.freed", probe=probe, pid=programmer.pid, seconds=round(programmer.age, 1))
            if not await programmer.end(waiting.patience):
                raise ProbeBusy(probe)
    return descriptor


async def _unlocked(path: Path) -> int:
    while (descriptor := _try(path)) is None:  # noqa: ASYNC110  no event reports the end of a lock
        await asyncio.sleep(_LOOK_EVERY)
    return descriptor


def _try(path: Path) -> int | None:
    """The descriptor of the locked file; None while another process holds the lock."""
    try:
        return _locked(path)
    except LockHeld:
        return None


def _locked(path: Path) -> int:
    with named(f"open {path}"):
        return file_lock.lock_file(path, _opened)


def _opened(path: Path) -> int:
    """Opens the lock file for reading, which is enough to lock it: stations of several accounts share the folder."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o1777)  # as in /tmp, every account may make a lock file, and only its owner may remove it
    while True:
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
            os.fchmod(descriptor, 0o644)  # whatever this process's mask is
            return descriptor
