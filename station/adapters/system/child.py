# SPDX-License-Identifier: Apache-2.0
"""Child processes: the one home of subprocesses. However a block ends, the process and all that it started are dead.

The caller pulls the output line by line. The rest stays in the pipe, so a process that prints faster has to wait.
"""

import asyncio
import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self, TypeVar
from weakref import WeakKeyDictionary

import structlog

from station.adapters.system import orphans
from station.adapters.system.descriptors import Watched, readable
from station.adapters.system.process import MARK

log = structlog.get_logger()

T = TypeVar("T")

# a spawn blocks the loop until the program runs; between two spawns the other slots get their turn
SPAWNING_AT_ONCE = 2
LONGEST_LINE = 1 << 12  # bytes: the greatest length of a path; a line of the programmer has about a hundred
OVERLAP = 256  # bytes that both pieces of a cut line share, so that the cut hides no sentence
READ_AT_ONCE = 1 << 12  # bytes taken from one process in one turn of the loop, so that the others get theirs
DROPPED_AT_ONCE = 1 << 16
DROPPING_EVERY = 0.01  # seconds: a process that prints without end waits at its full pipe, and takes no CPU time
EMPTIED_WITHIN = 1.0  # seconds; where init does not reap orphans, they stay as zombies for ever
POLLING = 0.002  # seconds

_LINE_ENDS = re.compile(rb"[\r\n\b]+")  # a progress bar is redrawn with carriage returns or backspaces
_ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to end after SIGINT, and again after SIGTERM: a process killed in a transfer wedges its probe."""

    interrupted: float = 10.0
    terminated: float = 10.0


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a process may print.

    A run of the programmer has about sixty lines; each line costs every slot some time.
    """

    size: int = 1 << 20  # bytes
    lines: int = 10_000

    def __str__(self) -> str:
        return f"{self.size} bytes or {self.lines} lines"


class OverBudget(Exception):
    """A process has printed more than its budget."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(f"it printed more than {budget}")


class LineCutter:
    """Cuts a byte stream, in pieces of any size, into lines of text; leaves out blank lines.

    A line that is longer than `LONGEST_LINE` comes in pieces.
    """

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> list[str]:
        *ended, begun = _LINE_ENDS.split(self._partial + data)
        if max(map(len, (*ended, begun))) <= LONGEST_LINE:
            self._partial = begun
        else:
            *cut_off, self._partial = _pieces(begun)
            ended = [*(piece for raw in ended for piece in _pieces(raw)), *cut_off]
        return [text for raw in ended if (text := _text(raw))]

    def rest(self) -> list[str]:
        """The last line of the stream, if it has no line end."""
        return self.feed(b"\n")


def _pieces(raw: bytes) -> list[bytes]:
    starts = range(0, max(1, len(raw) - OVERLAP), LONGEST_LINE - OVERLAP)
    return [raw[start : start + LONGEST_LINE] for start in starts]


def _text(raw: bytes) -> str:
    plain = _ANSI.sub(b"", raw) if b"\x1b" in raw else raw
    return plain.decode("utf-8", errors="replace").rstrip()


class Child:
    """A running process in a group of its own, its standard output and by default its standard error as one stream of lines.

    It owns two descriptors, and closes them when the loop no longer watches them.
    """

    def __init__(self, process: subprocess.Popen[bytes], sign: int, output: int, mark: str, budget: Budget) -> None:
        self._process = process
        self._sign = sign
        self._output = Watched(output)
        self._budget = budget
        self._family = orphans.Family.begun(process.pid, mark, output)
        self._cutter = LineCutter()
        self._lines: deque[str] = deque()
        self._heard_size = self._heard_lines = 0
        # A task without a TaskGroup: it lives exactly as long as the process, whose end `started` awaits.
        self._ended = asyncio.ensure_future(self._see_end())

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        gone: asyncio.Event,
        patience: Patience,
        inherited: Sequence[int] = (),
        budget: Budget = Budget(),
        reads: int = subprocess.DEVNULL,
        complains: int = subprocess.STDOUT,
        longest: float | None = None,
    ) -> AsyncIterator[Self]:
        """Runs the command for the block; raises `OSError` where it cannot be started.

        It gets the descriptors `inherited`, and has `reads` as its standard input and `complains` as its standard error;
        the caller keeps and closes them all. A process that still runs at the block's end is interrupted, then
        terminated, then killed. Once `gone` is set, it is killed at once: the board is pulled, so a kill can harm
        nothing. `longest` are the seconds after which the caller ends it; a later station does so if this one is killed.
        """
        async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(SPAWNING_AT_ONCE)):
            await asyncio.sleep(0)  # the last point where a cancellation leaves no process behind
            child = cls(*_spawn(command, environment, inherited, reads, complains, longest), budget)
        try:
            yield child
        finally:
            if child._is_over():
                child._output.close()
            elif cancelled := await _to_the_end(child._stop(gone, patience)):
                raise cancelled

    @property
    def status(self) -> int | None:
        """The exit status; None while the process runs, the negative signal number if a signal killed it."""
        return self._process.returncode

    async def ended(self) -> int:
        """Waits for the process to end. Returns its exit status."""
        if self._ended.done():
            return self._ended.result()
        return await asyncio.shield(self._ended)  # a cancelled caller does not cancel the watch

    async def line(self) -> str | None:
        """The next line, without its end; None when there is no more. Raises `OverBudget`."""
        while not self._lines:
            data = await _read(self._output, READ_AT_ONCE)
            self._heard_size += len(data)
            if self._heard_size > self._budget.size:  # also where nothing of it is a line
                raise OverBudget(self._budget)
            self._lines.extend(self._cutter.feed(data) if data else self._cutter.rest())
            if not data and not self._lines:
                return None
        return self.line_at_hand()

    def line_at_hand(self) -> str | None:
        """The next line, if it has come already; else None. Raises `OverBudget`."""
        if not self._lines:
            return None
        self._heard_lines += 1
        if self._heard_lines > self._budget.lines:
            raise OverBudget(self._budget)
        return self._lines.popleft()

    async def raw(self) -> AsyncIterator[bytes]:
        """The output as it comes, for programs whose output is no text in lines. Raises `OverBudget` after the last piece within it."""
        while data := await _read(self._output, READ_AT_ONCE):
            self._heard_size += len(data)
            yield data
            if self._heard_size > self._budget.size:
                raise OverBudget(self._budget)

    async def lines(self) -> AsyncIterator[str]:
        while (line := await self.line()) is not None:
            yield line

    async def _see_end(self) -> int:
        try:
            await readable(self._sign)
        finally:
            os.close(self._sign)
        # The process is not yet reaped, so no other process has its number.
        self._signal(signal.SIGKILL)  # processes that it left behind hold the pipe open, and may hold the probe
        status = self._process.wait()
        self._family.end()
        return status

    async def _stop(self, gone: asyncio.Event, patience: Patience) -> None:
        # `asyncio.wait` needs tasks; both end with this function.
        left, dropping = asyncio.ensure_future(gone.wait()), asyncio.ensure_future(self._drop_output())
        try:
            for number, within in ((signal.SIGINT, patience.interrupted), (signal.SIGTERM, patience.terminated)):
                if gone.is_set() or self._ended.done():
                    break
                self._signal(number)
                await asyncio.wait({self._ended, left}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            # otherwise the group was already killed, and another process may have its number by now
            if not self._ended.done():
                self._signal(signal.SIGKILL)
            await self._ended
            await self._emptied()
        finally:
            left.cancel()
            dropping.cancel()
            await asyncio.wait({dropping})  # nobody must wait at a closed descriptor
            self._output.close()

    async def _drop_output(self) -> None:
        """Discards output so that the process can finish: at a full pipe it would wait for a reader."""
        while await _read(self._output, DROPPED_AT_ONCE):  # noqa: ASYNC110  a pause, not a look: see DROPPING_EVERY
            await asyncio.sleep(DROPPING_EVERY)

    async def _emptied(self) -> None:
        """Waits until the killed rest of the family has ended, since it holds the files that the process had open."""
        try:
            async with asyncio.timeout(EMPTIED_WITHIN):
                while not self._is_over():  # noqa: ASYNC110  no event reports the end of a group
                    await asyncio.sleep(POLLING)
        except TimeoutError:
            if orphans.are_adopted():  # its processes may be dead, and not yet reaped by init
                log.warning("process.left_behind", pid=self._process.pid)

    def _is_over(self) -> bool:
        """Whether the process and all that it started have ended; kills those of them that outlive it."""
        return self.status is not None and not self._family.end() and not self._group_lives()

    def _group_lives(self) -> bool:
        with suppress(ProcessLookupError, PermissionError):  # macOS raises PermissionError for a zombie
            os.killpg(self._process.pid, 0)
            return True
        return False

    def _signal(self, number: signal.Signals) -> None:
        # The kernel does not reuse the group's number while one process of the group is left. With none left, macOS
        # raises PermissionError for a zombie.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _spawn(
    command: Sequence[str],
    environment: Mapping[str, str],
    inherited: Sequence[int],
    reads: int,
    complains: int,
    longest: float | None,
) -> tuple[subprocess.Popen[bytes], int, int, str]:
    """Starts the process.

    Returns it with two descriptors, one that becomes readable at its end and its output, and its mark.
    """
    mark = orphans.new_mark(longest)
    with ExitStack() as undo:
        output, printing = os.pipe()
        undo.callback(os.close, output)
        os.set_blocking(output, False)
        try:
            # Popen shares the daemon's memory until the program runs. uvloop's own spawn copies the daemon's page
            # tables, which blocks the loop for 13 ms instead of 0.2.
            process = subprocess.Popen(
                command,
                env={**environment, MARK: mark} if mark else environment,
                stdin=reads,
                stdout=printing,
                stderr=complains,
                start_new_session=True,
                restore_signals=False,  # SIGPIPE stays ignored, so that a transfer which outlives the daemon completes
                pass_fds=tuple(inherited),
            )
        finally:
            os.close(printing)
        undo.callback(process.wait)
        undo.callback(process.kill)
        sign = os.pidfd_open(process.pid)
        undo.pop_all()
    return process, sign, output, mark


async def _read(pipe: Watched, size: int) -> bytes:
    """The bytes in the pipe, after one turn of the loop; empty once the pipe's other end is closed."""
    while True:
        await pipe.readable()
        with suppress(BlockingIOError):
            return os.read(pipe.descriptor, size)


async def _to_the_end(work: Coroutine[object, object, None]) -> asyncio.CancelledError | None:
    """Waits until the work is done, however often the caller is cancelled. Returns the last cancellation.

    A task without a TaskGroup, since a TaskGroup would cancel it: an interrupted stop leaks a process.
    """
    task = asyncio.ensure_future(work)
    cancelled = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            cancelled = exc
    task.result()
    return cancelled
