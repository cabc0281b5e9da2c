# SPDX-License-Identifier: Apache-2.0
"""Counts a lot from outside: boards' flash, the PKI's own list, prints, and events at their receiver. Nothing here reads the ledger.

Flash, QR codes and verifiers are read by code that shares nothing with the station.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the curve P-256
BASE38 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-."
FACTORY_DATA, BLOCK, END = 0x1C0000, 0x4000, 0xACACACAC
DAC, KEY, ITERATIONS, SALT, VERIFIER, SERIAL_NUMBER = 3, 5, 12, 13, 14, 25
Event = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Board:
    """What one board's memories say."""

    number: int
    uid: str
    records: Mapping[int, bytes]
    operational: bool
    """Whether its flash has the operational image, byte for byte."""

    @classmethod
    def read(cls, folder: Path, image: bytes) -> "Board":
        plate = json.loads((folder / "board.json").read_text())
        with (folder / "qspi.bin").open("rb") as qspi:
            qspi.seek(FACTORY_DATA)
            records = dict(_records(qspi.read(BLOCK)))
        with (folder / "internal.bin").open("rb") as internal:
            operational = internal.read(len(image)) == image
        return cls(int(plate["number"]), str(plate["uid"]), records, operational)

    @property
    def serial_number(self) -> str | None:
        value = self.records.get(SERIAL_NUMBER)
        return None if value is None else value.decode()

    @property
    def dac(self) -> x509.Certificate | None:
        value = self.records.get(DAC)
        return None if value is None else x509.load_der_x509_certificate(value)

    @property
    def verifier(self) -> bytes:
        return self.records.get(VERIFIER, b"")

    @property
    def is_done(self) -> bool:
        """Whether it has its firmware, its certificate, and the key of that."""
        dac = self.dac
        return self.operational and dac is not None and self._has_key_of(dac)

    def _has_key_of(self, dac: x509.Certificate) -> bool:
        key = ec.derive_private_key(int.from_bytes(self.records[KEY]), ec.SECP256R1())
        return key.public_key() == dac.public_key()

    def opens_by(self, passcode: int) -> bool:
        """Whether the board's verifier is that of the passcode."""
        iterations = int.from_bytes(self.records[ITERATIONS], "little")
        both = hashlib.pbkdf2_hmac("sha256", passcode.to_bytes(4, "little"), self.records[SALT], iterations, 80)
        w0, w1 = (int.from_bytes(half) % ORDER for half in (both[:40], both[40:]))
        point = ec.derive_private_key(w1, ec.SECP256R1()).public_key()
        made = w0.to_bytes(32) + point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return made == self.verifier


def _records(block: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 8 <= len(block):
        tag, length = (int.from_bytes(block[each : each + 4], "little") for each in (at, at + 4))
        if tag in {END, 0xFFFFFFFF}:
            return
        yield tag, block[at + 8 : at + 8 + length]
        at += 8 + length


@dataclass(frozen=True, slots=True)
class Print:
    """One label that has left the printer, in the order of the prints. A half one has a text that nobody reads."""

    serial_number: str | None
    code: str | None
    copy: int

    @classmethod
    def read(cls, file: Path) -> "Print":
        """Raises `ValueError` while the printer is still at it."""
        if file.name.endswith(".half.zpl"):
            return cls(None, None, 0)
        text = file.read_text()
        if not text.endswith("^XZ"):
            raise ValueError(file)
        (code,), (serial_number,) = re.findall(r"FDMA,(MT:.*?)\^FS", text), re.findall(r"S/N (.*?)\^FS", text)
        copies = re.findall(r"copy (\d+)\^FS", text)
        return cls(serial_number, code, int(copies[0]) if copies else 1)


class Tray:
    """The labels that the printer has put into its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, Print] = {}

    def prints(self) -> list[Print]:
        """All so far, in their order."""
        for file in self.folder.glob("*.zpl"):
            if file not in self._read:
                try:
                    self._read[file] = Print.read(file)
                except ValueError:
                    continue
        return [self._read[file] for file in sorted(self._read)]

    def whole(self, serial_number: str | None) -> list[Print]:
        """Those of one unit."""
        return [each for each in self.prints() if each.serial_number == serial_number]


def passcode_of(code: str) -> int:
    """The passcode in the text of a QR code, by Matter's table of its bits."""
    content = b""
    text = code.removeprefix("MT:")
    for at in range(0, len(text), 5):
        part = text[at : at + 5]
        number = sum(BASE38.index(character) * 38**place for place, character in enumerate(part))
        content += number.to_bytes({5: 3, 4: 2, 2: 1}[len(part)], "little")
    return int.from_bytes(content, "little") >> 57 & 0x7FFFFFF


@dataclass
class Notes:
    """What the people of the line have done, by their own notes."""

    lot: str
    scrapped: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    samples: set[str] = field(default_factory=set)
    quarantined: set[str] = field(default_factory=set)
    """Seen in quarantine, whatever became of them."""
    bound: dict[str, int] = field(default_factory=dict)
    """The copy of the label whose scan was taken last, by UID."""
    swapped: int = 0
    """Labels of other units that were refused."""
    refused: set[str] = field(default_factory=set)
    """Boards that found the order full, and were taken away."""


@dataclass(frozen=True)
class Outcome:
    """One lot as boards, PKI, printer, receiver and people have it."""

    boards: Sequence[Board]
    issued: Sequence[Mapping[str, object]]
    prints: Sequence[Print]
    events: Sequence[Event]
    notes: Notes

    # --- counts -------------------------------------------------------------------------------------------------------

    @property
    def good(self) -> list[Board]:
        """The boards that leave the line to be sold."""
        away = self.notes.scrapped | self.notes.samples
        return [board for board in self.boards if board.is_done and board.uid not in away]

    def balance(self) -> dict[str, int]:
        """The counts of `station lots show`, as they must be once no board is in work."""
        notes, made = self.notes, [board for board in self.boards if board.serial_number]
        known = {int(str(each["serial_number"]), 16): each for each in self.issued}
        on_good = {board.dac.serial_number for board in self.good if board.dac} & known.keys()
        of_samples = [board for board in self.boards if board.uid in notes.samples and board.dac]
        newest = Counter(each.serial_number for each in self.prints if each.serial_number)
        serial_numbers = {board.uid: board.serial_number for board in self.boards}
        good = {board.uid for board in self.good}
        return {
            "identities": len(made),
            "next_index": len(made),
            "passed": len(self.good),
            "passed_in_journal": len(self.good),
            "counted": len(self.good),
            "burned": len(notes.scrapped),
            "scrapped": len(notes.scrapped),
            "samples": len(notes.samples),
            "quarantined": 0,
            "failed": 0,
            "reserved": 0,
            "on_board": 0,
            "certified": 0,
            "confirmed": 0,
            "released": 0,
            "skipped": 0,
            "bound": sum(uid in good for uid in notes.bound),
            "unbound": len(good - notes.bound.keys()),
            "to_do": 0,
            "dacs_bound": len(on_good),
            "dacs_of_samples": len(of_samples),
            "labels_printed": len(self.prints),
            "labels_void": len(self.prints) - len(newest),
            "labels_copies": len(self.prints) - len(newest),
            "labels_waiting": 0,
            "labels_of_burned": sum(serial_numbers[uid] in newest for uid in notes.scrapped),
            "labels_of_samples": sum(serial_numbers[uid] in newest for uid in notes.samples),
        }

    def sold_in_vain(self) -> set[int]:
        """Serial numbers of certificates that are on no board that is sold, and on no sample."""
        kept = [board for board in self.boards if board in self.good or board.uid in self.notes.samples]
        on_boards = {board.dac.serial_number for board in kept if board.dac}
        return {int(str(each["serial_number"]), 16) for each in self.issued} - on_boards

    def verdicts(self) -> Counter[str]:
        """How the attempts on the lot's boards ended, by the receiver's events; those on samples are the laboratory's."""
        datas = [_data(event) for event in self.events]
        of_lot = [data for data in datas if data["lot"] == self.notes.lot and not data["laboratory"]]
        return Counter(str(data["verdict"]) for data in of_lot)

    # --- what must be so ----------------------------------------------------------------------------------------------

    def mistakes(self) -> Iterator[str]:
        """Contradictions among boards, PKI, printer and receiver, without any word of the station's."""
        yield from self._of_boards()
        yield from self._of_labels()
        yield from self._of_events()

    def _of_boards(self) -> Iterator[str]:
        serial_numbers = Counter(board.serial_number for board in self.boards if board.serial_number)
        yield from (f"serial number {each} is on {times} boards" for each, times in serial_numbers.items() if times > 1)
        sold = Counter(str(each["certificate"]) for each in self.issued)
        yield from (f"the PKI has issued one certificate {times} times" for times in sold.values() if times > 1)
        known = {x509.load_pem_x509_certificate(text.encode()) for text in sold}
        for board in self.boards:
            if board.dac is not None and board.dac not in known:
                yield f"board {board.number} has a certificate that the PKI has not issued"
            if board.uid in self.notes.refused and board.serial_number:
                yield f"board {board.number} has an identity, and the order was full"
        dacs = Counter(board.dac for board in self.boards if board.dac)
        yield from (f"{times} boards have one certificate" for times in dacs.values() if times > 1)

    def _of_labels(self) -> Iterator[str]:
        by_serial_number: dict[str, list[Print]] = {}
        for each in self.prints:
            if each.serial_number:
                by_serial_number.setdefault(each.serial_number, []).append(each)
        for board in self.boards:
            labels = by_serial_number.pop(board.serial_number or "", [])
            if not labels:
                if board in self.good:
                    yield f"unit {board.serial_number} has no label"
                continue
            if len({label.code for label in labels}) > 1 or not board.opens_by(passcode_of(labels[-1].code or "")):
                yield f"the label of unit {board.serial_number} does not open it"
            if len({label.copy for label in labels}) < len(labels):
                yield f"two labels of unit {board.serial_number} have one number"
            if board in self.good and self.notes.bound.get(board.uid) != max(label.copy for label in labels):
                yield f"the newest label of unit {board.serial_number} was not scanned"
        yield from (f"{each} has a label, and no board is that unit" for each in by_serial_number)

    def _of_events(self) -> Iterator[str]:
        attempts = sorted(int(str(_data(event)["attempt"])) for event in self.events)
        if attempts != list(range(1, len(attempts) + 1)):
            yield "the receiver lacks an attempt, or has one twice"
        last: dict[str, Mapping[str, object]] = {}
        for event in self.events:
            last[str(event["subject"])] = _data(event)
        for board in self.boards:
            told = last.get(board.uid, {})
            serial_number = told.get("serial_number")
            if board.serial_number and serial_number not in {None, board.serial_number}:
                yield f"the receiver knows board {board.number} as {serial_number}"
            if board in self.good and told.get("verdict") != "pass":
                yield f"unit {board.serial_number} is done, and the receiver was told {told.get('verdict')}"
        passed = {str(event["subject"]) for event in self.events if _data(event)["verdict"] == "pass"}
        if done := {board.uid for board in self.boards if board.is_done} ^ passed:
            yield f"boards and receiver differ about {', '.join(sorted(done))}"


def _data(event: Event) -> Mapping[str, object]:
    data = event["data"]
    assert isinstance(data, dict)
    return data
