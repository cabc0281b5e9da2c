# SPDX-License-Identifier: Apache-2.0
"""Locks on slots and probes: lock files that all stations of a machine share.

The programmer inherits the descriptor of its probe's lock, so that a programmer which outlives its daemon keeps the
lock. The next daemon then waits for that programmer, instead of starting a second one at the same probe, and ends it
when it has had as long as its own daemon would have given it.
"""

import asyncio
import os
import time
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
from station.faults.line import SlotTaken
from station.faults.resources import named
from station.faults.slot import ProbeBusy

log = structlog.get_logger()

_LOOK_EVERY = 0.1
_TOLD_APART = (
    1_000_000_000  # nanoseconds: of two changes of a folder that are closer, the later may have the earlier's time
)


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

    The file stays, since the probe has three runs a board: to make it for each costs far more than to open it.
    """
    descriptor = await _awaited(folder / f"{probe}.lock", probe, waiting)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def check_free(folder: Path, probe: str) -> None:
    """Raises `ProbeBusy` while a programmer of any station has this probe."""
    descriptor = _try(folder / f"{probe}.lock")
    if descriptor is None:
        raise ProbeBusy(probe)
    os.close(descriptor)


class Claims:
    """Locks on the slots that this process uses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, tuple[Path, int]] = {}
        self._looked_at: int | None = None  # the time of the folder's last change, if all locks were there after it

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
        """Locks every slot again whose lock file was removed; raises `SlotTaken` if another process was faster.

        Looks at the folder alone as long as no file has come to it or gone from it.
        """
        changed = self._changed()
        if changed is not None and changed == self._looked_at:
            return
        self._looked_at = None
        for slot, (path, descriptor) in self._held.items():
            if not file_lock.is_at(path, descriptor):
                self.take(slot)
        if changed is not None and 0 <= changed < time.time_ns() - _TOLD_APART:
            self._looked_at = changed

    def _changed(self) -> int | None:
        """When the folder was changed last, in nanoseconds; None if it is gone."""
        try:
            return self._folder.stat().st_mtime_ns
        except OSError:
            return None

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
