"""STM32CubeProgrammer's command line, one process a probe at a time. It is believed only with proof.

Success needs exit status 0, no fault line, and for each file its own erase range, download and verification.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from station.adapters.child import Child, Patience
from station.adapters.cubeprogrammer_output import FileEvidence, Transcript
from station.adapters.secret_files import SecretFiles
from station.domain.target import UID, UID_ADDRESS, UID_SIZE, Region, Target
from station.faults import (
    BoardUnpowered,
    Fault,
    ProbeBusy,
    ProbeMissing,
    ProgrammerFailed,
    ProgrammerMissing,
    ProgrammerStuck,
    ProgrammerUnproven,
    TargetNotFound,
)
from station.recipe import Verify, Write

log = structlog.get_logger()

LOWEST_SUPPLY_MV = 2700
SLOWEST_RATE = 20 * 1024  # bytes a second; what takes longer is stuck
TRANSIENT = (TargetNotFound, ProbeBusy, ProbeMissing)  # a first connection may fail on a sound board
INTERNAL, EXTERNAL = ("internal", 0x08000000, 0x1000), ("external", 0x90000000, 0x10000)

Sink = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds."""

    connect_within: float = 15.0
    idle_within: float = 90.0
    """Without output for this long it is stuck: a dead external flash stalls it for minutes."""
    write_within: float = 60.0
    """On top of the time that the bytes take."""
    retry_pauses: tuple[float, ...] = (1.0, 3.0)
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the programmer is, and where it may leave secrets for a moment."""

    cli: Path
    external_loader: Path
    scratch: SecretFiles
    deadlines: Deadlines = field(default_factory=Deadlines)

    @property
    def environment(self) -> dict[str, str]:
        """A locale that prints decimal points and no warnings, and the tool's own libraries."""
        libraries = self.cli.parent.parent / "lib"
        found = {"LD_LIBRARY_PATH": str(libraries)} if libraries.is_dir() else {}
        return {"LC_ALL": "C.UTF-8", **found}


class CubeProgrammer:
    """Drives one probe (`ports.Programmer`). `gone` is set when it is pulled; `sink` keeps what the tool prints."""

    def __init__(self, installation: Installation, probe: str, gone: asyncio.Event, sink: Sink) -> None:
        self._installation = installation
        self._probe = probe
        self._gone = gone
        self._sink = sink
        self._turn = asyncio.Lock()

    async def identify(self) -> Target:
        """Connects without a reset. A connection that fails is tried again: nothing has been changed by it."""
        pauses = iter(self._installation.deadlines.retry_pauses)
        slower: list[str] = []
        while True:
            try:
                return _target(await self._first_connection(*slower))
            except TRANSIENT as fault:
                pause = next(pauses, None)
                if pause is None:
                    raise
                log.warning("retry.scheduled", fault=fault.code, seconds=pause)
                slower = ["freq=1000"]
            await asyncio.sleep(pause)

    async def _first_connection(self, *options: str) -> Transcript:
        read_uid = ["-r32", f"0x{UID_ADDRESS:08X}", str(UID_SIZE)]
        async with self.run("mode=HOTPLUG", *options, "-q", *read_uid, "-ob", "displ") as run:
            await run.to_its_end(self._installation.deadlines.connect_within)
            return run.transcript

    @asynccontextmanager
    async def invocation(self, *actions: Write | Region) -> AsyncIterator["Invocation"]:
        """One process that writes and reads in this order under reset, then resets the board."""
        async with AsyncExitStack() as stack:
            yield Invocation(self, self._installation, actions, stack)

    @asynccontextmanager
    async def run(self, *arguments: str) -> AsyncIterator["Run"]:
        """The programmer at this probe, with these arguments, for the block; nothing secret may be among them."""
        command = [str(self._installation.cli), "-c", "port=SWD", f"sn={self._probe}", *arguments]
        environment, patience = self._installation.environment, self._installation.deadlines.patience
        async with self._turn, AsyncExitStack() as stack:
            self._sink(f"# {datetime.now(UTC).isoformat(timespec='milliseconds')} {' '.join(command)}")
            try:
                child = await stack.enter_async_context(
                    Child.started(command, gone=self._gone, environment=environment, patience=patience)
                )
            except (FileNotFoundError, PermissionError) as exc:
                raise ProgrammerMissing(command[0], str(exc.strerror)) from exc
            yield Run(child, self._probe, self._sink, self._installation.deadlines.idle_within)


class Run:
    """One process of the programmer, and what it has printed so far."""

    def __init__(self, child: Child, probe: str, sink: Sink, idle_within: float) -> None:
        self.transcript = Transcript()
        self._child = child
        self._probe = probe
        self._sink = sink
        self._idle_within = idle_within
        self._ended = False

    async def until(self, proven: Callable[[], bool], within: float) -> None:
        """Returns once `proven`, or when the process has ended well; raises the fault that it ended by."""
        try:
            async with asyncio.timeout(within):
                # After an error nothing that follows counts; only the end tells what it was.
                while not self._ended and (self.transcript.errors or not proven()):
                    await self._take_line()
        except TimeoutError as exc:
            raise ProgrammerStuck(within) from exc

    async def to_its_end(self, within: float) -> None:
        """Returns when the process has ended well."""
        await self.until(lambda: False, within)

    async def _take_line(self) -> None:
        try:
            async with asyncio.timeout(self._idle_within):
                line = await self._child.line()
        except TimeoutError as exc:
            raise ProgrammerStuck(self._idle_within) from exc
        if line is not None:
            self._sink(line)
            self.transcript.feed(line)
            return
        self._ended = True
        self._sink(f"# exit status {self._child.status}")
        if fault := self._fault():
            raise fault

    def _fault(self) -> Fault | None:
        errors = self.transcript.errors
        if known := self.transcript.fault(self._probe):
            return known
        if errors or self._child.status:
            return ProgrammerFailed(self._child.status, errors[0] if errors else "no error was printed")
        return None


class Invocation:
    """One process whose actions are awaited in turn (`ports.Invocation`); it starts with the first."""

    def __init__(
        self,
        programmer: CubeProgrammer,
        installation: Installation,
        actions: Sequence[Write | Region],
        stack: AsyncExitStack,
    ) -> None:
        self._programmer = programmer
        self._installation = installation
        self._actions = list(actions)
        self._writes = [action for action in actions if isinstance(action, Write)]
        self._stack = stack
        self._read: dict[Region, Path] = {}
        self._run: Run | None = None

    async def written(self, write: Write) -> None:
        """Returns when erase, download and verification of this file are proven; the last action ends the process."""
        number = self._writes.index(write)
        run = await self._awaited(write, lambda files: len(files) > number and not _missing(files[number], write))
        files = run.transcript.files
        missing = _missing(files[number], write) if len(files) > number else "its write"
        if missing:
            raise ProgrammerUnproven(write.name, missing)

    async def read(self, region: Region) -> bytes:
        """What stands in the region."""
        number = sum(isinstance(action, Region) for action in self._actions[: self._actions.index(region) + 1])
        run = await self._awaited(region, lambda _: self._run is not None and self._run.transcript.reads >= number)
        path = self._read[region]
        if run.transcript.reads < number or not path.is_file() or path.stat().st_size != region.size:
            raise ProgrammerUnproven(f"read-back of 0x{region.address:08X}", "its bytes")
        return path.read_bytes()

    async def _awaited(self, action: Write | Region, proven: Callable[[list[FileEvidence]], bool]) -> Run:
        run = self._run = self._run or await self._started()
        within = self._installation.deadlines.write_within + action.size / SLOWEST_RATE
        if action is not self._actions[-1]:
            await run.until(lambda: proven(run.transcript.files), within)
            return run
        await run.to_its_end(within)
        if not run.transcript.was_reset:
            raise ProgrammerUnproven("reset", "the reset at the end")
        return run

    async def _started(self) -> Run:
        arguments = ["mode=UR", "reset=HWrst", "-q"]
        if any(isinstance(action, Region) or action.external for action in self._actions):
            arguments += ["-el", str(self._installation.external_loader)]
        for action in self._actions:
            arguments += self._reading(action) if isinstance(action, Region) else self._writing(action)
        return await self._stack.enter_async_context(self._programmer.run(*arguments, "-rst"))

    def _writing(self, write: Write) -> list[str]:
        path = write.content
        if isinstance(path, bytes):
            path = self._stack.enter_context(self._installation.scratch.holding(path))
        fast = ["fast"] if write.verify is Verify.FAST else []
        return ["-d", str(path), f"0x{write.address:08X}", "-v", *fast]

    def _reading(self, region: Region) -> list[str]:
        path = self._read[region] = self._stack.enter_context(self._installation.scratch.to_be_written())
        return ["-u", f"0x{region.address:08X}", str(region.size), str(path)]


def _target(transcript: Transcript) -> Target:
    """What the first connection proved; raises `ProgrammerUnproven` where a part of it is missing."""
    supply = transcript.supply_mv
    if supply is not None and supply < LOWEST_SUPPLY_MV:
        raise BoardUnpowered(f"{supply} mV")
    header, uid = transcript.header, transcript.uid
    device_id, protection = header.get("Device ID"), transcript.options.get("RDP")
    if supply is None or uid is None or device_id is None or protection is None:
        raise ProgrammerUnproven("first connection", "supply, device id, UID or read protection")
    return Target(
        uid=UID(uid),
        device_id=int(device_id, 16),
        revision=header.get("Revision ID", ""),
        supply_mv=supply,
        readout_protection=protection,
        probe_firmware=header.get("ST-LINK FW", ""),
        programmer_version=transcript.version,
    )


def _missing(file: FileEvidence, write: Write) -> str:
    """What is not proven of this write, in words; empty when all is."""
    memory, base, sector = EXTERNAL if write.external else INTERNAL
    first, last = ((address - base) // sector for address in (write.address, write.address + write.size - 1))
    if file.address != write.address:
        return "its address"
    if file.erased != (memory, first, last):
        return f"the erasure of {memory} sectors {first} to {last}"
    if not file.downloaded:
        return "its download"
    return "" if file.verified else "its verification"
