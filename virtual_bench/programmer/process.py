# SPDX-License-Identifier: Apache-2.0
"""The programmer's process: it prints, takes time, and can be stopped."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from virtual_bench.bench.bench import Bench
from virtual_bench.board.stop import DEAF_TO, KILLED, Stop
from virtual_bench.faults.armed import Fault
from virtual_bench.hub.translator import Translator
from virtual_bench.programmer import output


class Stopped(Exception):
    """A signal or the loss of the board ends the process."""

    def __init__(self, how: Stop) -> None:
        super().__init__(how.status)
        self.how = how


class Failed(Exception):
    """The tool ends with an error; the text is its error lines."""


class Process:
    """Output and time of one process. Every wait of the process is a `pause`, which `stop` can interrupt."""

    def __init__(self, bench: Bench, pid: int, directory: Path, write: Callable[[bytes], None]) -> None:
        self.bench = bench
        self.pid = pid
        self.directory = directory
        self.profile = bench.profile  # until the process has a board
        self.translator: Translator | None = None  # the translator of that board's probe
        self.quiet = False
        self.deaf_to: tuple[Stop, ...] = ()
        self.modelled = 0.0  # seconds that the process should have taken by the model, at time scale 1
        self._write = write
        self._log: BinaryIO | None = None
        self._due = bench.clock.now()
        self._stop: Stop | None = None
        self._stopped = asyncio.Event()
        self._pause: asyncio.Future[None] | None = None

    def stop(self, how: Stop) -> None:
        """Ends the process at its present or next pause, unless it ignores this signal."""
        if how not in self.deaf_to:
            self._stop = self._stop or how
            self._stopped.set()
            if self._pause is not None:
                _end(self._pause)

    def say(self, text: str, end: str = "\n") -> None:
        """Prints, and flushes at once as the tool does."""
        said = text + end
        if self.bench.version.windows:
            said = said.replace("\n", "\r\n")
        data = said.encode("utf-8", "surrogateescape")
        self._write(data)
        if self._log is not None:
            self._log.write(data)

    def log_to(self, path: str) -> None:
        """Copies all further output into a file, too. Raises Failed."""
        try:
            self._log = (self.directory / path).open("wb", buffering=0)
        except OSError as exc:
            raise Failed(f"Error: {path} cannot be opened") from exc
        self.say(f"Log output file:   {path}")

    def close(self) -> None:
        if self._log is not None:
            self._log.close()

    def show_progress(self, done: float) -> None:
        """Redraws the progress bar; the quiet mode has none."""
        if not self.quiet:
            self.say(output.bar(done, self.bench.version), end="")

    async def pause(self, seconds: float) -> None:
        """Waits, counting from the moment when the last pause should have ended. Raises Stopped."""
        self.modelled += seconds
        self._due += self.bench.clock.scaled(seconds)
        if self._stop is None:
            loop = asyncio.get_running_loop()
            self._pause = (
                loop.create_future()
            )  # a board has some sixty pauses, and asyncio.timeout costs several times this
            alarm = loop.call_at(self._due, _end, self._pause)
            try:
                await self._pause
            finally:
                alarm.cancel()
        if self._stop is not None:  # also in the turn of the loop in which the pause ended
            raise Stopped(self._stop)

    def using_usb(self, rate: float) -> AbstractContextManager[None]:
        """Counts the process among the USB's transfers, at this rate, for the block."""
        return nullcontext() if self.translator is None else self.translator.used(rate)

    async def transfer(self, size: int, rate: float, then: float = 0.0) -> None:
        """Moves bytes between host and probe, at this rate if the hub lets it, and waits on. Raises Stopped."""
        if self.translator is None:
            await self.pause(size / rate + then)
        else:
            await self.translator.carry(size, rate, self.pause)
            await self.pause(then)

    async def hang_as(self, fault: Fault) -> None:
        """Hangs, and ignores the signals that the fault names. Raises Stopped."""
        self.deaf_to = DEAF_TO[fault.text("deaf_to")]
        await self.hang()

    async def hang(self) -> None:
        """Does nothing until it is stopped. Raises Stopped."""
        await self._stopped.wait()
        raise Stopped(self._stop or KILLED)


def _end(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)
