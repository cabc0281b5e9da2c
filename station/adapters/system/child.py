"""Child processes: the one home of subprocesses. However a block ends, the process and all that it started are dead.

Output is pulled line by line, and what is not pulled stays in the pipe: a talkative process waits.
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

log = structlog.get_logger()

T = TypeVar("T")

SPAWNING_AT_ONCE = 2  # a spawn holds up the loop until the program is there: between two the other slots get their turn
LONGEST_LINE = 1 << 12  # bytes: as much as a path may have, and a line of the programmer has a hundred
OVERLAP = 256  # what a cut in a longer line repeats, so that no sentence is lost in the cut
READ_AT_ONCE = 1 << 12  # bytes: what one process may cost the others in one turn of the loop
DROPPED_AT_ONCE = 1 << 16
DROPPING_EVERY = 0.01  # seconds: a process that prints without end waits in its pipe, and takes no processor
EMPTIED_WITHIN = 1.0  # seconds; where nobody reaps orphans they stay, dead, for ever
POLLING = 0.002  # seconds

_LINE_ENDS = re.compile(rb"[\r\n\b]+")  # a progress bar is redrawn by return or by backspace
_ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a process gets to end after SIGINT, and again after SIGTERM: one killed in a transfer wedges its probe."""

    interrupted: float = 10.0
    terminated: float = 10.0


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a process may print. A run of the programmer has about sixty lines; each costs every slot a moment."""

    size: int = 1 << 20  # bytes
    lines: int = 10_000

    def __str__(self) -> str:
        return f"{self.size} bytes or {self.lines} lines"


class OverBudget(Exception):
    """A process has printed more than it may."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(f"it printed more than {budget}")


class LineCutter:
    """Cuts a byte stream into lines of text, whatever sizes it arrives in; blank lines are left out.

    A line that is longer than `LONGEST_LINE` comes in pieces.
    """

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> list[str]:
        *ended, begun = _LINE_ENDS.split(self._partial + data)
        *cut_off, self._partial = _pieces(begun)
        pieces = (piece for raw in ended for piece in _pieces(raw))
        return [text for piece in (*pieces, *cut_off) if (text := _text(piece))]

    def rest(self) -> list[str]:
        """What the stream ended with, if its last line has no end."""
        return self.feed(b"\n")


def _pieces(raw: bytes) -> list[bytes]:
    starts = range(0, max(1, len(raw) - OVERLAP), LONGEST_LINE - OVERLAP)
    return [raw[start : start + LONGEST_LINE] for start in starts]


def _text(raw: bytes) -> str:
    return _ANSI.sub(b"", raw).decode("utf-8", errors="replace").rstrip()


class Child:
    """A running process in a group of its own, its standard output and error as one stream of lines.

    It alone closes the two descriptors that it has, when the loop watches them no more.
    """

    def __init__(self, process: subprocess.Popen[bytes], sign: int, output: int, mark: str, budget: Budget) -> None:
        self._process = process
        self._sign = sign
        self._output = output
        self._budget = budget
        self._family = orphans.Family.begun(process.pid, mark, output)
        self._cutter = LineCutter()
        self._lines: deque[str] = deque()
        self._heard_size = self._heard_lines = 0
        # A task without a TaskGroup: it lives exactly as long as the process, which `started` sees to the end.
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
    ) -> AsyncIterator[Self]:
        """Runs the command for the block; raises `OSError` where it cannot be started. It gets the descriptors `inherited`.

        What still runs at the block's end is interrupted, then terminated, then killed; once `gone` is set there is
        nothing left that a kill could harm, and it is killed at once.
        """
        async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(SPAWNING_AT_ONCE)):
            await asyncio.sleep(0)  # the last point where a cancellation leaves no process behind
            child = cls(*_spawn(command, environment, inherited), budget)
        try:
            yield child
        finally:
            cancelled = await _to_the_end(child._stop(gone, patience))
            if cancelled is not None:
                raise cancelled

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs, and a signal's number, negative, for what was killed by one."""
        return self._process.returncode

    async def ended(self) -> int:
        """Waits for the process to end. Returns its exit status."""
        return await asyncio.shield(self._ended)  # who gives up waiting does not end the watch

    @property
    def has_line(self) -> bool:
        """Whether the next line is at hand, so that nobody has to wait for it."""
        return bool(self._lines)

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
        self._heard_lines += 1
        if self._heard_lines > self._budget.lines:
            raise OverBudget(self._budget)
        return self._lines.popleft()

    async def lines(self) -> AsyncIterator[str]:
        while (line := await self.line()) is not None:
            yield line

    async def _see_end(self) -> int:
        try:
            await _readable(self._sign)
        finally:
            os.close(self._sign)
        # It is not yet reaped: until then nobody else gets its number.
        self._signal(signal.SIGKILL)  # what it left behind holds the pipe open, and may hold the probe
        status = self._process.wait()
        self._family.end()
        return status

    async def _stop(self, gone: asyncio.Event, patience: Patience) -> None:
        # Tasks for `asyncio.wait`, which end with this function.
        left, dropping = asyncio.ensure_future(gone.wait()), asyncio.ensure_future(self._drop_output())
        try:
            for number, within in ((signal.SIGINT, patience.interrupted), (signal.SIGTERM, patience.terminated)):
                if gone.is_set() or self._ended.done():
                    break
                self._signal(number)
                await asyncio.wait({self._ended, left}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            if not self._ended.done():  # else the group was killed then, and its number may be another's by now
                self._signal(signal.SIGKILL)
            await self._ended
            await self._emptied()
        finally:
            left.cancel()
            dropping.cancel()
            await asyncio.wait({dropping})  # the loop must not watch a number that is closed
            os.close(self._output)
            self._output = -1  # the number may be another's by now

    async def _drop_output(self) -> None:
        """Lets the process end what it is at: with a full pipe it would wait for a reader."""
        while await _read(self._output, DROPPED_AT_ONCE):  # noqa: ASYNC110  a pause, not a look: see DROPPING_EVERY
            await asyncio.sleep(DROPPING_EVERY)

    async def _emptied(self) -> None:
        """Waits for the rest of the family, which a kill takes a moment to end; it holds what the process had open."""
        try:
            async with asyncio.timeout(EMPTIED_WITHIN):
                while self._family.end() or self._group_lives():  # noqa: ASYNC110  the end of a group makes no event
                    await asyncio.sleep(POLLING)
        except TimeoutError:
            if orphans.are_adopted():  # else it may be dead, and init has not yet looked
                log.warning("process.left_behind", pid=self._process.pid)

    def _group_lives(self) -> bool:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the second of a zombie
            os.killpg(self._process.pid, 0)
            return True
        return False

    def _signal(self, number: signal.Signals) -> None:
        # The group's number is not used again while one process of the group is left.
        with suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says the second of a zombie
            os.killpg(self._process.pid, number)


def _spawn(
    command: Sequence[str], environment: Mapping[str, str], inherited: Sequence[int]
) -> tuple[subprocess.Popen[bytes], int, int, str]:
    """The process, a descriptor that is readable once it has ended, that of its output, and its mark."""
    mark = orphans.new_mark()
    with ExitStack() as undo:
        output, printing = os.pipe()
        undo.callback(os.close, output)
        os.set_blocking(output, False)
        try:
            # Popen shares the memory until the program is there. uvloop's own way copies the daemon's page tables, and
            # holds up the loop for 13 ms instead of 0.2.
            process = subprocess.Popen(
                command,
                env={**environment, orphans.MARK: mark} if mark else environment,
                stdin=subprocess.DEVNULL,
                stdout=printing,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                restore_signals=False,  # SIGPIPE stays ignored: a transfer that outlives the daemon ends well
                pass_fds=tuple(inherited),
            )
        finally:
            os.close(printing)
        undo.callback(process.wait)
        undo.callback(process.kill)
        sign = os.pidfd_open(process.pid)
        undo.pop_all()
    return process, sign, output, mark


async def _readable(descriptor: int) -> None:
    """Waits until there is something to be read. The loop watches the descriptor no longer than this takes."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def _read(descriptor: int, size: int) -> bytes:
    """What is in the pipe, in a turn of the loop of its own; nothing once its other end is closed."""
    while True:
        await _readable(descriptor)
        with suppress(BlockingIOError):
            return os.read(descriptor, size)


async def _to_the_end(work: Coroutine[object, object, None]) -> asyncio.CancelledError | None:
    """Waits until the work is done, however often that is cancelled. Returns the last cancellation.

    A task without a TaskGroup, which would cancel it: a stop that is cut off leaks a process.
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
