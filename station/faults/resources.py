"""Which errors of the operating system mean that something has run out, whichever call met them. Pure."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from station.faults.line import ResourcesExhausted

EXHAUSTED = frozenset(
    {
        errno.EMFILE,  # this process has as many descriptors as it may have
        errno.ENFILE,  # and so has the machine
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.ENOSPC,  # no room on the disk, or no more watches for inotify
        errno.EDQUOT,
    }
)


def exhausted(call: str, exc: BaseException) -> ResourcesExhausted | None:
    """The fault that the error of this call means; None where nothing has run out."""
    number = getattr(exc, "errno", None)  # pyserial and aiohttp keep it on errors of their own
    return ResourcesExhausted(call, os.strerror(number)) if number in EXHAUSTED else None


def no_process(call: str, exc: OSError) -> ResourcesExhausted | None:
    """The same for a call that makes a process: EAGAIN is no invitation to call again then, but the end of a limit."""
    return ResourcesExhausted(call, os.strerror(exc.errno)) if exc.errno == errno.EAGAIN else exhausted(call, exc)


@contextmanager
def named(call: str) -> Iterator[None]:
    """Raises `ResourcesExhausted` for errors of the block that mean it; leaves the others alone."""
    try:
        yield
    except OSError as exc:
        if fault := exhausted(call, exc):
            raise fault from exc
        raise
