# SPDX-License-Identifier: Apache-2.0
"""The program of `[andon]`, which gets lines on its standard input: how it starts, is fed, and is found not to read.

Nothing here waits for it. docs/operating.md has its contract.
"""

import asyncio
import fcntl
import io
import os
import struct
import termios
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Self

from station.adapters.system import environment
from station.adapters.system.child import Child, OverBudget, Patience
from station.adapters.system.shown import shown

ENDS_WITHIN = 1.0  # seconds after the end of its input, in which it makes the lamp dark; then come the signals
PATIENCE = Patience(interrupted=1.0, terminated=1.0)
UNREAD_FOR = 10  # looks at the pipe, one with each beat
SAID = 200  # characters


class LampLost(Exception):
    """The program cannot be started, has ended, or does not read; the text says which."""


class Lamp:
    """One running program, with the writing end of its standard input."""

    def __init__(self, child: Child, feed: io.FileIO) -> None:
        self._child = child
        self._feed = feed
        self._said = ""
        self._given = self._taken = 0  # bytes
        self._unread = 0  # looks in a row that found it had read nothing of what was there

    @classmethod
    @asynccontextmanager
    async def lit(cls, command: Sequence[str]) -> AsyncIterator[Self]:
        """The running program, for the block; its input ends first, and it is killed if that does not end it. Raises `LampLost`."""
        async with AsyncExitStack() as stack:
            try:
                reads, feeds = os.pipe()
                feed = stack.enter_context(io.FileIO(feeds, "wb"))
                os.set_blocking(feeds, False)
                try:
                    child = await stack.enter_async_context(
                        Child.started(
                            command,
                            environment=environment.for_others(),
                            gone=asyncio.Event(),
                            patience=PATIENCE,
                            reads=reads,
                        )
                    )
                finally:
                    os.close(reads)  # so that a program which has ended is noticed
            except OSError as exc:
                raise LampLost(f"{command[0]} cannot be started: {exc.strerror}") from exc
            lamp = cls(child, feed)
            stack.push_async_callback(lamp._end_input)
            yield lamp

    def tell(self, line: bytes) -> None:
        """Gives it a line. Raises `LampLost` where there is no room for it."""
        try:
            written = self._feed.write(line) or 0
        except BrokenPipeError:  # it has ended, which `listen` finds next, or has closed its input
            raise LampLost(self._last_words("reads its standard input no more")) from None
        self._given += written
        if written < len(line):
            raise LampLost(self._last_words("does not read its standard input, and the pipe is full"))

    def look(self) -> None:
        """Raises `LampLost` if it has read nothing for several looks, although there was something to read."""
        (waiting,) = struct.unpack("i", fcntl.ioctl(self._feed.fileno(), termios.FIONREAD, bytes(4)))
        taken = self._given - waiting
        self._unread = self._unread + 1 if waiting and taken == self._taken else 0
        self._taken = taken
        if self._unread >= UNREAD_FOR:
            raise LampLost(self._last_words(f"has read nothing for {self._unread} beats"))

    async def listen(self, within: float) -> None:
        """Takes what it prints, for so many seconds. Raises `LampLost` at its end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._to_its_end()

    async def _end_input(self) -> None:
        self._feed.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDS_WITHIN):
                await self._child.ended()

    async def _to_its_end(self) -> None:
        try:
            async for line in self._child.lines():
                self._said = line
        except OverBudget as exc:
            raise LampLost(f"the program was ended, since {exc}") from exc
        status = await self._child.ended()
        raise LampLost(
            self._last_words(f"ended by signal {-status}" if status < 0 else f"ended with exit status {status}")
        )

    def _last_words(self, what: str) -> str:
        return f"the program {what}" + (f": {shown(self._said, SAID)}" if self._said else "")
