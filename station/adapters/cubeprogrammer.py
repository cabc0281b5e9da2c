"""STM32_Programmer_CLI as a `Programmer`: argument lists, deadlines, retries, and the proofs that each run must give.

It takes secrets by file only: none is ever in an argument.
"""

import asyncio
import os
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Self
from weakref import WeakValueDictionary

import structlog

from station.adapters import probe_lock
from station.adapters.child import Child, Patience
from station.adapters.cubeprogrammer_output import (
    EXTERNAL_BASE,
    FileWritten,
    MemoryRead,
    Transcript,
    is_memory_dump,
    redacted,
)
from station.adapters.secret_files import SecretFiles, SecretFolder
from station.domain.policy import RETRY_PAUSES, consequence
from station.domain.target import UID, UID_ADDRESS, UID_SIZE, Region, Target
from station.faults import (
    Fault,
    LockUnproven,
    ProgrammerMissing,
    ProgrammerStuck,
    ProgrammerUnproven,
    TargetLocked,
    TargetRefused,
)
from station.ports import Invocation
from station.recipe import Lock, Verify, Write

log = structlog.get_logger()

RECORDED_LINES = 2000  # a run has about sixty; more is a tool gone wild
SLOW = ("freq=1000",)  # kHz: a long or worn contact may fail at the default, which is 4,000 or more
SLOWNESS = 8  # that much longer everything may take then


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. A write or read may take its memory's seconds and those of its size."""

    connect_within: float = 15.0
    idle_within: float = 90.0  # without a line: a dead QSPI flash stalls for minutes
    internal_within: float = 20.0
    external_within: float = 60.0
    bytes_per_second: float = 20 * 1024
    option_bytes_within: float = 30.0
    probe_within: float = 60.0  # for a programmer that outlived its daemon
    retry_pauses: tuple[float, ...] = RETRY_PAUSES
    patience: Patience = Patience()  # noqa: RUF009  frozen

    def of(self, action: Write | Region) -> float:
        base = self.external_within if _is_external(action) else self.internal_within
        return base + action.size / self.bytes_per_second

    def slowed(self) -> Self:
        return replace(self, bytes_per_second=self.bytes_per_second / SLOWNESS)


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the programmer stands, where it may leave secrets for a moment, and how long it may take."""

    cli: Path
    external_loader: Path
    scratch: SecretFiles
    locks: Path
    deadlines: Deadlines = Deadlines()

    @property
    def environment(self) -> dict[str, str]:
        """What the tool needs and no more: neither the station's settings nor its supervisor's socket are for it."""
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
        libraries = self.cli.parent.parent / "lib"
        bundled = {"LD_LIBRARY_PATH": str(libraries)} if libraries.is_dir() else {}
        return {**kept, "LC_ALL": "C.UTF-8", **bundled}  # in other locales it writes commas, and Qt complains


# One process a probe at a time, also when a board moves on to another slot before its last run has ended.
_probes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


class CubeProgrammer:
    """Drives one probe. `gone` tells that board and probe were pulled; `record` gets the text of every run."""

    def __init__(
        self, installation: Installation, probe: str, gone: asyncio.Event, record: Callable[[str], None]
    ) -> None:
        self._installation = installation
        self._deadlines = installation.deadlines
        self._probe = probe
        self._gone = gone
        self._record = record
        self._alone = _probes.setdefault(probe, asyncio.Lock())

    async def identify(self) -> Target:
        """Connects without a reset, which could hit a firmware in the middle of a write, and tells what the board is."""
        uid = ("-r32", f"0x{UID_ADDRESS:08X}", str(UID_SIZE))
        async with self._connected(("mode=HOTPLUG",), (*uid, "-ob", "displ")) as run:
            await run.until_end(run.deadlines.connect_within)
            if fault := run.fault:
                raise fault
            return run.transcript.target()

    @asynccontextmanager
    async def invocation(self, *actions: Write | Region) -> AsyncIterator[Invocation]:
        """Writes and reads in this order under reset, then resets the board; starts with the first awaited action."""
        with self._installation.scratch.folder() as folder:
            plan = [_Planned.of(number, action, folder) for number, action in enumerate(actions, start=1)]
            loader = ("-el", str(self._installation.external_loader)) if any(map(_is_external, actions)) else ()
            arguments = (*loader, *chain.from_iterable(planned.arguments for planned in plan), "-rst")
            async with AsyncExitStack() as stack:

                async def start() -> "_Run":
                    return await stack.enter_async_context(self._connected(("mode=UR", "reset=HWrst"), arguments))

                progress = _Progress(plan, start)
                yield progress
                progress.check_all_awaited()

    async def lock(self, lock: Lock, uid: UID) -> None:
        """Sets the option bytes and reads them back, of this board, in a second connection; raises `LockUnproven`.

        What is read back decides: the first run loses the board for a moment, and may complain of that.
        """
        wanted = [f"{name}=0x{value:X}" for name, value in lock.option_bytes.items()]
        async with self._connected(("mode=UR", "reset=HWrst"), ("-ob", *wanted)) as run:
            await run.until_end(run.deadlines.option_bytes_within)
        try:
            target = await self.identify()
        except (TargetRefused, TargetLocked):
            if lock.closes_for_ever and run.fault is None and "option_bytes_set" in run.transcript.facts:
                return  # nobody gets in any more: that is level 2
            raise
        if difference := lock.difference(target):
            raise run.fault or difference
        if target.uid != uid:
            raise LockUnproven("UID", str(uid), str(target.uid))

    @asynccontextmanager
    async def _connected(self, mode: Sequence[str], arguments: Sequence[str]) -> AsyncIterator["_Run"]:
        """A process that has connected to the target; what failed before that, and may be transient, is tried again."""
        pauses = self._deadlines.retry_pauses
        options: tuple[str, ...] = ()
        async with self._alone:
            for retries in count():
                connect = ("-c", "port=SWD", f"sn={self._probe}", *mode, *options, "-q")
                deadlines = self._deadlines.slowed() if options else self._deadlines
                async with self._started([str(self._installation.cli), *connect, *arguments], deadlines) as run:
                    if await run.connects():
                        yield run
                        return
                fault = run.fault or ProgrammerUnproven("connection", "Device ID")
                retry = consequence(fault).retry
                if retries >= min(retry.times, len(pauses)):
                    raise fault
                log.warning("retry.scheduled", probe=self._probe, fault=fault.code, seconds=pauses[retries])
                await asyncio.sleep(pauses[retries])
                options = SLOW if retry.slower else ()

    @asynccontextmanager
    async def _started(self, command: Sequence[str], deadlines: Deadlines) -> AsyncIterator["_Run"]:
        recording = _Recording(command)
        locks, within = self._installation.locks, deadlines.probe_within
        try:
            async with probe_lock.held(locks, self._probe, within) as lock, AsyncExitStack() as stack:
                starting = Child.started(
                    command,
                    environment=self._installation.environment,
                    gone=self._gone,
                    patience=self._deadlines.patience,
                    inherited=[lock],
                )
                try:
                    child = await stack.enter_async_context(starting)
                except OSError as exc:
                    raise ProgrammerMissing(command[0], exc.strerror or type(exc).__name__) from exc
                recording.child = child
                yield _Run(child, self._probe, deadlines, recording)
        finally:
            self._record(recording.text())


class _Run:
    """One process of the programmer: what it has said, and whether it has ended."""

    def __init__(self, child: Child, probe: str, deadlines: Deadlines, recording: "_Recording") -> None:
        self.transcript = Transcript()
        self.deadlines = deadlines
        self._child = child
        self._probe = probe
        self._recording = recording
        self._exit_status: int | None = None

    @property
    def ended(self) -> bool:
        return self._exit_status is not None

    @property
    def fault(self) -> Fault | None:
        """What the ended run tells; it is not judged before, since a first failure may be followed by a second try."""
        return None if self._exit_status is None else self.transcript.fault(self._probe, self._exit_status)

    async def connects(self) -> bool:
        """Reads until the target has answered, or until the process has ended without."""
        await self.until(lambda: self.transcript.connected, self.deadlines.connect_within)
        return self.transcript.connected

    async def until_end(self, within: float) -> None:
        await self.until(lambda: False, within)

    async def until(self, enough: Callable[[], bool], within: float) -> None:
        """Reads until there is enough or the process has ended; raises `ProgrammerStuck`."""
        try:
            async with asyncio.timeout(within):
                while not enough() and not self.ended:
                    await self._read_on()
        except TimeoutError as exc:
            raise ProgrammerStuck(within) from exc

    async def _read_on(self) -> None:
        line = await (
            self._child.line() if self._child.has_line else self._next_line()
        )  # a deadline for each is costly
        if line is not None:
            self.transcript.feed(line)
            self._recording.take(line)

    async def _next_line(self) -> str | None:
        idle_within = self.deadlines.idle_within
        try:
            async with asyncio.timeout(idle_within):
                line = await self._child.line()
                if line is None:
                    self._exit_status = await self._child.ended()
                return line
        except TimeoutError as exc:
            raise ProgrammerStuck(idle_within) from exc


@dataclass(frozen=True, slots=True)
class _Planned:
    """An action and the file that its content is written from, or read into."""

    action: Write | Region
    path: Path

    @classmethod
    def of(cls, number: int, action: Write | Region, folder: SecretFolder) -> Self:
        if isinstance(action, Region):
            return cls(action, folder.path(f"{number}-read-back.bin"))
        name = action.name.replace(" ", "-")
        return cls(action, folder.written(f"{number}-{name}.bin", action.content))  # the programmer goes by the ending

    @property
    def name(self) -> str:
        return self.action.name if isinstance(self.action, Write) else f"read of 0x{self.action.address:08X}"

    @property
    def arguments(self) -> tuple[str, ...]:
        address = f"0x{self.action.address:08X}"
        if isinstance(self.action, Region):
            return ("-u", address, f"0x{self.action.size:X}", str(self.path))
        fast = ("fast",) if self.action.verify is Verify.FAST else ()
        return ("-d", str(self.path), address, "-v", *fast)  # a "-v" is for the one write before it

    def missing(self, item: FileWritten | MemoryRead | None) -> str | None:
        """The first proof that is missing; None when the action is proven."""
        match self.action, item:
            case Write() as write, FileWritten():
                return item.missing(write, self.path.name)
            case Region() as region, MemoryRead():
                return item.missing(region)
            case _:
                return "any line about it"


class _Progress:
    """The `Invocation` of one block."""

    def __init__(self, plan: Sequence[_Planned], start: Callable[[], Awaitable[_Run]]) -> None:
        self._plan = plan
        self._start = start
        self._run: _Run | None = None
        self._awaited = 0

    async def written(self, write: Write) -> None:
        await self._prove(write)

    async def read(self, region: Region) -> bytes:
        planned = await self._prove(region)
        content = planned.path.read_bytes() if planned.path.exists() else b""
        if len(content) != region.size:
            raise ProgrammerUnproven(planned.name, f"{region.size} bytes, there are {len(content)}")
        if _is_external(region) and not any(content):
            # Erased flash reads FF. Without its loader the tool reads zeros at these addresses, and reports success.
            raise ProgrammerUnproven(planned.name, "any byte but 00")
        return content

    def check_all_awaited(self) -> None:
        """What was not awaited was not proven, and may have been cut off."""
        if self._awaited < len(self._plan):
            raise ValueError(f"the block ended before {self._plan[self._awaited].name} was awaited")

    async def _prove(self, action: Write | Region) -> _Planned:
        """Waits until the next action, which this must be, is proven; behind the last the whole run must be."""
        number = self._awaited
        if number == len(self._plan) or self._plan[number].action != action:
            raise ValueError("actions are awaited once, in the order in which they were given")
        self._awaited += 1
        planned, last = self._plan[number], self._awaited == len(self._plan)
        run = self._run = self._run or await self._start()
        transcript = run.transcript
        transcript.check_connected()

        def missing() -> str | None:
            return planned.missing(transcript.items[number] if number < len(transcript.items) else None)

        def proven() -> bool:
            # A complaint is judged when the run has ended, and a file that was read is whole when the next action began.
            settled = isinstance(action, Write) or len(transcript.items) > self._awaited
            return settled and not last and not transcript.complaints and missing() is None

        await run.until(proven, run.deadlines.of(action))
        if run.ended:
            if fault := run.fault:
                raise fault
            if lack := missing():
                raise ProgrammerUnproven(planned.name, lack)
            if last and "reset" not in transcript.facts:
                raise ProgrammerUnproven(planned.name, "reset of the board")
        return planned


class _Recording:
    """The text of one run, for whoever asks later what the programmer said; without what stood in memory."""

    def __init__(self, command: Sequence[str]) -> None:
        self.child: Child | None = None
        self._lines = [f"{_now()} started: {shlex.join(command)}"]
        self._left_out = 0

    def take(self, line: str) -> None:
        if is_memory_dump(line) or len(self._lines) > RECORDED_LINES:
            self._left_out += 1
        else:
            self._lines.append(redacted(line))

    def text(self) -> str:
        status = self.child.status if self.child else None
        end = "never ran" if status is None else f"exit status {status}"
        left_out = [f"{self._left_out} lines left out"] if self._left_out else []
        return "\n".join((*self._lines, *left_out, f"{_now()} ended: {end}"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _is_external(action: Write | Region) -> bool:
    return action.external if isinstance(action, Write) else action.address >= EXTERNAL_BASE
