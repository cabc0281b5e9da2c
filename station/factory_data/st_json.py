# SPDX-License-Identifier: Apache-2.0
"""ST's JSON for factory data: one flat object of names and values, read with every mistake and its place. Pure.

Numbers are strings, decimal or hexadecimal; bytes are arrays of strings like "0x30"; strings are strings. Numbers and bytes
may be written in the ways that ST's tool takes; docs/st-migration.md lists the ones that are refused.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches

from station.factory_data.flat_tlv import FORMS, SECRET, FactoryData, Mistake, Number, Octets, Tag, Text, refuse

# `station factory-data show --json` writes it as `schema`; ST's tool passes over names that it does not know.
SCHEMA = 1
_BLANKS = " \t\n\r\f\v"
_LONGEST_NUMBER = 24  # characters, without blanks around it
_NUMBER = re.compile(r"\+?[0-9]+(_[0-9]+)*|0[xX]_?[0-9a-fA-F]+(_[0-9a-fA-F]+)*")
_BYTE = re.compile(r"(0[xX])?[0-9a-fA-F]{1,2}")
_SPACE = re.compile(r"[ \t\r\n]*")
# JSON numbers are refused everywhere. They are read as floats, since an integer may have any number of digits.
_DECODER = json.JSONDecoder(parse_int=float)


@dataclass(slots=True, repr=False)
class Reading:
    """The records read, and all mistakes; `warnings` are tolerated mistakes."""

    records: dict[Tag, bytes] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)

    @property
    def factory_data(self) -> FactoryData:
        """The factory data; raises `FactoryDataInvalid` if there was any mistake."""
        refuse(self.mistakes)
        return FactoryData(self.records)


def from_json(content: bytes) -> FactoryData:
    """Factory data from ST's JSON; raises `FactoryDataInvalid` with every mistake and its line and column."""
    return read(content).factory_data


def read(content: bytes, *, lenient: bool = False) -> Reading:
    """Reads ST's JSON to its end in spite of mistakes; `lenient` ignores unknown names, as ST's tool does."""
    reading = Reading()
    try:
        _read_members(content.decode(), reading, lenient=lenient)
    except UnicodeDecodeError as exc:
        reading.mistakes.append(Mistake(f"byte {exc.start}", "not UTF-8"))
    except json.JSONDecodeError as exc:
        reading.mistakes.append(Mistake(f"line {exc.lineno}, column {exc.colno}", f"not JSON: {exc.msg}"))
    return reading


def to_json(data: FactoryData, *, reveal: bool = False) -> dict[str, str | list[str]]:
    """ST's JSON as an object; without `reveal`, descriptions replace the secrets."""
    return {tag.name: _shown(data, tag, reveal=reveal) for tag in sorted(data.records)}


def _shown(data: FactoryData, tag: Tag, *, reveal: bool) -> str | list[str]:
    value = data.records[tag]
    if tag in SECRET and not reveal:
        return hidden(tag, value)
    match FORMS[tag]:
        case Number():
            return str(int.from_bytes(value, "little"))
        case Text():
            return value.decode()
        case Octets():
            return [f"0x{byte:02x}" for byte in value]


def hidden(tag: Tag, value: bytes) -> str:
    """The text shown in place of a secret."""
    return "<Passcode>" if tag is Tag.SPAKE2_SETUP_PASSCODE else f"<{len(value)} bytes, not shown>"


class _Cursor:
    """Walks JSON text and keeps the place; the library reads the values. Raises `JSONDecodeError`."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text = text
        self.at = at

    def take(self, character: str) -> bool:
        self._skip_space()
        found = self.text.startswith(character, self.at)
        self.at += found
        return found

    def expect(self, character: str) -> None:
        if not self.take(character):
            raise json.JSONDecodeError(f"{character} is expected", self.text, self.at)

    def expect_end(self) -> None:
        self._skip_space()
        if self.at != len(self.text):
            raise json.JSONDecodeError("something follows the object", self.text, self.at)

    def items(self, closing: str) -> Iterator[None]:
        """Stops in front of each item of the array or object that was just entered, and leaves it."""
        if self.take(closing):
            return
        yield
        while not self.take(closing):
            self.expect(",")
            yield

    def value(self) -> tuple[int, object]:
        """The place where the next value begins, and the value."""
        self._skip_space()
        start = self.at
        try:
            value, self.at = _DECODER.raw_decode(self.text, start)
        except RecursionError:
            raise json.JSONDecodeError("nested too deeply", self.text, start) from None
        return start, value

    def name(self) -> tuple[int, str]:
        """The place where the next name begins, and the name; also takes its colon."""
        start, name = self.value()
        if not isinstance(name, str):
            raise json.JSONDecodeError("a name in quotes is expected", self.text, start)
        self.expect(":")
        return start, name

    def _skip_space(self) -> None:
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at


@dataclass(frozen=True, slots=True)
class _Member:
    """A name of the object and its value, with the places of both."""

    text: str
    name: str
    name_at: int
    value: object
    value_at: int

    @property
    def place(self) -> str:
        return _place(self.text, self.name_at)

    def mistake(self, reason: str) -> Mistake:
        return Mistake(f"{self.place}, {ascii(self.name)[1:-1]:.40}", reason)

    def elements(self) -> Iterator[tuple[int, object]]:
        """The place where each element of the array begins, and the element."""
        cursor = _Cursor(self.text, self.value_at)
        cursor.expect("[")
        for _ in cursor.items("]"):
            yield cursor.value()


def _members(text: str) -> Iterator[_Member]:
    cursor = _Cursor(text)
    cursor.expect("{")
    for _ in cursor.items("}"):
        name_at, name = cursor.name()
        value_at, value = cursor.value()
        yield _Member(text, name, name_at, value, value_at)
    cursor.expect_end()


def _read_members(text: str, reading: Reading, *, lenient: bool) -> None:
    first_places: dict[str, str] = {}
    for member in _members(text):
        if member.name in first_places:
            reading.mistakes.append(member.mistake(f"occurs twice; first at {first_places[member.name]}"))
        elif member.name == "schema":
            if member.value != SCHEMA:
                reading.mistakes.append(member.mistake(f"{SCHEMA} is expected, the only version that there is"))
        elif member.name not in Tag.__members__:
            (reading.warnings if lenient else reading.mistakes).append(member.mistake(_unknown(member.name)))
        else:
            encoded = _encoded(member, FORMS[Tag[member.name]])
            if isinstance(encoded, bytes):
                reading.records[Tag[member.name]] = encoded
            else:
                reading.mistakes += encoded
        first_places.setdefault(member.name, member.place)


def _unknown(name: str) -> str:
    near = get_close_matches(name.upper(), Tag.__members__, n=1)
    return f"unknown name; {near[0]} is near" if near else "unknown name"


def _encoded(member: _Member, form: Number | Octets | Text) -> bytes | list[Mistake]:
    """The record's value, or its mistake."""
    match form, member.value:
        case Number(), str() as text if (number := _number(text)) is not None:
            problem = form.problem_with(number)
            return [member.mistake(problem)] if problem else number.to_bytes(form.size, "little")
        case Number(), _:
            return [member.mistake('a number in quotes is expected, decimal or hexadecimal: "3840" or "0xF00"')]
        case Text(), str() as text:
            return _checked(member, form, text.encode(errors="surrogatepass"))  # half a pair is then not UTF-8
        case Text(), _:
            return [member.mistake("a string is expected")]
        case Octets(), list():
            return _octets(member, form)
        case _:
            return [member.mistake('an array of bytes is expected: ["0x30", "0x82"]')]


def _number(text: str) -> int | None:
    """The number; None for text that is none. Blanks around it, a plus sign and single underscores between digits are allowed."""
    digits = text.strip(_BLANKS)
    if len(digits) > _LONGEST_NUMBER or not _NUMBER.fullmatch(digits):
        return None
    return int(digits, 16 if digits[:2] in {"0x", "0X"} else 10)


def _octets(member: _Member, form: Octets) -> bytes | list[Mistake]:
    octets = bytearray()
    mistakes: list[Mistake] = []
    for number, (at, element) in enumerate(member.elements(), 1):
        if isinstance(element, str) and _BYTE.fullmatch(digits := element.strip(_BLANKS)):
            octets.append(int(digits, 16))
        else:
            place = f"{_place(member.text, at)}, {member.name}, byte {number}"
            mistakes.append(Mistake(place, 'one or two hexadecimal digits are expected: "0x30"'))
    return mistakes or _checked(member, form, bytes(octets))


def _checked(member: _Member, form: Octets | Text, value: bytes) -> bytes | list[Mistake]:
    problem = form.problem(value)
    return [member.mistake(problem)] if problem else value


def _place(text: str, at: int) -> str:
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return f"line {line}, column {column}"
