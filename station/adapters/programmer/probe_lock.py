"""Who works at a slot, and who holds a probe: lock files that all stations of a machine have in common.

The programmer inherits the descriptor of its probe's lock, so that one which outlives its daemon keeps it. The next daemon
then waits for that programmer, instead of starting a second one at the same probe.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
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


class Claims:
    """The slots that this process has for itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def take(self, slot: str) -> None:
        """Raises `SlotTaken` while another process has it."""
        path = self._path(slot)
        descriptor = _try(path)
        if descriptor is None:
            raise SlotTaken(slot, _holder(path))
        before, self._held[slot] = self._held.get(slot), descriptor
        if before is not None:
            os.close(before)

    def check(self) -> None:
        """Takes a slot anew whose lock file somebody has removed; raises `SlotTaken` where another process was faster."""
        for slot, descriptor in self._held.items():
            if not _is_at(self._path(slot), descriptor):
                self.take(slot)

    def give_up(self) -> None:
        while self._held:
            slot, descriptor = self._held.popitem()
            if _is_at(self._path(slot), descriptor):
                _give_up(self._path(slot), descriptor)
            else:
                os.close(descriptor)

    def _path(self, slot: str) -> Path:
        return self._folder / f"slot-{quote(one_spelling(slot), safe='')}.lock"


@contextmanager
def claimed(folder: Path, slots: Iterable[str]) -> Iterator[Claims]:
    """The slots at these USB ports, for this process alone for the block; raises `SlotTaken`.

    A probe's lock is held for one run of the programmer only, so it would let two stations take turns at one board.
    """
    claims = Claims(folder)
    try:
        for slot in slots:
            claims.take(slot)
        yield claims
    finally:
        claims.give_up()


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
            while (descriptor := _try(path)) is None:  # noqa: ASYNC110  the end of a lock makes no event
                await asyncio.sleep(_LOOK_EVERY)
    except TimeoutError as exc:
        raise ProbeBusy(probe) from exc
    return descriptor


def _try(path: Path) -> int | None:
    """The descriptor of the locked file; None while somebody else holds it."""
    with named(f"open {path}"):
        descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if _is_at(path, descriptor):
        return descriptor
    os.close(descriptor)  # the file was unlinked by its last holder between our two calls
    return None


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _opened(path: Path) -> int:
    """For reading is enough to lock it: stations of several accounts share the folder, which is as /tmp is."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o1777)  # everybody may make a lock, and nobody take another's away
    while True:
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
            os.fchmod(descriptor, 0o644)  # whatever this process's mask is
            return descriptor


def _give_up(path: Path, descriptor: int) -> None:
    """Unlinked while it is still held: who waits for it sees that its file has gone, and makes a new one."""
    with suppress(FileNotFoundError, PermissionError):  # another account's file stays
        path.unlink()
    os.close(descriptor)
