# SPDX-License-Identifier: Apache-2.0
"""STM32_Programmer_CLI as a `Programmer`: its argument lists, and the proofs that the output of each run must contain.

Secrets reach the programmer in files only, never in an argument.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

from station.adapters.programmer.evidence import FileWritten, MemoryRead, lacking_in
from station.adapters.programmer.fus import FUS
from station.adapters.programmer.run import UNDER_RESET, Installation, Probe, Run, is_external
from station.adapters.system.secret_files import SecretFolder
from station.config import plain_files
from station.domain.agent_record import RECORD_HEAD
from station.domain.product import Lock, Verify, Write
from station.domain.target import UID, Region, Target
from station.faults.resources import exhausted
from station.faults.slot import BoardExchanged, ProgrammerFailed, ProgrammerUnproven
from station.faults.unit import LockUnproven, TargetLocked, TargetRefused
from station.interfaces import Invocation, Traffic


class CubeProgrammer:
    """Drives one probe. `gone` is set when board and probe were pulled; `record` gets the text of every run.

    `traffic` sees all lines, and all that is read.
    """

    def __init__(
        self,
        installation: Installation,
        probe: str,
        gone: asyncio.Event,
        record: Callable[[str], None],
        traffic: Traffic | None = None,
    ) -> None:
        self._probe = Probe(installation, probe, gone, record, traffic)
        self.coprocessor = FUS(self._probe)

    async def identify(self) -> Target:
        """Identifies the board. Connects without a reset, which could interrupt a firmware in the middle of a write.

        Reads the agent's record last, since on a read-protected board that read ends the run.
        """
        record = ("-r32", f"0x{RECORD_HEAD.address:08X}", str(RECORD_HEAD.size))
        arguments = ("-ob", "displ", *record)
        async with self._probe.connected(("mode=HOTPLUG",), arguments, lambda by: by.connect_within) as run:
            await run.until_end(run.deadlines.connect_within)
            target = run.transcript.identified(run.fault)
        self._probe.board = target.uid
        return target

    @asynccontextmanager
    async def invocation(self, *actions: Write | Region) -> AsyncIterator[Invocation]:
        """Writes and reads in this order under reset, then resets the board. The run starts when its first action is awaited."""
        external = any(map(is_external, actions))
        if external:
            self._probe.installation.check_loader()
        with self._probe.installation.scratch.folder() as folder:
            plan = [_Planned.of(number, action, folder) for number, action in enumerate(actions, start=1)]
            loader = ("-el", str(self._probe.installation.external_loader)) if external else ()
            arguments = (*loader, *chain.from_iterable(planned.arguments for planned in plan), "-rst")
            async with AsyncExitStack() as stack:

                async def start() -> Run:
                    connecting = self._probe.connected(UNDER_RESET, arguments, lambda by: sum(map(by.of, actions)))
                    return await stack.enter_async_context(connecting)

                progress = _Progress(plan, start, self._probe.traffic)
                try:
                    yield progress
                except (ProgrammerFailed, ProgrammerUnproven):
                    # Checked here, since it is unknown how the programmer reports a full folder.
                    self._probe.installation.scratch.check(
                        sum(each.size for each in actions if isinstance(each, Region))
                    )
                    raise
                progress.check_all_awaited()

    async def lock(self, lock: Lock, uid: UID) -> None:
        """Sets this board's option bytes, and reads them back over a second connection; raises `LockUnproven`.

        Only the values read back count: the first run loses the board for a moment, and may report an error for that.
        Option bytes that did not take are set again, since a weak supply may have been the reason.
        """
        if await self._locked(lock, uid) is None:
            return
        if difference := await self._locked(lock, uid):
            raise difference

    async def _locked(self, lock: Lock, uid: UID) -> LockUnproven | None:
        """The first option byte that was read back with another value than the intended one."""
        wanted = [f"{name}=0x{value:X}" for name, value in lock.option_bytes.items()]
        async with self._probe.connected(UNDER_RESET, ("-ob", *wanted), lambda by: by.option_bytes_within) as run:
            await run.until_end(run.deadlines.option_bytes_within)
        try:
            target = await self.identify()
        except (TargetRefused, TargetLocked):
            if lock.closes_for_ever and run.fault is None and "option_bytes_set" in run.transcript.facts:
                return None  # the debug port is closed for good: read protection level 2
            raise
        if target.uid != uid:
            raise BoardExchanged(str(uid), str(target.uid))
        return lock.difference(target)


@dataclass(frozen=True, slots=True)
class _Planned:
    """An action, and the file that holds the bytes to write or receives the bytes read."""

    action: Write | Region
    path: Path

    @classmethod
    def of(cls, number: int, action: Write | Region, folder: SecretFolder) -> Self:
        if isinstance(action, Region):
            return cls(action, folder.path(f"{number}-read-back.bin"))
        name = action.name.replace(" ", "-")
        # the programmer recognises the format by the file's suffix
        return cls(action, folder.written(f"{number}-{name}.bin", action.content))

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
        """The first missing proof; None when the action is proven."""
        match self.action, item:
            case Write() as write, FileWritten():
                return item.missing(write, self.path.name)
            case Region() as region, MemoryRead():
                return item.missing(region)
            case _:
                return "any line about it"


class _Progress:
    """The `Invocation` of one block."""

    def __init__(self, plan: Sequence[_Planned], start: Callable[[], Awaitable[Run]], traffic: Traffic | None) -> None:
        self._plan = plan
        self._traffic = traffic
        self._start = start
        self._run: Run | None = None
        self._awaited = 0

    async def written(self, write: Write) -> None:
        await self._prove(write)

    async def read(self, region: Region) -> bytes:
        planned = await self._prove(region)
        try:
            content = plain_files.read(planned.path, region.size, follow_links=False)
        except FileNotFoundError:
            content = b""
        except OSError as exc:  # the programmer makes this path, and may have made something other than a file
            if fault := exhausted("read back what the programmer has read", exc):
                raise fault from exc
            raise ProgrammerUnproven(planned.name, f"a readable file: {exc.strerror}") from exc
        if self._traffic is not None:
            self._traffic.was_read(region, content)
        if lack := lacking_in(region, content):
            raise ProgrammerUnproven(planned.name, lack)
        return content

    def check_all_awaited(self) -> None:
        """Raises `ValueError` unless every action was awaited: any other is unproven, and may have been cut off."""
        if self._awaited < len(self._plan):
            raise ValueError(f"the block ended before {self._plan[self._awaited].name} was awaited")

    async def _prove(self, action: Write | Region) -> _Planned:
        """Waits until this action, which must be the next one, is proven.

        For the last action, waits until the whole run is proven.
        """
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
            # An error line is judged when the run has ended. A file is completely read when the next action has begun.
            settled = isinstance(action, Write) or len(transcript.items) > self._awaited
            return settled and not last and not transcript.complaints and missing() is None and run.lacks_uid is None

        await run.until(proven, run.deadlines.of(action))
        if run.ended:
            if fault := run.fault:
                raise fault
            if lack := missing():
                raise ProgrammerUnproven(planned.name, lack)
            if unread := run.lacks_uid:
                raise unread
            if last and "reset" not in transcript.facts:
                raise ProgrammerUnproven(planned.name, "reset of the board")
        return planned
