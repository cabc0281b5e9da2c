"""What STM32CubeProgrammer prints, taken in line by line: header, evidence for each file, faults. Pure.

Tolerant of what differs between versions, never of a missing proof. Tested on tests/vectors/programmer.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from station.domain.target import UID_ADDRESS
from station.faults import (
    Fault,
    FlashEraseFailed,
    FlashMismatch,
    FlashWriteFailed,
    ProbeBusy,
    ProbeMissing,
    ProbeWedged,
    TargetNotFound,
)

_BANNER = re.compile(r"STM32CubeProgrammer v(\S+)")
_HEADER = re.compile(r"(ST-LINK SN|ST-LINK FW|Voltage|Device ID|Revision ID)\s*:\s*(.*)")
_FILE = re.compile(r"File\s+:\s(.+)")
_ADDRESS = re.compile(r"Address\s*:+\s*0x([0-9A-Fa-f]+)$")
_ERASED = re.compile(r"Erasing (internal|external) memory sectors? (?:\[(\d+) (\d+)\]|(\d+))")
_WORDS = re.compile(r"0x([0-9A-Fa-f]{8}) : ((?:[0-9A-Fa-f]{8} ?)+)$")
_OPTION = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\s*:\s*0x([0-9A-Fa-f]+)\b")
_MISMATCH = re.compile(r"Data mismatch found at address 0x([0-9A-Fa-f]+)", re.IGNORECASE)

# "Error:" may be glued to a progress bar with its text on the next line, and may be followed by a success sentence.
_ERROR = re.compile(r"error\s*:|ST-LINK error \(|\bfailed\b|data mismatch|no st-?link detected", re.IGNORECASE)
_SECOND_TRY = "2nd connect tentative"  # what the first one complained of does not count if a full header follows


@dataclass(slots=True)
class FileEvidence:
    """What the output proves about one file that was written."""

    name: str
    address: int | None = None
    erased: tuple[str, int, int] | None = None
    """Which memory, first and last sector, both inclusive."""
    downloaded: bool = False
    verified: bool = False


@dataclass(slots=True)
class Transcript:
    """All that the output has said so far."""

    version: str = ""
    header: dict[str, str] = field(default_factory=dict)
    files: list[FileEvidence] = field(default_factory=list)
    reads: int = 0
    words: dict[int, int] = field(default_factory=dict)
    options: dict[str, int] = field(default_factory=dict)
    was_reset: bool = False
    errors: list[str] = field(default_factory=list)
    _glued: bool = False

    def feed(self, line: str) -> None:
        """Takes in one line, without its end."""
        text = line.strip()
        if self._glued:
            self.errors.append(text)
            self._glued = False
        if _SECOND_TRY in text:
            self.errors.clear()
            return
        if _ERROR.search(text):
            self._glued = text.lower().endswith("error:")
            self.errors.append(text)
            return
        self._take_header(text)
        self._take_evidence(text)
        self._take_values(text)

    def _take_header(self, text: str) -> None:
        if match := _BANNER.search(text):
            self.version = match[1]
        elif match := _HEADER.match(text):
            self.header[match[1]] = match[2].strip()

    def _take_evidence(self, text: str) -> None:
        if match := _FILE.match(text):
            # Some versions print each of these lines twice.
            if not self.files or self.files[-1].name != match[1] or self.files[-1].erased is not None:
                self.files.append(FileEvidence(match[1]))
        elif "Data read successfully" in text:
            self.reads += 1
        elif "reset is performed" in text:
            self.was_reset = True
        elif self.files:
            self._take_file_evidence(self.files[-1], text)

    @staticmethod
    def _take_file_evidence(file: FileEvidence, text: str) -> None:
        if (match := _ADDRESS.match(text)) and file.address is None:
            file.address = int(match[1], 16)
        elif match := _ERASED.search(text):
            first = int(match[2] or match[4])
            file.erased = (match[1], first, int(match[3] or first))
        elif "File download complete" in text:
            file.downloaded = True
        elif "Download verified successfully" in text:
            file.verified = file.downloaded

    def _take_values(self, text: str) -> None:
        if match := _WORDS.match(text):
            for number, word in enumerate(match[2].split()):
                self.words[int(match[1], 16) + 4 * number] = int(word, 16)
        elif match := _OPTION.match(text):
            self.options[match[1].upper()] = int(match[2], 16)

    @property
    def uid(self) -> bytes | None:
        """The 96-bit UID in the order of memory, if its words were read."""
        words = [self.words.get(UID_ADDRESS + offset) for offset in (0, 4, 8)]
        if None in words:
            return None
        return b"".join(word.to_bytes(4, "little") for word in words if word is not None)

    @property
    def supply_mv(self) -> int | None:
        """The target's supply; some locales print a decimal comma."""
        match = re.match(r"(\d+)[.,](\d{2})V", self.header.get("Voltage", ""))
        return int(match[1]) * 1000 + int(match[2]) * 10 if match else None

    def fault(self, probe: str) -> Fault | None:
        """The fault that the errors tell; None where there is none or it is of no known kind."""
        text = "\n".join(self.errors).lower()
        if match := _MISMATCH.search(text):
            return FlashMismatch(int(match[1], 16))
        return next((make(probe) for words, make in _MEANINGS.items() if words.lower() in text), None)


# In this order: what is nearer to the cause comes first. Sources: the catalogue of messages in docs/programmer.md.
_MEANINGS: Mapping[str, Callable[[str], Fault]] = {
    "No debug probe detected": ProbeMissing,
    "No ST-Link detected": ProbeMissing,
    "DEV_USB_COMM_ERR": ProbeWedged,
    "DEV_CONNECT_ERR": ProbeBusy,
    "No STM32 target found": TargetNotFound,
    "Unable to get core ID": TargetNotFound,
    "DEV_TARGET_CMD_ERR": TargetNotFound,
    "DEV_TARGET_RESET_ERR": TargetNotFound,
    "Download verification failed": lambda _: FlashMismatch(0),
    "failed to erase memory": lambda _: FlashEraseFailed("failed to erase memory"),
    "Flash loader cannot be loaded": lambda _: FlashEraseFailed("flash loader cannot be loaded"),
    "failed to download": lambda _: FlashWriteFailed("failed to download"),
    "Write failed at address": lambda _: FlashWriteFailed("write failed"),
}
