# SPDX-License-Identifier: Apache-2.0
"""One run of STM32_Programmer_CLI: its probe, its deadlines, its connection, and the record of its output."""

import asyncio
import os
import shlex
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Protocol, Self
from weakref import WeakValueDictionary

import structlog

from station.adapters.programmer import probe_lock
from station.adapters.programmer.output import Transcript
from station.adapters.programmer.output_line import Line, line_of
from station.adapters.programmer.tool_version import environment_of
from station.adapters.system.child import Budget, Child, OverBudget, Patience
from station.adapters.system.secret_files import SecretFiles
from station.domain.memory_map import EXTERNAL_FLASH, UID_ADDRESS
from station.domain.policy import RETRY_PAUSES, consequence
from station.domain.product import Write
from station.domain.target import UID, UID_SIZE, Region
from station.faults import Fault
from station.faults.line import FlashLoaderMissing, ProgrammerMissing
from station.faults.resources import no_process
from station.faults.slot import ProbeBusy, ProgrammerStuck, ProgrammerUnproven
from station.faults.unit import FlashEraseFailed
from station.interfaces import Traffic

log = structlog.get_logger()

RECORDED_LINES = 2000  # a run has about sixty lines; many more mean a malfunction
UNDER_RESET = ("mode=UR", "reset=HWrst")
READ_UID = ("-r32", f"0x{UID_ADDRESS:08X}", str(UID_SIZE))  # arguments of every run, in front of all other actions
SLOW = ("freq=1000",)  # kHz: a long or worn contact may fail at the default, which is 4,000 or more
SLOWNESS = 8  # at the slow frequency all deadlines are longer by this factor


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. A write or read may take a fixed time for its memory, and a time for its size."""

    connect_within: float = 15.0
    idle_within: float = 90.0  # without a line: a dead QSPI flash stalls for minutes
    internal_within: float = 20.0
    external_within: float = 60.0
    bytes_per_second: float = 20 * 1024
    option_bytes_within: float = 30.0
    start_within: float = 30.0  # of FUS, or of the wireless stack
    upgrade_within: float = 180.0  # of the wireless stack: 40 seconds as a rule, and it may hang
    probe_within: float = 60.0  # for another program that uses the probe
    retry_pauses: tuple[float, ...] = RETRY_PAUSES
    patience: Patience = Patience()  # noqa: RUF009  frozen
    output: Budget = Budget()  # noqa: RUF009  the same; not seconds, but it also ends a run

    def of(self, action: Write | Region) -> float:
        base = self.external_within if is_external(action) else self.internal_within
        return base + action.size / self.bytes_per_second

    def slowed(self) -> Self:
        return replace(self, bytes_per_second=self.bytes_per_second / SLOWNESS)


class Process(Protocol):
    """A running programmer, as `Child` is one."""

    @property
    def status(self) -> int | None: ...

    async def line(self) -> str | None: ...

    def line_at_hand(self) -> str | None: ...

    async def ended(self) -> int: ...


class Start(Protocol):
    """Runs a command for a block, as `Child.started` does; raises `OSError` where it cannot be started."""

    def __call__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        gone: asyncio.Event,
        patience: Patience,
        inherited: Sequence[int],
        budget: Budget,
        longest: float,
    ) -> AbstractAsyncContextManager[Process]: ...


@dataclass(frozen=True, slots=True)
class Installation:
    """The programmer's executable, the folder for its secret files, its deadlines, and the way in which it is started."""

    cli: Path
    external_loader: Path
    scratch: SecretFiles
    locks: Path
    deadlines: Deadlines = Deadlines()
    start: Start = Child.started

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that the tool needs, without the station's settings and its supervisor's socket."""
        return environment_of(self.cli)

    def check_loader(self) -> None:
        """Raises `FlashLoaderMissing`, since with a loader that it cannot read the tool may silently write nothing."""
        if not self.external_loader.is_file():
            raise FlashLoaderMissing(f"there is no file {self.external_loader}")
        if not os.access(self.external_loader, os.R_OK):
            raise FlashLoaderMissing(f"{self.external_loader} may not be read by this account")


def is_external(action: Write | Region) -> bool:
    return action.external if isinstance(action, Write) else action.address >= EXTERNAL_FLASH.address


# One process at a time for each probe, even if a board moves to another slot before its last run has ended.
_probes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


class Probe:
    """One probe, which runs one programmer at a time.

    `gone` is set when board and probe were pulled; `record` gets each run's text, `traffic` sees each line as it comes.
    """

    def __init__(
        self,
        installation: Installation,
        serial_number: str,
        gone: asyncio.Event,
        record: Callable[[str], None],
        traffic: Traffic | None = None,
    ) -> None:
        self.installation = installation
        self._deadlines = installation.deadlines
        self.serial_number = serial_number
        self.board: UID | None = None  # the recognised board's UID, which every later run must find; None before
        self._gone = gone
        self._record = record
        self.traffic = traffic
        self._alone = _probes.setdefault(serial_number, asyncio.Lock())

    @asynccontextmanager
    async def connected(
        self, mode: Sequence[str], arguments: Sequence[str], within: Callable[[Deadlines], float]
    ) -> AsyncIterator["Run"]:
        """A process that has connected to the target. Connection failures that may be transient are tried again.

        `within`: the seconds that the block takes at most by these deadlines, all its waiting together.
        Every run reads the board's UID before its other actions. A header of another probe, or the UID of another
        board, raises a fault as soon as its line is read, here or later in the block, and ends the process.
        """
        options: tuple[str, ...] = ()
        async with self._alone:
            for retries in count():
                connect = ("-c", "port=SWD", f"sn={self.serial_number}", *mode, *options, "-q", *READ_UID)
                deadlines = self._deadlines.slowed() if options else self._deadlines
                command = [str(self.installation.cli), *connect, *arguments]
                async with self._started(command, deadlines, deadlines.connect_within + within(deadlines)) as run:
                    if await run.connects():
                        yield run
                        return
                fault = run.fault or ProgrammerUnproven("connection", "Device ID")
                await self.pause_before_retry(fault, retries)
                options = SLOW if consequence(fault).retry.slower else ()

    async def pause_before_retry(self, fault: Fault, retries: int) -> None:
        """Waits before the next try, after `retries` retries.

        Raises the fault where the policy allows no further try.
        """
        pauses = self._deadlines.retry_pauses
        if retries >= min(consequence(fault).retry.times, len(pauses)):
            raise fault
        log.warning("retry.scheduled", probe=self.serial_number, fault=fault.code, seconds=pauses[retries])
        await asyncio.sleep(pauses[retries])

    @asynccontextmanager
    async def _started(self, command: Sequence[str], deadlines: Deadlines, longest: float) -> AsyncIterator["Run"]:
        recording = _Recording(command, self.traffic)
        waiting = probe_lock.Waiting(deadlines.probe_within, deadlines.patience)
        try:
            async with (
                probe_lock.held(self.installation.locks, self.serial_number, waiting) as lock,
                AsyncExitStack() as stack,
            ):
                starting = self.installation.start(
                    command,
                    environment=self.installation.environment,
                    gone=self._gone,
                    patience=self._deadlines.patience,
                    inherited=[lock],
                    budget=self._deadlines.output,
                    longest=longest,
                )
                recording.end = "stopped at its start"
                try:
                    child = await stack.enter_async_context(starting)
                except OSError as exc:
                    recording.refused("could not be started", exc)
                    if fault := no_process("start the programmer", exc):
                        raise fault from exc
                    raise ProgrammerMissing(command[0], exc.strerror or type(exc).__name__) from exc
                recording.child = child
                yield Run(child, self.serial_number, self.board, deadlines, recording)
        except ProbeBusy as fault:
            recording.refused("had to wait too long for the probe", fault)
            raise
        finally:
            self._record(recording.text())


class Run:
    """One process of the programmer: its output so far, and whether it has ended."""

    def __init__(
        self, child: Process, probe: str, board: UID | None, deadlines: Deadlines, recording: "_Recording"
    ) -> None:
        self.transcript = Transcript()
        self.deadlines = deadlines
        self._child = child
        self._probe = probe
        self._board = board
        self._recording = recording
        self._exit_status: int | None = None

    @property
    def ended(self) -> bool:
        return self._exit_status is not None

    @property
    def fault(self) -> Fault | None:
        """The fault of the ended run.

        Before its end nothing is judged, since the tool may connect at a second attempt.
        """
        return None if self._exit_status is None else self.transcript.fault(self._probe, self._exit_status)

    async def connects(self) -> bool:
        """Reads until the target has answered, or until the process has ended without an answer."""
        await self.until(lambda: self.transcript.connected, self.deadlines.connect_within)
        return self.transcript.connected

    @property
    def lacks_uid(self) -> ProgrammerUnproven | None:
        """The fault of a run that has not shown the UID of the board that it worked on."""
        return None if self.transcript.uid else ProgrammerUnproven("connection", "UID")

    async def until_end(self, within: float, *, idle_within: float | None = None) -> None:
        await self.until(lambda: False, within, idle_within=idle_within)

    async def until(self, enough: Callable[[], bool], within: float, *, idle_within: float | None = None) -> None:
        """Reads until `enough` holds or the process has ended.

        Raises `ProgrammerStuck`, or the fault that explains the stall.
        """
        now = asyncio.get_running_loop().time
        idle = idle_within or self.deadlines.idle_within
        end, heard = now() + within, now()
        while not enough() and not self.ended:
            try:
                # Not set anew for each line, which would cost more than the line: it may pass although lines came.
                async with asyncio.timeout_at(min(end, heard + idle)):
                    while not enough() and not self.ended:
                        await self._read_on(enough)
                        heard = now()
            except TimeoutError as exc:
                if now() >= end:
                    raise self._overdue(within) from exc
                if now() >= heard + idle:
                    raise self._overdue(idle) from exc

    def _overdue(self, within: float) -> Fault:
        """A missing external flash shows only as an erase, or a write without one, that does not end for 5 to 7 minutes."""
        if self.transcript.begins_external:
            return FlashEraseFailed(f"the external flash gave no answer within {within:g} s")
        return ProgrammerStuck(within)

    async def _read_on(self, enough: Callable[[], bool]) -> None:
        """Reads the next line, and of those that have come with it as many as are needed."""
        try:
            line = await self._child.line()
            if line is None:
                self._exit_status = await self._child.ended()
                self._recording.ended(self._exit_status)
                return
            self._take(line)
            while not enough() and (line := self._child.line_at_hand()) is not None:
                self._take(line)
        except OverBudget as exc:
            raise ProgrammerUnproven("run", f"its end: {exc}") from exc

    def _take(self, said: str) -> None:
        line = line_of(said)
        self.transcript.take(line)
        self._recording.take(line)
        self.transcript.check_probe(self._probe)
        self.transcript.check_board(self._board)


class _Recording:
    """Records the text of one run for the transcript, without the memory that it shows."""

    def __init__(self, command: Sequence[str], traffic: Traffic | None) -> None:
        self.child: Process | None = None
        self._traffic = traffic
        if traffic is not None:
            traffic.run_began(command)
        self.end = "never ran"  # there is no child: its output was not read, though it may have run for a moment
        self._lines = [f"{_now()} started: {shlex.join(command)}"]
        self._left_out = 0

    def refused(self, end: str, reason: Exception) -> None:
        self.end = end
        if self._traffic is not None:
            self._traffic.run_refused(reason)

    def ended(self, status: int) -> None:
        if self._traffic is not None:
            self._traffic.run_ended(status)

    def take(self, line: Line) -> None:
        if self._traffic is not None and line.kept is not None:
            self._traffic.run_said(line.kept)
        if line.shows_memory or line.kept is None or len(self._lines) > RECORDED_LINES:
            self._left_out += 1
        else:
            self._lines.append(line.kept)

    def text(self) -> str:
        """The whole text, once the run is over."""
        if self._traffic is not None:
            self._traffic.run_left()
        end = self.end if self.child is None else f"exit status {self.child.status}"
        left_out = [f"{self._left_out} lines left out"] if self._left_out else []
        return "\n".join((*self._lines, *left_out, f"{_now()} ended: {end}"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
