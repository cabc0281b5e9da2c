"""Child processes: the one home of subprocesses. Whatever is started here is dead when its block ends, however it ends."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Generic, Self, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

MAX_LINE = 1 << 16
_CHUNK = 1 << 14
_BREAK = re.compile(rb"[\r\n\x08]+")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

# uvloop forks on the loop's thread: more spawns at once than this stall every slot.
_SPAWNS_AT_ONCE = 2
_spawning: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a child gets to end after SIGINT, and again after SIGTERM, before its group is killed."""

    interrupted: float = 10.0
    terminated: float = 10.0


class Child:
    """A running process group, and what its leader prints."""

    def __init__(self, process: asyncio.subprocess.Process, gone: asyncio.Event, patience: Patience) -> None:
        self._process = process
        self._gone = gone
        self._patience = patience
        self._partial = b""
        self._lines: list[str] = []

    @classmethod
    @asynccontextmanager
    async def started(
        cls, command: Sequence[str], *, gone: asyncio.Event, environment: Mapping[str, str], patience: Patience
    ) -> AsyncIterator[Self]:
        """Runs `command` for the block, in a group of its own; `OSError` where it cannot be started.

        A child that is still there when the block ends is asked to stop, since a transfer that is torn off wedges its
        probe. Once `gone` is set there is no probe left to wedge, and it is killed at once.
        """
        spawned = await _spawned(command, environment)
        child = cls(spawned.value, gone, patience)
        try:
            spawned.raise_cancellation()
            yield child
        finally:
            (await _to_the_end(child._stop())).raise_cancellation()

    @property
    def status(self) -> int:
        """The exit status; known once `line` has returned None."""
        if self._process.returncode is None:
            raise ValueError("the child has not ended")
        return self._process.returncode

    async def line(self) -> str | None:
        """The next line that is not empty; None when the child has ended. A progress bar's steps are lines."""
        assert self._process.stdout is not None
        while not self._lines:
            chunk = await self._process.stdout.read(_CHUNK)
            if not chunk:
                rest, self._partial = self._partial, b""
                if rest.strip():
                    return _text(rest)
                await self._process.wait()
                return None
            *ended, self._partial = _BREAK.split(self._partial + chunk)
            if len(self._partial) > MAX_LINE:
                ended.append(self._partial)
                self._partial = b""
            self._lines = [_text(line) for line in ended if line.strip()]
        return self._lines.pop(0)

    async def _stop(self) -> None:
        for number, within in (
            (signal.SIGINT, self._patience.interrupted),
            (signal.SIGTERM, self._patience.terminated),
        ):
            if self._process.returncode is not None or self._gone.is_set():
                break
            self._signal(number)
            await self._ended_or_gone(within)
        self._signal(signal.SIGKILL)  # the leader if it is stubborn, and whoever else is left of its group
        await self._process.wait()

    async def _ended_or_gone(self, within: float) -> None:
        async with asyncio.TaskGroup() as group:
            either = {group.create_task(self._process.wait()), group.create_task(self._gone.wait())}
            await asyncio.wait(either, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            for task in either:
                task.cancel()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # the group has ended by itself
            os.killpg(self._process.pid, number)


async def _spawned(command: Sequence[str], environment: Mapping[str, str]) -> "_Settled[asyncio.subprocess.Process]":
    turns = _spawning.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_SPAWNS_AT_ONCE))
    async with turns:
        # A spawn that is cancelled half-way leaks its child, so it is carried to its end.
        return await _to_the_end(
            asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        )


@dataclass(frozen=True, slots=True)
class _Settled(Generic[T]):
    """What came of work that no cancellation could stop, and the cancellation that tried."""

    value: T
    cancellation: asyncio.CancelledError | None

    def raise_cancellation(self) -> None:
        if self.cancellation is not None:
            raise self.cancellation


async def _to_the_end(work: Coroutine[object, object, T]) -> _Settled[T]:
    """Awaits `work` in spite of cancellations: the one place here that needs a bare task."""
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})  # unlike an await of the task, it does not pass the cancellation on
        except asyncio.CancelledError as exc:
            cancellation = exc
    return _Settled(task.result(), cancellation)


def _text(line: bytes) -> str:
    return _ANSI.sub("", line.decode("utf-8", errors="replace"))
