"""Locks on slots and probes: lock files that all stations of a machine share.

The programmer inherits the descriptor of its probe's lock, so that a programmer which outlives its daemon keeps the
lock. The next daemon then waits for that programmer, instead of starting a second one at the same probe.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import structlog

from station.adapters.system import flock
from station.domain.usb_port import one_spelling
from station.faults.line import SlotTaken
from station.faults.resources import named
from station.faults.slot import ProbeBusy

log = structlog.get_logger()

_LOOK_EVERY = 0.1


@asynccontextmanager
async def held(folder: Path, probe: str, within: float) -> AsyncIterator[int]:
    """The lock of this probe for the block, as a descriptor to be inherited; raises `ProbeBusy`."""
    path = folder / f"{probe}.lock"
    descriptor = _try(path)
    if descriptor is None:
        log.warning("probe.awaited", probe=probe, seconds=within)
        descriptor = await _wait(path, probe, within)
    try:
        yield descriptor
    finally:
        _give_up(path, descriptor)


@contextmanager
def claimed(folder: Path, slots: Iterable[str]) -> Iterator[None]:
    """The slots at these USB ports, for this process alone for the block; raises `SlotTaken`.

    A probe's lock is held for one run of the programmer only, so it would let two stations take turns at one board.
    """
    with ExitStack() as stack:
        for slot in slots:
            path = folder / f"slot-{quote(one_spelling(slot), safe='')}.lock"
            descriptor = _try(path)
            if descriptor is None:
                raise SlotTaken(slot, _holder(path))
            stack.callback(_give_up, path, descriptor)
        yield


def _holder(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return "another process"
    try:
        return flock.holder(descriptor)
    finally:
        os.close(descriptor)


async def _wait(path: Path, probe: str, within: float) -> int:
    try:
        async with asyncio.timeout(within):
            while (descriptor := _try(path)) is None:  # noqa: ASYNC110  no event reports the end of a lock
                await asyncio.sleep(_LOOK_EVERY)
    except TimeoutError as exc:
        raise ProbeBusy(probe) from exc
    return descriptor


def _try(path: Path) -> int | None:
    """The descriptor of the locked file; None while another process holds the lock."""
    with named(f"open {path}"):
        descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    with suppress(FileNotFoundError):
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    os.close(descriptor)  # the file was unlinked by its last holder between our two calls
    return None


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


def _give_up(path: Path, descriptor: int) -> None:
    """Unlinks the file while it is still locked: a waiting process sees that its file is gone, and makes a new one."""
    with suppress(FileNotFoundError, PermissionError):  # the file belongs to another account, and stays
        path.unlink()
    os.close(descriptor)
