# SPDX-License-Identifier: Apache-2.0
"""A board and the ST-LINK probe on it: the state that stays with the board when it is pulled out."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

from virtual_bench.bench.bench import Bench
from virtual_bench.board import factory_data
from virtual_bench.board.application_core import ApplicationCore
from virtual_bench.board.option_bytes import OptionBytes
from virtual_bench.board.serial_port import SerialPort
from virtual_bench.board.spoiled_chip import SpoiledChip
from virtual_bench.board.stack_image import version_text, version_word
from virtual_bench.board.stop import PROBE_GONE, TARGET_LOST, Stop
from virtual_bench.board.wire import Wire
from virtual_bench.faults.armed import BoardFaults, Fault
from virtual_bench.hardware.flash import Flash
from virtual_bench.hardware.hardware import Hardware
from virtual_bench.hardware.radio_core import RadioCore
from virtual_bench.hardware.secure_storage import SecureStorage

NAME = "STM32WB5MM-DK"
UID_ADDRESS = 0x1FFF7590
INTERNAL = (0x08000000, 0x100000, 0x1000)  # address, bytes, bytes of a page
EXTERNAL = (0x90000000, 0x200000, 0x10000)  # the first 2 MB of the part's 16 MB; nothing uses the rest
STACK_PAGE, NO_STACK_PAGE = 0x94, 0xF4  # where the coprocessor's flash begins; the FUS is above ST's larger stacks
NAMEPLATE = "board.json"


@dataclass(frozen=True, slots=True)
class Nameplate:
    """The numbers that distinguish one board from another, and its hub port."""

    number: int
    probe: str
    uid: bytes
    port: int

    @classmethod
    def fresh(cls, seed: int, number: int, port: int) -> Self:
        """A new board; the same seed and number make the same board."""
        chance = hashlib.sha256(f"board {number} of bench {seed}".encode()).digest()
        lot = b"Q%06d" % (int.from_bytes(chance[16:20]) % 1_000_000)  # a UID ends in its lot, in ASCII
        return cls(number, f"066{chance[5:16].hex().upper()[:21]}", chance[:5] + lot, port)


class Holder(Protocol):
    """The run of the programmer that holds the probe."""

    pid: int

    def stop(self, how: Stop) -> None: ...


class Board:
    """One board with its probe. Its memories are the files in its directory."""

    def __init__(
        self,
        bench: Bench,
        nameplate: Nameplate,
        options: OptionBytes,
        radio: RadioCore,
        act: Callable[[Fault], None],
    ) -> None:
        self._seed = bench.seed
        self.nameplate = nameplate
        self.options = options
        self.radio = radio
        self.directory = _directory(bench.directory, nameplate.probe)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.internal = Flash(self.directory / "internal.bin", *INTERNAL)
        self.external = Flash(self.directory / "qspi.bin", *EXTERNAL)
        self.faults = BoardFaults(nameplate.number, bench.armed, bench.journal, act)
        self.wire = Wire(self.faults)
        self.secure_storage = SecureStorage(self.directory / "secure_storage.json")
        self.core = ApplicationCore(
            Hardware(
                nameplate.uid,
                self.internal,
                self.external,
                self.secure_storage,
                radio,
                self.wire,
                bench.clock,
                bench.durations(nameplate.number, 0),
                SpoiledChip(self.faults, act),
                bench.turn,
            ),
            bench.tasks,
            f"firmware of board {nameplate.number}",
            lambda why: bench.journal.write("crashed", board=nameplate.number, why=why),
        )
        self.plugged = False
        self.runs = 0  # of the programmer, so far
        self.plugging = 0  # how many times it was plugged in
        self.announced = False  # whether its serial port has links
        self.options_asked = False  # whether the last run that changed anything set only option bytes
        self.wedged = False  # the probe, until it is plugged in again
        self.holder: Holder | None = None
        self.serial_port: SerialPort | None = None
        self.tty = ""
        self.save()

    @classmethod
    def loaded(cls, bench: Bench, directory: Path, act: Callable[[Fault], None]) -> Self:
        """The board whose files these are."""
        saved = json.loads((directory / NAMEPLATE).read_text())
        nameplate = Nameplate(saved["number"], directory.name, bytes.fromhex(saved["uid"]), saved["port"])
        stack = saved["stack"] and version_word(saved["stack"])
        radio = RadioCore(version_word(saved["fus"]), stack, boot_held=saved["boot_held"])
        return cls(bench, nameplate, OptionBytes(saved["option_bytes"]), radio, act)

    @classmethod
    def fresh(cls, bench: Bench, nameplate: Nameplate, radio: RadioCore, act: Callable[[Fault], None]) -> Self:
        """A board as it comes from its maker, with these versions on its coprocessor."""
        secure_from = NO_STACK_PAGE if radio.stack is None else STACK_PAGE
        return cls(bench, nameplate, OptionBytes({"SFSA": secure_from}), radio, act)

    @property
    def probe(self) -> str:
        """The serial number that its probe shows."""
        if self.faults.lasting("no_serial"):
            return ""
        if fault := self.faults.lasting("duplicate_serial"):
            return Nameplate.fresh(self._seed, fault.integer("of") or 1, self.nameplate.port).probe
        return self.nameplate.probe

    @property
    def uid(self) -> bytes:
        """The UID that the debug port reads."""
        if fault := self.faults.lasting("duplicate_uid"):
            return Nameplate.fresh(self._seed, fault.integer("of") or 1, self.nameplate.port).uid
        uid = self.nameplate.uid
        return uid[::-1] if self.faults.lasting("board_exchanged") else uid

    @property
    def provisioned(self) -> bool:
        """Whether its factory data has a DAC."""
        return factory_data.DAC in factory_data.readable(self.external)

    def memory(self, address: int, size: int) -> Flash | None:
        """The flash that holds the whole range."""
        return next((flash for flash in (self.internal, self.external) if flash.holds(address, size)), None)

    def plug(self, tty: str) -> None:
        """Plugs the board in: the core boots, and a serial port appears."""
        self.plugged = self.announced = True
        self.plugging += 1
        self.tty = tty
        self.faults.plugged()
        self.serial_port = SerialPort(self.wire.heard)
        self.wire.plug(self.serial_port)
        self.radio.power_on()
        self._boot()

    def unplug(self) -> None:
        """Pulls the board out: a run of the programmer loses the probe, and an open serial port hangs up."""
        if self.holder is not None:
            self.holder.stop(PROBE_GONE)
        self.core.give_way()
        self.radio.power_off()
        self.lose_tty()
        self.faults.unplugged()
        self.plugged = self.wedged = False

    def lose_tty(self) -> None:
        """Stops all traffic on the serial line."""
        self.wire.unplug()
        if self.serial_port is not None:
            self.serial_port.close()
            self.serial_port = None

    def reset(self) -> None:
        """Resets the core; registers and bytes under way are lost."""
        self.wire.reset()
        self.radio.forget_words()
        self._boot()

    def start(self, vectors: int) -> None:
        """Starts what a probe has loaded into RAM, without a reset."""
        self.wire.reset()
        self.core.start(vectors)

    def _boot(self) -> None:
        """Boots the application, if there is power and no FUS work holds it.

        A public report says that a held one needs nSWBOOT0 = 1 to boot again.
        """
        if self.radio.boot_held or not self.plugged:
            self.core.give_way()
        else:
            self.core.reset()

    def launch(self, options: Mapping[str, int], *, erases: bool) -> None:
        """Puts option bytes into effect, by a reset after which the core is halted."""
        if erases:
            self.internal.erase(self.internal.base, self.internal.size)
        self.options.values.update(options)
        if options.get("nSWBOOT0") == 1:
            self.radio.boot_held = False
        self.save()
        self.core.give_way()

    def protect(self) -> None:
        """Protects the whole internal flash against writing."""
        self.options.values |= {"WRP1A_STRT": 0, "WRP1A_END": self.internal.size // self.internal.page - 1}
        self.save()

    def hold_boot(self) -> None:
        """Marks work on the coprocessor as under way; its option bytes stay."""
        self.radio.boot_held = True
        self.save()

    def install(self, stack: int, page: int) -> None:
        """Lets the coprocessor take over the image that begins at this page."""
        self.radio.stack = stack
        self.options.values["SFSA"] = page
        self.save()

    def delete_stack(self) -> None:
        """Makes the coprocessor release the flash of its stack, erased."""
        begin, end = (
            self.internal.base + self.internal.page * page for page in (self.options.values["SFSA"], NO_STACK_PAGE)
        )
        if begin < end:
            self.internal.erase(begin, end - begin)
        self.radio.stack = None
        self.options.values["SFSA"] = NO_STACK_PAGE
        self.save()

    def radio_memory(self, address: int, size: int) -> bytes:
        """The memory that both cores share, as the debug port reads it."""
        return self.radio.memory(address, size, self.uid)

    def brown_out(self) -> None:
        """Makes the supply dip: the core resets, and a run of the programmer loses the core."""
        if self.holder is not None:
            self.holder.stop(TARGET_LOST)
        self.reset()

    def release(self) -> None:
        """Frees the probe."""
        self.holder = None
        if self.serial_port is not None:
            self.serial_port.allow_reopening()

    def stand_at(self, port: int) -> None:
        """Moves to another port."""
        self.nameplate = replace(self.nameplate, port=port)
        self.save()

    def save(self) -> None:
        """Saves the state that is not in the memories."""
        saved = {
            "number": self.nameplate.number,
            "port": self.nameplate.port,
            "uid": self.nameplate.uid.hex(),
            "option_bytes": self.options.values,
            "fus": version_text(self.radio.fus),
            "stack": None if self.radio.stack is None else version_text(self.radio.stack),
            "boot_held": self.radio.boot_held,
        }
        (self.directory / NAMEPLATE).write_text(json.dumps(saved, indent=1) + "\n")

    def close(self) -> None:
        self.internal.close()
        self.external.close()


def _directory(bench: Path, probe: str) -> Path:
    return bench / "boards" / probe
