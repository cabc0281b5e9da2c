# SPDX-License-Identifier: Apache-2.0
"""Recognises the operating system's errors which mean that a resource has run out, whichever call raised them. Pure."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from station.faults.line import ResourcesExhausted

EXHAUSTED = frozenset(
    {
        errno.EMFILE,  # this process may open no more descriptors
        errno.ENFILE,  # the machine may open no more
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.ENOSPC,  # no room on the disk, or no more watches for inotify
        errno.EDQUOT,
    }
)


def exhausted(call: str, exc: BaseException) -> ResourcesExhausted | None:
    """The fault, if this call's error means that a resource has run out; else None. `call` says what was tried."""
    number = getattr(exc, "errno", None)  # pyserial and aiohttp keep it on errors of their own
    return ResourcesExhausted(call, os.strerror(number)) if number in EXHAUSTED else None


def no_process(call: str, exc: OSError) -> ResourcesExhausted | None:
    """Like `exhausted`, for a call that starts a process, where EAGAIN means that the limit of processes is reached."""
    return ResourcesExhausted(call, os.strerror(exc.errno)) if exc.errno == errno.EAGAIN else exhausted(call, exc)


@contextmanager
def named(call: str) -> Iterator[None]:
    """Turns the block's errors into `ResourcesExhausted` if a resource has run out; passes other errors on."""
    try:
        yield
    except OSError as exc:
        if fault := exhausted(call, exc):
            raise fault from exc
        raise
