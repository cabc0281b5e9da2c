# SPDX-License-Identifier: Apache-2.0
"""Measures one board, round by round, through the station's own programmer and serial port. Overwrites what is on the board."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from station.adapters.board import tty
from station.adapters.board.conversation import Deadlines, SerialBoard
from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Installation
from station.adapters.programmer.stopwatch import Laps, Stopwatch
from station.config.sections import BoardSection
from station.domain.memory_map import FACTORY_DATA_REGION, INTERNAL_FLASH, READBACK_REGION
from station.domain.product import Flashable, Verify, Write
from station.domain.target import UID, Region, Target
from station.factory_data.flash import ReadBack, read_back
from station.faults import Fault, SlotFault, UnitFault
from station.faults.slot import BoardExchanged, BoardSwapped, ProgrammerUnproven
from station.interfaces import BoardArrived
from station.measure.figures import Times
from station.measure.model import Sizes

THROW_AWAY = bytes(range(1, 201)) * 8  # as many bytes as a unit's factory data; no unit, and no label
INTERNAL_READ = Region(INTERNAL_FLASH.address, 0x10000)


@dataclass(frozen=True, slots=True)
class Firmware:
    """What is written: the agent as it is linked to flash and to RAM, and the application."""

    provisioner: Flashable
    application: Flashable
    ram_agent: Flashable

    @property
    def sizes(self) -> Sizes:
        return Sizes(
            application=len(self.application.content),
            provisioner=len(self.provisioner.content),
            factory_data=len(THROW_AWAY),
            ram_image=len(self.ram_agent.content),
            internal_read=INTERNAL_READ.size,
        )


class Subject:
    """The board that is measured, in its slot."""

    def __init__(
        self,
        installation: Installation,
        board: BoardArrived,
        section: BoardSection,
        firmware: Firmware,
        tell: Callable[[str], None],
    ) -> None:
        self.ram_fault: Fault | None = None
        """Why nothing is known of the start in RAM."""
        self._watch = Stopwatch()
        gone = asyncio.Event()  # nobody tells of a pulled board: the programmer then fails by itself
        self._programmer = CubeProgrammer(installation, board.probe, gone, lambda _: None, self._watch)
        self._tty, self._section = board.tty, section
        self._firmware = firmware
        self._tell = tell

    async def identify(self) -> Target:
        """The board, without a reset."""
        return await self._programmer.identify()

    async def factory_data(self) -> ReadBack:
        """What the board's external flash holds; the board is reset before and after."""
        async with self._programmer.invocation(READBACK_REGION) as run:
            return read_back(await run.read(READBACK_REGION))

    async def round(self, name: str, uid: UID) -> Times:
        """One round on the board with this UID: five runs of the programmer, two boots of the agent.

        The first three runs are those of the line's own procedure.
        """
        runs = len(self._watch.runs)
        self._tell(f"{name}: identify the board")
        target = await self.identify()
        if target.uid != uid:
            raise BoardExchanged(str(uid), str(target.uid))
        times = _identified(self._watch.last)
        self._tell(f"{name}: factory data, provisioning firmware and its boot")
        times |= await self._provisioner(target)
        self._tell(f"{name}: read-back, application with fast verification")
        times |= await self._application_fast()
        self._tell(f"{name}: application with verification in full")
        times |= await self._application_full()
        expected = 4
        if self.ram_fault is None:
            self._tell(f"{name}: read, agent in RAM")
            expected += 1
            try:
                times |= await self._in_ram(target)
            except (UnitFault, SlotFault) as fault:
                self.ram_fault = fault
                self._tell(f"{name}: the agent in RAM cannot be measured: {fault}")
        self._doubt(name, self._watch.runs[runs:], expected)
        return times

    def _doubt(self, name: str, runs: Sequence[Laps], expected: int) -> None:
        """Tells what speaks against the figures of a round with these runs."""
        if len(runs) > expected:
            more = len(runs) - expected
            self._tell(f"{name}: the programmer needed {more} more runs to connect: see to contacts and cables")
        if all(laps.told_at_once for laps in runs if laps.proofs):
            self._tell(f"{name}: the programmer says everything at its end, so that only its whole runs are measured")

    async def _provisioner(self, target: Target) -> dict[str, float]:
        data = Write("factory data", FACTORY_DATA_REGION.address, THROW_AWAY, Verify.FULL, external=True)
        image = _write(self._firmware.provisioner, Verify.FULL)
        async with self._port() as port:
            async with self._programmer.invocation(data, image) as run:
                await run.written(data)
                self._discard(port)
                await run.written(image)
            laps = self._watch.last
            await self._answer(port, target)
        _, verified, provisioner, provisioner_verified = _proofs(laps, 4)
        reset = _moment(laps.reset, "reset of the board")
        return {
            "connected_reset": _moment(laps.connected, "connection") - laps.began,
            "factory_data": verified - _moment(laps.recognised, "UID"),
            "provisioner": provisioner - verified,
            "provisioner_verified": provisioner_verified - provisioner,
            "reset": reset - provisioner_verified,
            "ended": _moment(laps.ended, "end") - reset,
            "boot": self._watch.first_heard - reset,
        }

    async def _application_fast(self) -> dict[str, float]:
        write = _write(self._firmware.application, Verify.FAST)
        async with self._programmer.invocation(READBACK_REGION, write) as run:
            await run.read(READBACK_REGION)
            await run.written(write)
        read, written, verified = _proofs(self._watch.last, 3)
        return {
            "read_back": read - _moment(self._watch.last.recognised, "UID"),
            "application": written - read,
            "verified_fast": verified - written,
        }

    async def _application_full(self) -> dict[str, float]:
        write = _write(self._firmware.application, Verify.FULL)
        async with self._programmer.invocation(write) as run:
            await run.written(write)
        written, verified = _proofs(self._watch.last, 2)
        return {"verified_full": verified - written}

    async def _in_ram(self, target: Target) -> dict[str, float]:
        """Loads and starts the agent in RAM. The read before it tells that no other firmware runs any more."""
        agent = _write(self._firmware.ram_agent, Verify.FULL)
        async with self._port() as port:
            async with self._programmer.invocation(INTERNAL_READ, agent) as run:
                await run.read(INTERNAL_READ)
                self._discard(port)
                await run.written(agent)
            laps = self._watch.last
            await self._answer(port, target)
            answered = self._watch.now()
        read, written, verified = _proofs(laps, 3)
        started = _moment(laps.started, "its start")
        return {
            "internal_read": read - _moment(laps.recognised, "UID"),
            "ram_load": written - read,
            "ram_verified": verified - written,
            "ram_boot": self._watch.first_heard - started,
            "ram_answer": answered - started,
        }

    def _port(self) -> AbstractAsyncContextManager[tty.TTY]:
        return tty.opened(self._tty, self._section.baudrate, self._section.port_free_within, self._watch)

    def _discard(self, port: tty.TTY) -> None:
        """Forgets what the firmware before has sent: the probe has stopped it."""
        port.discard()
        self._watch.listen()

    async def _answer(self, port: tty.TTY, target: Target) -> None:
        """Waits for the firmware's first bytes and its first answer."""
        section = self._section
        deadlines = Deadlines(section.boot_within, section.reply_within, section.repeat_every)
        hello = await SerialBoard(port, deadlines).hello()
        if hello.uid != target.uid.raw:
            raise BoardSwapped(str(target.uid), hello.uid.hex())


def _write(image: Flashable, verify: Verify) -> Write:
    return Write(image.name, image.address, image.content, verify, external=False)


def _identified(laps: Laps) -> dict[str, float]:
    return {
        "started": _moment(laps.spoke, "first line") - laps.began,
        "connected_hotplug": _moment(laps.connected, "connection") - laps.began,
        "run": _moment(laps.ended, "end") - laps.began,
    }


def _moment(moment: float | None, what: str) -> float:
    if moment is None:
        raise ProgrammerUnproven("run", what)
    return moment


def _proofs(laps: Laps, count: int) -> list[float]:
    if len(laps.proofs) != count:
        raise ProgrammerUnproven("run", f"{count} writes, verifications and reads one after the other")
    return laps.proofs
