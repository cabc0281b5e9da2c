# SPDX-License-Identifier: Apache-2.0
"""The wireless coprocessor through STM32_Programmer_CLI: the runs, and the sentences that prove them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from station.adapters.programmer.output import Transcript
from station.adapters.programmer.run import UNDER_RESET, Probe
from station.domain.coprocessor import CoprocessorVersions, WirelessStack
from station.domain.memory_map import VERSION_WORDS
from station.domain.target import differing
from station.faults import Fault, UnitFault
from station.faults.slot import ProgrammerFailed, ProgrammerStuck, ProgrammerUnproven
from station.faults.unit import BootNotRestored, FUSNotReady, StackNotStarted

Told = TypeVar("Told")

FUS_BOOT: Mapping[str, int] = {"nSWboot0": 0, "nboot1": 1, "nboot0": 1}  # FUS starts with these option bytes
APPLICATION_BOOT: Mapping[str, int] = {"nSWboot0": 1, "nboot1": 1, "nboot0": 1}
STARTED = {"fus_idle": "FUS_STATE_IDLE", "fus_started": "startfus command execution finished"}
UPGRADED = {"upgraded": "Firmware Upgrade Success"}
STACK_STARTED = {"stack_started": "FusStartWS activated successfully"}


class FUS:
    """Each run is one process.

    It repeats what may be repeated, as often as the policy says; an upgrade is never repeated.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._deadlines = probe.installation.deadlines

    async def versions(self) -> CoprocessorVersions:
        """Starts FUS and reads the version words in the same run, since they are valid only then.

        Raises `FUSNotReady`.
        """
        return await self._tried(self._versions)

    async def upgrade(self, stack: WirelessStack, *, first: bool) -> Fault | None:
        """Runs one upgrade, which a deadline ends if it hangs.

        Returns the reported fault or None; neither is proof: read the versions. Raises a fault from before the
        connection, since then no upgrade has begun.
        """
        with self._probe.installation.scratch.folder() as folder:
            path = folder.written("wireless-stack.bin", stack.content)
            options = (f"firstinstall={int(first)}", "startstack=0", "-v")
            upgrade = ("-fwupgrade", str(path), f"0x{stack.address:08X}", *options)
            arguments = (*_option_bytes(FUS_BOOT), "-startfus", *upgrade)
            within = self._deadlines.upgrade_within
            try:
                async with self._probe.connected(UNDER_RESET, arguments, lambda _: within) as run:
                    try:
                        await run.until_end(within, idle_within=within)  # the programmer prints nothing while FUS works
                    except ProgrammerUnproven as unproven:
                        return unproven
                    return run.fault or _missing(run.transcript, UPGRADED) or run.lacks_uid
            except ProgrammerStuck as stuck:
                return stuck

    async def start_stack(self) -> None:
        await self._tried(self._start_stack)

    async def restore_boot(self) -> None:
        await self._tried(self._restore_boot)

    async def _versions(self) -> CoprocessorVersions:
        words = ("-r32", f"0x{VERSION_WORDS:08X}", "8")
        within = self._deadlines.option_bytes_within + self._deadlines.start_within
        transcript = await self._said((*_option_bytes(FUS_BOOT), "-startfus", *words), STARTED, within, FUSNotReady)
        read = transcript.words.get(VERSION_WORDS, b"")
        versions = CoprocessorVersions.of_words(read)
        if versions is None:
            raise FUSNotReady(f"its version words are {_shown(read)}")
        return versions

    async def _start_stack(self) -> None:
        await self._said(("-startwirelessstack",), STACK_STARTED, self._deadlines.start_within, StackNotStarted)

    async def _restore_boot(self) -> None:
        """Restores the boot option bytes and reads them back.

        Only the values read back count: the first run loses the board for a moment, and may report an error for that.
        """
        within = self._deadlines.option_bytes_within
        async with self._probe.connected(UNDER_RESET, _option_bytes(APPLICATION_BOOT), lambda _: within) as run:
            await run.until_end(within)
        async with self._probe.connected(UNDER_RESET, ("-ob", "displ"), lambda _: within) as run:
            await run.until_end(within)
        if run.fault is not None:
            raise run.fault
        if unread := run.lacks_uid:
            raise unread
        if wrong := differing(run.transcript.option_bytes, APPLICATION_BOOT):
            raise BootNotRestored(*wrong)

    async def _said(
        self,
        arguments: Sequence[str],
        sentences: Mapping[str, str],
        within: float,
        failed: type[FUSNotReady | StackNotStarted],
    ) -> Transcript:
        """The output of a run that contains all these sentences; else raises `failed`, or the fault of probe or supply.

        A board that was lost after its option bytes were set may be back: the next connection shows it.
        """
        async with self._probe.connected(UNDER_RESET, arguments, lambda _: within) as run:
            try:
                await run.until_end(within)
            except ProgrammerStuck as stuck:
                raise failed(str(stuck)) from stuck
        against = run.fault or _missing(run.transcript, sentences)
        if isinstance(against, UnitFault | ProgrammerFailed | ProgrammerUnproven):
            raise failed(str(against)) from against
        if against is not None:
            raise against
        run.transcript.check_connected()
        if unread := run.lacks_uid:
            raise unread
        return run.transcript

    async def _tried(self, attempt: Callable[[], Awaitable[Told]]) -> Told:
        retries = 0
        while True:
            try:
                return await attempt()
            except (FUSNotReady, StackNotStarted, BootNotRestored) as exc:
                fault = exc
            await self._probe.pause_before_retry(fault, retries)
            retries += 1


def _option_bytes(values: Mapping[str, int]) -> tuple[str, ...]:
    return ("-ob", *(f"{name}={value}" for name, value in values.items()))


def _missing(transcript: Transcript, sentences: Mapping[str, str]) -> ProgrammerUnproven | None:
    lacking = [sentence for fact, sentence in sentences.items() if fact not in transcript.facts]
    return ProgrammerUnproven("coprocessor", lacking[0]) if lacking else None


def _shown(words: bytes) -> str:
    """The words as the programmer prints them, not in their order in memory."""
    return (
        " ".join(f"{int.from_bytes(words[at : at + 4], 'little'):08X}" for at in range(0, len(words), 4)) or "not there"
    )
