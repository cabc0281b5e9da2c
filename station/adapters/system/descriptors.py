# SPDX-License-Identifier: Apache-2.0
"""Waiting for a descriptor that its owner keeps.

The loop watches the number for one wait at a time: after an error of the descriptor, such as an overflow of udev's events,
uvloop would never watch it again.
"""

import asyncio
import os


async def readable(descriptor: int) -> None:
    """Returns when there is something to read. Whoever cancels it loses nothing, since nothing is read here."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


class Watched:
    """A descriptor, such as a pipe's, for one wait after the other: the loop goes on watching it in between.

    It stops where there is more to read and nobody waits for it; whoever fills the pipe has to wait then, too.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._ready: asyncio.Future[None] | None = None
        self._is_watched = False

    async def readable(self) -> None:
        """See `readable`; at least one turn of the loop. For one caller at a time."""
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        if not self._is_watched:
            loop.add_reader(self.descriptor, self._tell)
            self._is_watched = True
        try:
            await self._ready
        finally:
            self._ready = None

    def close(self) -> None:
        self._forget()
        os.close(self.descriptor)
        self.descriptor = -1  # another process may have the number by now

    def _tell(self) -> None:
        if self._ready is None:
            self._forget()
        elif not self._ready.done():
            self._ready.set_result(None)

    def _forget(self) -> None:
        if self._is_watched:
            asyncio.get_running_loop().remove_reader(self.descriptor)
            self._is_watched = False
