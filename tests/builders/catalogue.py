# SPDX-License-Identifier: Apache-2.0
"""The catalogue of the programmer's output: its rows, and the verdict that a transcript alone gives. Pure."""

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from station.adapters.programmer.evidence import BLANK, FileWritten, MemoryRead, Witness, lacking_in
from station.adapters.programmer.fus import APPLICATION_BOOT, STACK_STARTED, STARTED, UPGRADED
from station.adapters.programmer.output import Transcript
from station.domain.coprocessor import CoprocessorVersions
from station.domain.memory_map import VERSION_WORDS
from station.domain.product import Verify, Write
from station.domain.target import Region, differing
from station.faults import Fault, UnitFault
from station.faults.slot import ProgrammerFailed, ProgrammerUnproven
from station.faults.unit import BootNotRestored, FlashMismatch, FlashWriteFailed, FUSNotReady, StackNotStarted
from tests.builders.transcripts import BOARD, DATA, FOLDER, IMAGE, PROBE, probe_of

READ = Region(0x901C0000, 0x4000)
UNERASED = "-unerased"  # ends the name of a request that writes without an erase
AGAIN = "again"  # the station repeats the writes, with an erase


def _witnessed(name: str, write: Write) -> list[tuple[str, Write | Region]]:
    """A write without an erase, between the two reads of its witness."""
    witness = Witness.of(write)
    assert witness is not None
    return [("", witness.region), (name, write), ("", witness.region)]


ACTIONS: dict[str, list[tuple[str, Write | Region]]] = {
    "data-and-image": [("factory-data.bin", DATA), ("provisioning.bin", IMAGE)],
    "image-unerased": _witnessed("provisioning.bin", IMAGE),
    "data-and-image-unerased": [*_witnessed("factory-data.bin", DATA), *_witnessed("provisioning.bin", IMAGE)],
    "data": [("factory-data.bin", DATA)],
    "image": [("provisioning.bin", IMAGE)],
    "read": [("", READ)],
    "read-and-image": [("", READ), ("provisioning.bin", IMAGE)],
    "small-read": [("", Region(0x08000000, 0x400))],
    "small-image": [("image.bin", Write("image", 0x08000000, bytes(848), Verify.FULL, external=False))],
    "h750": [("rt-thread.elf", Write("other", 0x90000000, bytes(293356), Verify.FULL, external=True))],
    "west": [("zephyr.hex", Write("other", 0x08000000, bytes(177582), Verify.FULL, external=False))],
}


@dataclass(frozen=True)
class Row:
    """One verdict of the documentation, and its transcripts."""

    files: list[str]
    asked: str
    exit: list[int]
    said: list[str]
    case: str
    verdict: str
    proof: str
    evidence: dict[str, str] = field(default_factory=dict)
    content: str = "records"
    probe: str = ""
    witness: str = "written"

    @property
    def unerased(self) -> bool:
        return self.asked.endswith(UNERASED)

    def witnesses(self, witness: Witness) -> tuple[bytes, bytes]:
        """What is read before and after a write without an erase."""
        blank, zeros = BLANK * witness.region.size, bytes(witness.region.size)
        return {
            "written": (blank, witness.meant),
            "unchanged": (blank, blank),
            "same": (witness.meant, witness.meant),
            "zeros": (zeros, zeros),
        }[self.witness]

    def asked_probe(self, name: str) -> str:
        """The requested probe; it is named here if the transcript shows another."""
        return self.probe or probe_of(name)

    def read(self, region: Region) -> bytes:
        """The content of the file into which the programmer read."""
        return bytes(region.size) if self.content == "zeros" else b"\x16".ljust(region.size, b"\xff")


@dataclass(frozen=True)
class Group:
    title: str
    text: str
    rows: list[Row]


@cache
def _content() -> dict[str, Any]:  # type: ignore[explicit-any]  # TOML; `Row` and `Group` refuse what does not fit
    return tomllib.loads((FOLDER / "catalogue.toml").read_text(encoding="utf-8"))


@cache
def groups() -> list[Group]:
    return [Group(each["title"], each["text"], [Row(**row) for row in each["row"]]) for each in _content()["group"]]


def asked() -> dict[str, str]:
    """The station's requests, each with the arguments that it runs."""
    return dict(_content()["asked"])


def rows() -> list[Row]:
    return [row for group in groups() for row in group.rows]


# --- the verdict, from the transcript alone --------------------------------------------------------------------------


def verdict_of(row: Row, probe: str, transcript: Transcript, exit_status: int) -> tuple[str, dict[str, str]]:
    """A fault's code and evidence, "proven", or "read back" if only the read-back decides."""
    try:
        transcript.check_probe(probe)
        transcript.check_board(BOARD)
        against = _judge(row, transcript, transcript.fault(PROBE, exit_status))
    except Fault as fault:
        against = fault
    if row.unerased and isinstance(against, FlashWriteFailed | FlashMismatch):
        return AGAIN, {}
    if against is not None:
        return against.code, against.evidence
    return ("read back" if row.asked in {"set", "upgrade"} else "proven"), {}


def _judge(row: Row, transcript: Transcript, fault: Fault | None) -> Fault | None:
    """Applies the driver's checks in the driver's order; raises or returns the first fault."""
    if not transcript.connected:
        return fault or ProgrammerUnproven("connection", "Device ID")
    against: Fault | None = None
    match row.asked:
        case "set":
            against = None
        case "upgrade":
            against = fault or _lacking(transcript, UPGRADED) or _unread(transcript)
        case "versions":
            against = _of_coprocessor(fault or _lacking(transcript, STARTED), FUSNotReady)
            against = against or _unread(transcript) or _words(transcript)
        case "start-stack":
            against = _of_coprocessor(fault or _lacking(transcript, STACK_STARTED), StackNotStarted)
            against = against or _unread(transcript)
        case "display":
            wrong = differing(transcript.option_bytes, APPLICATION_BOOT)
            against = fault or _unread(transcript) or (BootNotRestored(*wrong) if wrong else None)
        case "identify" | "list":
            transcript.identified(fault)
        case asked:
            transcript.check_connected()
            against = fault or _of_actions(row, ACTIONS[asked], transcript) or _unread(transcript)
    return against


def _unread(transcript: Transcript) -> Fault | None:
    return None if transcript.uid else ProgrammerUnproven("connection", "UID")


def _lacking(transcript: Transcript, sentences: dict[str, str]) -> Fault | None:
    lacking = [sentence for fact, sentence in sentences.items() if fact not in transcript.facts]
    return ProgrammerUnproven("coprocessor", lacking[0]) if lacking else None


def _of_coprocessor(against: Fault | None, failed: type[FUSNotReady | StackNotStarted]) -> Fault | None:
    return failed(str(against)) if isinstance(against, UnitFault | ProgrammerFailed | ProgrammerUnproven) else against


def _words(transcript: Transcript) -> Fault | None:
    words = transcript.words.get(VERSION_WORDS, b"")
    shown = words.hex(" ", 4) or "not there"
    return None if CoprocessorVersions.of_words(words) else FUSNotReady(f"its version words are {shown}")


def _of_actions(row: Row, actions: list[tuple[str, Write | Region]], transcript: Transcript) -> Fault | None:
    for number, (name, action) in enumerate(actions):
        item = transcript.items[number] if number < len(transcript.items) else None
        lack: str | None = "any line about it"
        match action, item:
            case Write(), FileWritten():
                lack = item.missing(action, name, erased=not row.unerased)
            case Region(), MemoryRead():
                lack = item.missing(action) or (None if row.unerased else lacking_in(action, row.read(action)))
        if lack:
            return ProgrammerUnproven(name, lack)
    for _, action in actions if row.unerased else ():
        witness = Witness.of(action) if isinstance(action, Write) else None
        if witness is not None and witness.denies(*row.witnesses(witness)):
            return FlashMismatch(witness.region.address)
    return None if "reset" in transcript.facts else ProgrammerUnproven("run", "reset of the board")


# --- bytes -----------------------------------------------------------------------------------------------------------


def posix(said: tuple[str, ...]) -> bytes:
    return "".join(f"{line}\n" for line in said).encode()


def windows(said: tuple[str, ...]) -> bytes:
    """Converts a transcript to Windows: CR LF, bars of bytes DB that are redrawn from the line's start, blank lines."""
    text = "".join(f"{line}\r\n\r\n" for line in said)
    redrawn = re.sub("█{50}", f"{'█' * 25} 50%\r{'█' * 50}", text)
    bars = {"█": b"\xdb", "▒": b"\xdb", "\ufffd": b"\xdb", "圹": b"\xdb\xdb"}
    return b"".join(bars.get(letter) or letter.encode() for letter in redrawn)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
