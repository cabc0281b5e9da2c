"""Who holds a probe: a lock file whose descriptor the programmer inherits, so that one which outlives its daemon keeps it.

The next daemon then waits for that programmer, instead of starting a second one at the same probe.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

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
        path.unlink(
            missing_ok=True
        )  # while it is still held: who waits for it sees that its file has gone, and makes a new one
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
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
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
