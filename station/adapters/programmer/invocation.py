# SPDX-License-Identifier: Apache-2.0
"""Writes and reads of one run of the programmer, and their proofs. Flash that is taken for blank may get a second run."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Self

import structlog

from station.adapters.programmer.evidence import FileWritten, MemoryRead, Witness, lacking_in
from station.adapters.programmer.run import UNDER_RESET, Probe, Run, is_external
from station.adapters.system.secret_files import SecretFolder
from station.config import plain_files
from station.domain.product import Verify, Write
from station.domain.target import Region
from station.faults import Fault
from station.faults.resources import exhausted
from station.faults.slot import ProgrammerFailed, ProgrammerUnproven
from station.faults.unit import FlashMismatch, FlashWriteFailed
from station.interfaces import Invocation, Traffic

log = structlog.get_logger()

Action = Write | Region
Unerased = Callable[[Fault], Awaitable[None]]
# Holds for the whole run. In front of all writes, since it must not part a "-d" from its "-v".
SKIP_ERASE = ("--skipErase",)


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a run leaves the board, and the fact in its output that proves it."""

    arguments: tuple[str, ...]
    fact: str
    what: str


_RESET = _Ending(("-rst",), "reset", "reset of the board")


def _ending(last: Action) -> _Ending:
    """The board is reset, but for a firmware in RAM, which a reset would lose: that one is started."""
    if isinstance(last, Write) and last.in_ram:
        return _Ending(("-s", f"0x{last.address:08X}"), "started", f"start of {last.name}")
    return _RESET


@asynccontextmanager
async def invoked(probe: Probe, actions: Sequence[Action], unerased: Unerased | None) -> AsyncIterator[Invocation]:
    """`Programmer.invocation` of this probe's board."""
    if any(isinstance(action, Write) and action.in_ram for action in actions[:-1]):
        raise ValueError("what is loaded into RAM is lost as soon as a loader of the programmer's runs there")
    external = any(map(is_external, actions))
    if external:
        probe.installation.check_loader()
    with probe.installation.scratch.folder() as folder:
        loader = ("-el", str(probe.installation.external_loader)) if external else ()
        async with AsyncExitStack() as stack:

            async def start(options: Sequence[str], plan: Sequence[_Planned]) -> Run:
                await stack.aclose()  # the run before, since a probe has one at a time
                end = _ending(plan[-1].action)
                arguments = (*loader, *options, *chain.from_iterable(each.arguments for each in plan), *end.arguments)
                connecting = probe.connected(
                    UNDER_RESET, arguments, lambda by: sum(by.of(each.action) for each in plan)
                )
                return await stack.enter_async_context(connecting)

            numbers = count(1)  # no file of a first run may be taken for one of the second

            def progress(*, erased: bool) -> _Progress:
                parts = _parts(actions, erased=erased)
                plan = [_Planned.of(next(numbers), part, folder, erased=erased) for part in parts]
                return _Progress(plan, start, probe.traffic, erased=erased)

            if any(isinstance(each, Write) and not each.in_ram and Witness.of(each) is None for each in actions):
                unerased = None
            again = partial(progress, erased=True)
            invocation = _Invocation(actions, progress(erased=unerased is None), again, probe.serial_number, unerased)
            try:
                yield invocation
            except (ProgrammerFailed, ProgrammerUnproven):
                # Checked here, since it is unknown how the programmer reports a full folder.
                probe.installation.scratch.check(sum(each.size for each in actions if isinstance(each, Region)))
                raise
            invocation.check_all_awaited()


def _name(action: Action) -> str:
    return action.name if isinstance(action, Write) else f"read of 0x{action.address:08X}"


@dataclass(frozen=True, slots=True)
class _Planned:
    """An action, and the file that holds the bytes to write or receives the bytes read."""

    action: Action
    path: Path
    erased: bool = True

    @classmethod
    def of(cls, number: int, action: Action, folder: SecretFolder, *, erased: bool) -> Self:
        if isinstance(action, Region):
            return cls(action, folder.path(f"{number}-read-back.bin"))
        name = action.name.replace(" ", "-")
        # the programmer recognises the format by the file's suffix
        return cls(action, folder.written(f"{number}-{name}.bin", action.content), erased)

    @property
    def name(self) -> str:
        return _name(self.action)

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
                return item.missing(write, self.path.name, erased=self.erased)
            case Region() as region, MemoryRead():
                return item.missing(region)
            case _:
                return "any line about it"


def _parts(actions: Sequence[Action], *, erased: bool) -> Iterator[Action]:
    """The actions of a run; a write without an erase stands between the two reads of its witness."""
    for action in actions:
        witness = Witness.of(action) if isinstance(action, Write) and not erased else None
        yield from (action,) if witness is None else (witness.region, action, witness.region)


class _Invocation:
    """The `Invocation` of one block: a run, and a second one with an erase where the first had none and a write failed."""

    def __init__(
        self,
        actions: Sequence[Action],
        progress: "_Progress",
        again: Callable[[], "_Progress"],
        probe: str,
        unerased: Unerased | None,
    ) -> None:
        self._actions = actions
        self._progress = progress
        self._again = again
        self._probe = probe
        self._unerased = unerased
        self._awaited: list[Action] = []

    async def written(self, write: Write) -> None:
        await self._carry_out(write)

    async def read(self, region: Region) -> bytes:
        return await self._carry_out(region)

    def check_all_awaited(self) -> None:
        """Raises `ValueError` unless every action was awaited: any other is unproven, and may have been cut off."""
        if len(self._awaited) < len(self._actions):
            raise ValueError(f"the block ended before {_name(self._actions[len(self._awaited)])} was awaited")

    async def _carry_out(self, action: Action) -> bytes:
        self._awaited.append(action)
        try:
            return await self._progress.carried_out(action)
        except (FlashWriteFailed, FlashMismatch) as fault:
            if self._unerased is None:
                raise
            log.warning("write.repeated", probe=self._probe, fault=fault.code)
            await self._progress.until_end()
            await self._unerased(fault)
        self._unerased = None
        self._progress = self._again()
        return [await self._progress.carried_out(each) for each in self._awaited][-1]


class _Progress:
    """One run of the programmer, whose actions are proven one after the other."""

    def __init__(
        self,
        plan: Sequence[_Planned],
        start: Callable[[Sequence[str], Sequence[_Planned]], Awaitable[Run]],
        traffic: Traffic | None,
        *,
        erased: bool,
    ) -> None:
        self._plan = plan
        self._traffic = traffic
        self._start = start
        self._erased = erased
        self._run: Run | None = None
        self._awaited = 0

    async def carried_out(self, action: Action) -> bytes:
        """The content of a region, or nothing of a write, when it is proven."""
        if isinstance(action, Region):
            content = await self._read(action)
            if lack := lacking_in(action, content):
                raise ProgrammerUnproven(_name(action), lack)
            return content
        witness = None if self._erased else Witness.of(action)
        if witness is None:
            await self._prove(action)
            return b""
        before = await self._read(witness.region, meant=witness.meant)
        await self._prove(action)
        after = await self._read(witness.region, meant=witness.meant)
        if witness.denies(before, after):
            raise FlashMismatch(witness.region.address)
        return b""

    async def until_end(self) -> None:
        """Waits for the end of the run, since a transfer that is stopped may leave the probe wedged."""
        if self._run is not None:
            await self._run.until_end(sum(self._run.deadlines.of(each.action) for each in self._plan[self._awaited :]))

    async def _read(self, region: Region, *, meant: bytes | None = None) -> bytes:
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
            self._traffic.was_read(region, content, meant)
        return content

    async def _prove(self, action: Write | Region) -> _Planned:
        """Waits until this action, which must be the next one, is proven.

        For the last action, waits until the whole run is proven.
        """
        number = self._awaited
        if number == len(self._plan) or self._plan[number].action != action:
            raise ValueError("actions are awaited once, in the order in which they were given")
        self._awaited += 1
        planned, last = self._plan[number], self._awaited == len(self._plan)
        if self._run is None:
            self._run = await self._start(() if self._erased else SKIP_ERASE, self._plan)
        run = self._run
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
            if last and (end := _ending(action)).fact not in transcript.facts:
                raise ProgrammerUnproven(planned.name, end.what)
        return planned
