# SPDX-License-Identifier: Apache-2.0
"""STM32_Programmer_CLI as a `Programmer`. `invocation` has its writes and reads, `fus` its work on the coprocessor.

Secrets reach the programmer in files only, never in an argument.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from station.adapters.programmer.fus import FUS
from station.adapters.programmer.invocation import Action, Unerased, invoked
from station.adapters.programmer.run import UNDER_RESET, Installation, Probe
from station.domain.agent_record import RECORD_HEAD
from station.domain.product import Lock
from station.domain.target import UID, Target
from station.faults.slot import BoardExchanged
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
    async def invocation(self, *actions: Action, unerased: Unerased | None = None) -> AsyncIterator[Invocation]:
        """Writes and reads in this order under reset, then resets the board. The run starts when its first action is awaited.

        If the last action is a write into RAM, the firmware there is started instead.

        With `unerased` the board's flash is taken for blank, and not erased. If a write then fails, `unerased` is called
        with its fault, and a second run does everything again, with an erase.
        """
        async with invoked(self._probe, actions, unerased) as invocation:
            yield invocation

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
