# SPDX-License-Identifier: Apache-2.0
"""Checks that the operating system gives descriptors and processes, by taking some."""

import asyncio
import os
import resource
from contextlib import ExitStack

from station.adapters.system.child import Child, Patience
from station.faults.resources import named, no_process

DESCRIPTORS_AN_ATTEMPT = 16  # pipes, serial port, lock, connection, files: a dozen at once, at most

_FOLDER = "/"


async def check(slots: int) -> None:
    """Raises `ResourcesExhausted` where so many slots could not begin an attempt."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(DESCRIPTORS_AN_ATTEMPT, min(slots * DESCRIPTORS_AN_ATTEMPT, limit // 4))
    with named("open files"), ExitStack() as stack:
        for _ in range(wanted):
            stack.callback(os.close, os.open(_FOLDER, os.O_RDONLY | os.O_CLOEXEC))
    try:
        async with Child.started([_FOLDER], environment={}, gone=asyncio.Event(), patience=Patience()):
            pass
    except PermissionError:
        pass  # a folder is no program, but only a new process can notice that: so there was a process to be had
    except OSError as exc:
        if fault := no_process("start a process", exc):
            raise fault from exc
        raise
