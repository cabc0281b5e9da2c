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

T = TypeVar("T")

SPAWNING_AT_ONCE = 2  # a spawn holds up the loop until the program is there: between two the other slots get their turn
LONGEST_LINE = 1 << 16
EMPTIED_WITHIN = 1.0  # seconds; where nobody reaps orphans they stay, dead, for ever
POLLING = 0.002  # seconds
OVERLAP = 256  # what a cut in a longer line repeats, so that no sentence is lost in the cut

_LINE_ENDS = re.compile(rb"[\r\n\b]+")  # a progress bar is redrawn by return or by backspace
_ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a process gets to end after SIGINT, and again after SIGTERM: one killed in a transfer wedges its probe."""

    interrupted: float = 10.0
    terminated: float = 10.0


class LineCutter:
    """Cuts a byte stream into lines of text, whatever sizes it arrives in; blank lines are left out."""

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> list[str]:
        *ended, self._partial = _LINE_ENDS.split(self._partial + data)
        if len(self._partial) > LONGEST_LINE:
            ended.append(self._partial)
            self._partial = self._partial[-OVERLAP:]
        return [text for raw in ended if (text := _text(raw))]

    def rest(self) -> list[str]:
        """What the stream ended with, if its last line has no end."""
        return self.feed(b"\n")


def _text(raw: bytes) -> str:
    return _ANSI.sub(b"", raw).decode("utf-8", errors="replace").rstrip()


class Child:
    """A running process in a group of its own, its standard output and error as one stream of lines."""

    def __init__(
        self, process: subprocess.Popen[bytes], sign: int, output: asyncio.StreamReader, pipe: asyncio.ReadTransport
    ) -> None:
        self._process = process
        self._sign = sign
        self._output = output
        self._pipe = pipe
        self._cutter = LineCutter()
        self._lines: deque[str] = deque()
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
    ) -> AsyncIterator[Self]:
        """Runs the command for the block; raises `OSError` where it cannot be started. It gets the descriptors `inherited`.

        What still runs at the block's end is interrupted, then terminated, then killed; once `gone` is set there is
        nothing left that a kill could harm, and it is killed at once.
        """
        async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(SPAWNING_AT_ONCE)):
            spawning, cancelled = await _to_the_end(_spawn(command, environment, inherited))
            if cancelled is not None and spawning.exception() is not None:
                raise cancelled
            child = cls(*spawning.result())
        try:
            if cancelled is not None:
                raise cancelled
            yield child
        finally:
            _, cancelled = await _to_the_end(child._stop(gone, patience))
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
        """The next line, without its end; None when there is no more."""
        while not self._lines:
            data = await self._output.read(LONGEST_LINE)
            self._lines.extend(self._cutter.feed(data) if data else self._cutter.rest())
            if not data and not self._lines:
                return None
        return self._lines.popleft()

    async def lines(self) -> AsyncIterator[str]:
        while (line := await self.line()) is not None:
            yield line

    async def _see_end(self) -> int:
        await _given(self._sign)
        self._signal(signal.SIGKILL)  # what it left behind holds the pipe open, and may hold the probe
        return self._process.wait()

    async def _stop(self, gone: asyncio.Event, patience: Patience) -> None:
        left = asyncio.ensure_future(gone.wait())  # `asyncio.wait` takes tasks; it ends with this function
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
            self._pipe.close()  # which a process that left the group may hold open

    async def _emptied(self) -> None:
        """Waits for the rest of the group, which a kill takes a moment to end; it holds what the process had open."""
        with suppress(TimeoutError, ProcessLookupError, PermissionError):
            async with asyncio.timeout(EMPTIED_WITHIN):
                while True:
                    os.killpg(self._process.pid, 0)
                    await asyncio.sleep(POLLING)

    def _signal(self, number: signal.Signals) -> None:
        # The group's number is not used again while one process of the group is left.
        with suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says the second of a zombie
            os.killpg(self._process.pid, number)


async def _spawn(
    command: Sequence[str], environment: Mapping[str, str], inherited: Sequence[int]
) -> tuple[subprocess.Popen[bytes], int, asyncio.StreamReader, asyncio.ReadTransport]:
    # Popen shares the memory until the program is there. uvloop's own way copies the daemon's page tables, and holds
    # up the loop for 13 ms instead of 0.2.
    process = subprocess.Popen(  # noqa: ASYNC220
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        restore_signals=False,  # SIGPIPE stays ignored: a transfer that outlives the daemon ends well, and wedges no probe
        pass_fds=tuple(inherited),
    )
    assert process.stdout is not None
    with ExitStack() as undo:
        undo.callback(process.wait)
        undo.callback(process.kill)
        undo.enter_context(process.stdout)
        sign = os.pidfd_open(process.pid)  # readable once the process has ended
        undo.callback(os.close, sign)
        output = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), process.stdout
        )
        undo.pop_all()
    return process, sign, output, pipe


async def _given(sign: int) -> None:
    """Waits until the child has ended. It is left to be reaped: until then nobody else gets its number."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sign, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(sign)
        os.close(sign)


async def _to_the_end(work: Coroutine[object, object, T]) -> tuple[asyncio.Task[T], asyncio.CancelledError | None]:
    """Waits until the work is done, however often that is cancelled. Returns it and the last cancellation.

    A task without a TaskGroup, which would cancel it: a spawn that is cut off leaks a process, and so does half a stop.
    """
    task = asyncio.ensure_future(work)
    cancelled = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as exc:
            cancelled = exc
    return task, cancelled
