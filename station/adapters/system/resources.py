# SPDX-License-Identifier: Apache-2.0
"""Checks that file descriptors and processes are available, by taking some."""

import asyncio
import os
import resource
from contextlib import ExitStack

from station.adapters.system.child import Child, Patience
from station.faults.resources import named, no_process

DESCRIPTORS_AN_ATTEMPT = 16  # pipes, serial port, lock, connection, files: a dozen at once, at most

_FOLDER = "/"


async def check(slots: int) -> None:
    """Raises `ResourcesExhausted` if the resources do not suffice for an attempt in each of `slots` slots."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(DESCRIPTORS_AN_ATTEMPT, min(slots * DESCRIPTORS_AN_ATTEMPT, limit // 4))
    with named("open files"), ExitStack() as stack:
        for _ in range(wanted):
            stack.callback(os.close, os.open(_FOLDER, os.O_RDONLY | os.O_CLOEXEC))
    try:
        async with Child.started([_FOLDER], environment={}, gone=asyncio.Event(), patience=Patience()):
            pass
    except PermissionError:
        pass  # a folder cannot be executed, but only a new process finds that out: so a process was available
    except OSError as exc:
        if fault := no_process("start a process", exc):
            raise fault from exc
        raise
