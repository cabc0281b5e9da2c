# SPDX-License-Identifier: Apache-2.0
"""The journal of a bundle: whether each line links to the one before it, and what its events prove of each unit. Pure."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from station.evidence import recorded, rows
from station.evidence.form import NotABundle
from station.evidence.recorded import Recorded
from station.evidence.rows import Row

VERDICTS: Mapping[str, str] = {"Passed": "pass", "Failed": "fail", "Voided": "void"}


@dataclass(slots=True)
class Worked:
    """One attempt, as far as its events have been read."""

    uid: str | None = None
    serial_number: str | None = None
    key: str | None = None
    dac: str | None = None
    confirmed: bool = False
    laboratory: bool = False
    verdict: str | None = None
    fault: str | None = None
    events: int = 0

    def take(self, name: str, body: Row) -> None:
        """Takes what an event says of the board."""
        match name:
            case "UnitIdentified":
                self.uid = rows.name(body, "uid")
            case "IdentityReserved":
                self.serial_number = rows.name(body, "serial_number")
            case "LaboratoryUnit":
                self.laboratory = True
            case "CredentialsChosen" | "CredentialsFound":
                self.key, self.dac = rows.name(body, "key"), rows.name(body, "dac_serial_number")
            case "Confirmed":
                self.confirmed = True


@dataclass(frozen=True, slots=True)
class Sum:
    """An attempt in few bytes: its verdict, and a digest of all that is compared."""

    verdict: str | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """What the events of a passed attempt say of its unit."""

    attempt: int
    serial_number: str | None
    key: str | None
    dac: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the journal: a line with a text, or lines of others up to `number`."""

    incarnation: int | None
    number: int | None
    hash: bytes | None
    text: str | None
    row: object = None
    """The content of the ledger's row that the line is about, where it is the newest such line."""


_BEFORE = (-1, 0)


@dataclass(slots=True)
class Links:
    """Follows the chain of one incarnation after another."""

    at: tuple[int, int] = _BEFORE
    hash: bytes = b""
    first: tuple[int, int] = _BEFORE
    told: int = 0
    unchained: int = 0
    """Events from before the chain began."""
    untold: int = 0
    """Stretches between the lot's lines that have no text here."""
    later: int = 0
    """Lines behind the awaited one."""
    awaited: tuple[int, int] | None = None
    """The line whose hash is looked for."""
    found: bytes | None = None
    _gap: bool = False

    @property
    def is_chained(self) -> bool:
        """Whether any line had a hash."""
        return self.at != _BEFORE

    def follow(self, line: Line) -> str | None:
        """A sentence if the line does not link to the one before it."""
        if line.incarnation is None:
            self.unchained += 1
            return "an event without a line of the chain follows lines of the chain" if self.is_chained else None
        assert line.number is not None
        assert line.hash is not None
        place, before = (line.incarnation, line.number), self.at
        if place <= before:
            return f"line {line.number} of incarnation {line.incarnation} follows line {before[1]} of {before[0]}"
        mistake = self._passed(place, line.hash) if line.text is None else self._linked(place, line.hash, line.text)
        if not self.is_chained:
            self.first = place
        self.at, self.hash = place, line.hash
        if place == self.awaited:
            self.found = line.hash
        return mistake

    def _passed(self, place: tuple[int, int], hashed: bytes) -> str | None:
        """Lines of others; the base of a later incarnation has the hash with which the one before ended."""
        if self.is_chained and place[0] != self.at[0]:
            if place[1] == 0 and hashed != self.hash:
                return f"incarnation {place[0]} does not begin where incarnation {self.at[0]} ends"
            return None
        self._gap = self.told > 0
        return None

    def _linked(self, place: tuple[int, int], hashed: bytes, text: str) -> str | None:
        self.untold += self._gap
        self._gap = False
        if self.at != (place[0], place[1] - 1):
            return f"line {place[1]} is not after the one before it: lines are missing"
        if hashlib.sha256(self.hash + text.encode(errors="backslashreplace")).digest() != hashed:
            return f"line {place[1]} was changed: its hash is not that of its text after line {self.at[1]}"
        self.told += 1
        self.later += self.awaited is not None and place > self.awaited
        return None


@dataclass(slots=True)
class Journal:
    """The sum of a journal's events: attempts that still run, and what is proven of units."""

    working: dict[int, Worked] = field(default_factory=dict)
    passed: dict[str, Proof] = field(default_factory=dict)
    """The newest pass in production, by UID."""
    judged: dict[str, str] = field(default_factory=dict)
    """The last judged verdict in production, by UID."""
    held: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    """By UID the key and the DAC that its board was proven to hold."""
    sums: dict[int, Sum] = field(default_factory=dict)
    """By attempt what its events add up to (`summed`)."""
    recorded: Recorded = field(default_factory=Recorded)

    def read(self, line: Line) -> Iterator[str]:
        """Takes one line with a text. Yields a sentence for each contradiction; raises `NotABundle`."""
        try:
            number, _, name, attempt, body = json.loads(line.text or "")
        except (ValueError, TypeError, RecursionError):
            raise NotABundle("its text is no line of a journal") from None
        if not isinstance(body, dict) or not isinstance(name, str) or number != line.number:
            raise NotABundle("its text is no line of a journal, or another line's")
        if isinstance(attempt, int):
            yield from self._event(attempt, name, body)
        elif name == recorded.LINE:
            yield from self.recorded.take(body, line.row)
        elif name == recorded.BEGUN and line.number == 1:
            self.recorded.after = rows.mapping(body, "after")

    def _event(self, number: int, name: str, body: Row) -> Iterator[str]:
        if number in self.sums:
            yield f"attempt {number}: {name} follows its verdict"
            return
        attempt = self.working.setdefault(number, Worked())
        attempt.events += 1
        attempt.take(name, body)
        if name in {"CredentialsDelivered", "CredentialsFound"}:
            yield from self._holds(number, attempt, rows.name(body, "dac_serial_number"))
        elif name in VERDICTS:
            attempt.verdict, attempt.fault = VERDICTS[name], rows.text_or_none(body, "fault")
            yield from self._judged(number, attempt)

    def _holds(self, number: int, attempt: Worked, delivered: str) -> Iterator[str]:
        if delivered != attempt.dac:
            yield f"attempt {number}: DAC {delivered} was delivered, and {attempt.dac} chosen"
        elif attempt.uid is not None:
            self.held[attempt.uid] = attempt.key, delivered

    def _judged(self, number: int, attempt: Worked) -> Iterator[str]:
        del self.working[number]
        self.sums[number] = summed(attempt.verdict, attempt.fault, attempt.uid, attempt.dac, attempt.events)
        if attempt.laboratory or attempt.uid is None or attempt.verdict == "void":
            return
        assert attempt.verdict is not None
        self.judged[attempt.uid] = attempt.verdict
        if attempt.verdict != "pass":
            return
        key, dac = self.held.get(attempt.uid, (None, None))
        self.passed[attempt.uid] = Proof(number, attempt.serial_number, key, dac)
        if not attempt.confirmed:
            yield f"attempt {number} passed {attempt.uid}, and no event says that its board was read back and confirmed"


def summed(verdict: str | None, fault: object, uid: object, dac: object, events: int) -> Sum:
    """What an attempt's events, or the ledger's table, say of it."""
    digest = hashlib.sha256(repr((verdict, fault, uid, dac, events)).encode(errors="backslashreplace")).digest()
    return Sum(None if verdict is None else sys.intern(verdict), digest[:16])


def line_of(row: Row) -> Line:
    """A row as a line; raises `NotABundle`."""
    if "incarnation" not in row:
        rows.number(row, "event")
        return Line(None, None, None, rows.text(row, "text"))
    hashed, incarnation = rows.octets(row, "hash", 32), rows.number(row, "incarnation")
    if "upto" in row:
        return Line(incarnation, rows.number(row, "upto"), hashed, None)
    return Line(incarnation, rows.number(row, "number"), hashed, rows.text(row, "text"), row.get("row"))
