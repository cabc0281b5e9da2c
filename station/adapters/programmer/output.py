# SPDX-License-Identifier: Apache-2.0
"""The output of STM32_Programmer_CLI, in any version: reads its lines as `evidence` and as `complaints`. Pure.

The absence of an error proves nothing.
"""

import re
from dataclasses import replace
from pathlib import PureWindowsPath

from station.adapters.programmer.complaints import LONGEST_SHOWN, fault_of, goes_on, never_ran, redacted
from station.adapters.programmer.evidence import Erasure, FileWritten, MemoryRead
from station.adapters.programmer.output_line import HEXADECIMAL, Line, line_of
from station.domain.agent_record import RECORD_HEAD, recorded_key
from station.domain.memory_map import EXTERNAL_FLASH, UID_ADDRESS
from station.domain.product import WB55_DEVICE_ID
from station.domain.target import RDP_LEVEL_0, UID, UID_SIZE, Region, Target
from station.faults import Fault
from station.faults.slot import BoardExchanged, BoardUnpowered, ProbeWrong, ProgrammerFailed, ProgrammerUnproven
from station.faults.unit import FlashReadFailed, TargetLocked, TargetWrong

LONGEST_SERIAL_NUMBER = 64  # characters in a fault; a probe's has 24
LOWEST_SUPPLY_MV = 2700  # the DK runs at 3.3 V; below this its regulator or its contact is bad
MOST_COMPLAINTS = 200  # each is matched with each row; a run that fails has a dozen

_HEADER = frozenset({"ST-LINK FW", "Voltage", "Device ID", "Revision ID", "BL Version"})
_SAYS_NOTHING = frozenset({"Opening and parsing file", "Log output file", "Size", "Bank"})
_VOLTS = re.compile(r"(\d{1,3})[.,](\d{1,6})")  # some locales write a comma
_FACTS = frozenset({"reset", "started", "option_bytes_set", "fus_idle", "fus_started", "upgraded", "stack_started"})


class Transcript:
    """The output of one run so far, fed line by line."""

    def __init__(self) -> None:
        self.version = ""
        self.probes = set[str]()  # the serial numbers in its headers
        self.header: dict[str, str] = {}
        self.words: dict[int, bytes] = {}
        self.uid: UID | None = None
        """The board's UID, once it has been read."""
        self.option_bytes: dict[str, int] = {}
        self.items: list[FileWritten | MemoryRead] = []
        self.facts = set[str]()  # names of the sentences seen; "reset" and "started" count only after all items so far
        self.complaints: list[str] = []
        self._of_first_attempt: list[str] = []
        self._last = line_of("")

    def feed(self, text: str) -> None:
        """Takes the next line, without its end."""
        self.take(line_of(text))

    def take(self, line: Line) -> None:
        """Takes the next line. Version 2.18 prints lines twice; the second copy is ignored."""
        if not line.text:
            return
        self._last = line
        if self.complaints and goes_on(self.complaints[-1]):
            self.complaints[-1] += f" {line.text}"
        if line.field and self._field(*line.field):
            return
        if line.is_complaint:
            self.complaints.append(line.text)
            del self.complaints[MOST_COMPLAINTS:]
        elif line.field and line.number is not None:
            self.option_bytes[line.field[0]] = line.number
        elif line.memory:
            self._take_memory(*line.memory)
        elif line.sentence:
            self._sentence(line.sentence)

    @property
    def connected(self) -> bool:
        return "Device ID" in self.header

    @property
    def begins_external(self) -> bool:
        """Whether the last line says that the programmer erases the external flash, or begins to program it without an erase."""
        if self._last.text.lower().startswith("download in progress"):
            item = self.items[-1] if self.items else None
            address = item.address or 0 if isinstance(item, FileWritten) and not item.erased else 0
            return address >= EXTERNAL_FLASH.address
        said = self._last.sentence
        return said is not None and said["memory"] == "external"

    @property
    def device_id(self) -> int | None:
        value = HEXADECIMAL.match(self.header.get("Device ID", ""))
        return int(value[1], 16) if value else None

    @property
    def supply_mv(self) -> int | None:
        volts = _VOLTS.match(self.header.get("Voltage", ""))
        return round(float(f"{volts[1]}.{volts[2]}") * 1000) if volts else None

    @property
    def kept_out(self) -> bool:
        """Whether the displayed option bytes protect the flash from the debug port."""
        return self.option_bytes.get("RDP", RDP_LEVEL_0) != RDP_LEVEL_0

    def check_probe(self, asked: str) -> None:
        """Raises `ProbeWrong` once a header names another probe, and refuses a connection whose header names none."""
        for named in self.probes:
            if named != asked and named.casefold() != asked.casefold():  # versions and hosts differ in capitals
                raise ProbeWrong(asked, named[:LONGEST_SERIAL_NUMBER])
        if self.connected and not self.probes:
            raise ProgrammerUnproven("connection", "ST-LINK SN")

    def check_board(self, expected: UID | None) -> None:
        """Raises `BoardExchanged` once another UID than the expected one has been read."""
        if self.uid is not None and expected is not None and self.uid != expected:
            raise BoardExchanged(str(expected), str(self.uid))

    def fault(self, probe: str, exit_status: int) -> Fault | None:
        """The fault that the finished run reports, or None; None is no proof of success."""
        if unpowered := self._unpowered:
            return unpowered
        if not self.version and (missing := never_ran(self._last.text, exit_status)):
            return missing
        address = next((item.address for item in reversed(self.items) if item.address is not None), 0)
        if fault := fault_of((*self._of_first_attempt, *self.complaints), probe, exit_status, address):
            return fault
        return ProgrammerFailed(exit_status, redacted(self._last.text)) if exit_status != 0 else None

    def check_connected(self) -> None:
        """Raises unless the last header shows a powered STM32WB55."""
        if self.supply_mv is None:
            raise ProgrammerUnproven("connection", "Voltage")
        if unpowered := self._unpowered:
            raise unpowered
        if self.device_id is None:
            raise ProgrammerUnproven("connection", "Device ID")
        if self.device_id != WB55_DEVICE_ID:
            raise TargetWrong(f"0x{self.device_id:03X}", f"0x{WB55_DEVICE_ID:03X}")

    def identified(self, fault: Fault | None) -> Target:
        """The board, from a run that identified it and that may have ended with this fault; raises the fault.

        A read-protected board shows UID and option bytes; the run ends where it reads the flash.
        """
        if isinstance(fault, FlashReadFailed):
            self.check_connected()  # on another part these addresses hold something else
        if fault is not None and not (self.kept_out and isinstance(fault, FlashReadFailed | TargetLocked)):
            raise fault
        return self.target()

    def target(self) -> Target:
        """The board, from a run that read its UID and displayed its option bytes; raises where proof is missing."""
        uid = self.uid
        protection = self.option_bytes.get("RDP")
        if uid is None or protection is None:
            self.check_connected()  # another part keeps them elsewhere
            raise ProgrammerUnproven("connection", "UID and option bytes")
        if self.device_id is None or self.supply_mv is None:
            raise ProgrammerUnproven("connection", "Device ID and Voltage")
        return Target(
            uid=uid,
            device_id=self.device_id,
            revision=self.header.get("Revision ID", ""),
            supply_mv=self.supply_mv,
            readout_protection=protection,
            probe_firmware=self.header.get("ST-LINK FW", ""),
            programmer_version=self.version,
            option_bytes=self.option_bytes,
            agent_key=self._agent_key(),
        )

    def _agent_key(self) -> str | None:
        """The board's key, from the agent's record.

        A protected board does not show the record, and another part has none.
        """
        if self.kept_out or self.device_id != WB55_DEVICE_ID:
            return None
        head = self._memory(RECORD_HEAD)
        if len(head) != RECORD_HEAD.size:
            raise ProgrammerUnproven("connection", f"{RECORD_HEAD.size} bytes at 0x{RECORD_HEAD.address:08X}")
        return recorded_key(head)

    def _memory(self, region: Region) -> bytes:
        """The bytes of the region that the run has shown, from its start to the first gap."""
        shown = b""
        while len(shown) < region.size and (line := self.words.get(region.address + len(shown))):
            shown += line
        return shown[: region.size]

    @property
    def _unpowered(self) -> BoardUnpowered | None:
        supply = self.supply_mv
        return None if supply is None or supply >= LOWEST_SUPPLY_MV else BoardUnpowered(f"{supply / 1000:.2f} V")

    def _field(self, name: str, value: str) -> bool:
        """Takes a line of the form "name : value", whose value is never an error.

        False if the line has another form.
        """
        match name:
            case "ST-LINK SN":
                self.header = {}
                self.probes.add(value)
            case "File":
                self._begin(FileWritten(PureWindowsPath(value).name))  # PureWindowsPath reads both kinds of paths
            case "Address":
                if self.items and self.items[-1].address is None and (address := HEXADECIMAL.match(value)):
                    self.items[-1].address = int(address[1], 16)
            case _ if name in _HEADER:
                self.header[name] = value[:LONGEST_SHOWN]
                if name == "Device ID":
                    self._of_first_attempt = []  # the second attempt has connected
            case _:
                return name in _SAYS_NOTHING
        return True

    def _take_memory(self, address: int, words: bytes) -> None:
        self.words[address] = words
        if address == UID_ADDRESS:
            self.uid = UID(words) if len(words) == UID_SIZE else None

    def _begin(self, item: FileWritten | MemoryRead) -> None:
        if self.items and replace(self.items[-1], address=None) == item:
            return  # a repeated line: so far only the address of the current item was printed
        self.items.append(item)
        self.facts -= {"reset", "started"}

    def _sentence(self, said: re.Match[str]) -> None:
        current = self.items[-1] if self.items else None
        match said.lastgroup, current:
            case "version", _:
                self.version = self._last.text[slice(*said.span("number"))][:LONGEST_SHOWN]
            case "second_attempt", None:
                self._of_first_attempt, self.complaints = self.complaints, []
            case "erasing", FileWritten():
                first, last = int(said["first"]), int(said["last"] or said["first"])
                current.erased.add(Erasure(said["memory"], first, last))
            case "complete", FileWritten():
                current.complete = True
            case "verified", FileWritten(complete=True):
                current.verified = True
            case "uploading", _:
                self._begin(MemoryRead())
            case "read", MemoryRead():
                current.done = True
            case "read", _:  # how the programmer announces a read is not known; this is how a read ends
                self._begin(MemoryRead(done=True))
            case str() as fact, _ if fact in _FACTS:
                self.facts.add(fact)
