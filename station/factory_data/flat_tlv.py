# SPDX-License-Identifier: Apache-2.0
"""ST's factory data: a unit's list of records, and its bytes in flash. Pure.

A record is tag (4), length (4), value, little-endian; a magic word in place of a tag ends the list. Not Matter TLV.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from station.faults.line import FactoryDataInvalid
from station.faults.unit import ReadbackInvalid
from station.matter.onboarding.passcode import PASSCODES, TRIVIAL_PASSCODES, Discriminator, Passcode

END_MARK = 0xACACACAC
BLOCK_SIZE = 0x4000  # the block that ST's provisioning firmware reads, erases and rewrites as one
REGION_SIZE = 0x10000  # 0x901C0000 to 0x901CFFFF in the external flash of the STM32WB5MM-DK
OFFSET_IN_FLASH = 0x1C0000  # the region, in a dump of that flash from 0x90000000
LONGEST_VALUE = 602  # ST's operational firmware stops reading at a record of length 0, or of 603 and above
LONGEST_CERTIFICATE = 600  # the same firmware's buffer; Matter's kMaxDERCertLength
_WORD = 4
_ERASED = 0xFFFFFFFF


class Tag(IntEnum):
    """Every kind of record; the names are those of ST's JSON."""

    CERTIFICATION_DECLARATION = 1
    FIRMWARE_INFORMATION = 2
    DEVICE_ATTESTATION_CERTIFICATE = 3
    PAI_CERTIFICATE = 4
    DEVICE_ATTESTATION_PRIV_KEY = 5
    DEVICE_ATTESTATION_PUB_KEY = 6
    SETUP_DISCRIMINATOR = 11
    SPAKE2_ITERATION_COUNT = 12
    SPAKE2_SALT = 13
    SPAKE2_VERIFIER = 14
    SPAKE2_SETUP_PASSCODE = 15
    VENDOR_NAME = 21
    VENDOR_ID = 22
    PRODUCT_NAME = 23
    PRODUCT_ID = 24
    SERIAL_NUMBER = 25
    MANUFACTURING_DATE = 26
    HARDWARE_VERSION = 27
    HARDWARE_VERSION_STRING = 28
    ROTATING_DEVICE_ID = 29
    TAG_ID_ENABLE_KEY = 41


SECRET = frozenset(
    {
        Tag.DEVICE_ATTESTATION_PRIV_KEY,
        Tag.SPAKE2_SALT,  # secret, since with the verifier it lets anybody try all passcodes
        Tag.SPAKE2_VERIFIER,
        Tag.SPAKE2_SETUP_PASSCODE,
        Tag.ROTATING_DEVICE_ID,
        Tag.TAG_ID_ENABLE_KEY,
    }
)


@dataclass(frozen=True, slots=True)
class Number:
    """An unsigned number that fills exactly `size` bytes: the firmware copies them as they are."""

    size: int
    allowed: range
    never: frozenset[int] = frozenset()

    def problem(self, value: bytes) -> str | None:
        if len(value) != self.size:
            return f"{len(value)} bytes; exactly {self.size} are expected"
        return self.problem_with(int.from_bytes(value, "little"))

    def problem_with(self, number: int) -> str | None:
        """The mistake in the number, without the number itself, which may be secret."""
        if number not in self.allowed:
            return f"out of range; {self.allowed[0]} to {self.allowed[-1]} is expected"
        return "one of the trivial values, which Matter forbids" if number in self.never else None


@dataclass(frozen=True, slots=True)
class Octets:
    """Bytes that the container does not interpret."""

    longest: int = LONGEST_VALUE
    shortest: int = 1
    begins: bytes = b""

    def problem(self, value: bytes) -> str | None:
        if not self.shortest <= len(value) <= self.longest:
            return f"{len(value)} bytes; {_extent(self.shortest, self.longest)} expected"
        return None if value.startswith(self.begins) else f"it must begin with {self.begins.hex()}"


@dataclass(frozen=True, slots=True)
class Text:
    """UTF-8, as ST's tool writes it without a terminating NUL."""

    longest: int = LONGEST_VALUE

    def problem(self, value: bytes) -> str | None:
        if not 1 <= len(value) <= self.longest:
            return f"{len(value)} bytes; {_extent(1, self.longest)} expected"
        try:
            value.decode()
        except UnicodeDecodeError:
            return "not UTF-8"
        return None


def _extent(shortest: int, longest: int) -> str:
    return f"exactly {longest} are" if shortest == longest else f"{shortest} to {longest} are"


_U16 = Number(2, range(0x10000))
FORMS: Mapping[Tag, Number | Octets | Text] = MappingProxyType(
    {
        Tag.CERTIFICATION_DECLARATION: Octets(),
        Tag.FIRMWARE_INFORMATION: Octets(),
        Tag.DEVICE_ATTESTATION_CERTIFICATE: Octets(LONGEST_CERTIFICATE),
        Tag.PAI_CERTIFICATE: Octets(LONGEST_CERTIFICATE),
        Tag.DEVICE_ATTESTATION_PRIV_KEY: Octets(32, 32),
        Tag.DEVICE_ATTESTATION_PUB_KEY: Octets(65, 65, begins=b"\x04"),
        Tag.SETUP_DISCRIMINATOR: Number(2, range(0x1000)),
        Tag.SPAKE2_ITERATION_COUNT: Number(4, range(1_000, 100_001)),
        Tag.SPAKE2_SALT: Octets(32, 16),
        Tag.SPAKE2_VERIFIER: Octets(97, 97),
        Tag.SPAKE2_SETUP_PASSCODE: Number(4, PASSCODES, never=TRIVIAL_PASSCODES),
        Tag.VENDOR_NAME: Text(),
        Tag.VENDOR_ID: _U16,
        Tag.PRODUCT_NAME: Text(),
        Tag.PRODUCT_ID: _U16,
        Tag.SERIAL_NUMBER: Text(),
        Tag.MANUFACTURING_DATE: Text(),
        Tag.HARDWARE_VERSION: _U16,
        Tag.HARDWARE_VERSION_STRING: Text(),
        Tag.ROTATING_DEVICE_ID: Text(),
        Tag.TAG_ID_ENABLE_KEY: Text(),
    }
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in factory data, with its place and without the value, which may be secret."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


def refuse(mistakes: Sequence[Mistake]) -> None:
    """Raises `FactoryDataInvalid` with every mistake, if there is any."""
    if mistakes:
        first, *others = mistakes
        raise FactoryDataInvalid(first.place, "; ".join([first.reason, *map(str, others)]))


@dataclass(frozen=True, slots=True, repr=False)
class FactoryData:
    """The records of one unit. A value that the firmware could not use is refused with `FactoryDataInvalid`."""

    records: Mapping[Tag, bytes]

    def __post_init__(self) -> None:
        problems = {tag: FORMS[tag].problem(value) for tag, value in self.records.items()}
        refuse([Mistake(tag.name, problem) for tag, problem in problems.items() if problem])
        object.__setattr__(self, "records", MappingProxyType(dict(self.records)))

    def __repr__(self) -> str:
        return f"<FactoryData, {len(self.records)} records>"

    def number(self, tag: Tag) -> int | None:
        return int.from_bytes(self.records[tag], "little") if tag in self.records else None

    def text(self, tag: Tag) -> str | None:
        return self.records[tag].decode() if tag in self.records else None

    def octets(self, tag: Tag) -> bytes | None:
        return self.records.get(tag)

    @property
    def passcode(self) -> Passcode | None:
        number = self.number(Tag.SPAKE2_SETUP_PASSCODE)
        return None if number is None else Passcode(number)

    @property
    def discriminator(self) -> Discriminator | None:
        number = self.number(Tag.SETUP_DISCRIMINATOR)
        return None if number is None else Discriminator(number)


def encode(data: FactoryData) -> bytes:
    """The bytes that ST's tool writes: records in ascending order of tags, then the magic word.

    Their total length needs no check: all records at their longest fit in the block, and no record can occur twice.
    """
    records = (_word(tag) + _word(len(value)) + value for tag, value in sorted(data.records.items()))
    return b"".join(records) + _word(END_MARK)


def decode(data: bytes) -> FactoryData:
    """Reads a block, a dump of its region, or a dump of the whole external flash from 0x90000000.

    Records may come in any order. The end mark may be alone (ST's tool) or have a length of 0xFFFFFFFF (ST's firmware);
    bytes behind it are ignored. Anything else is refused with `FactoryDataInvalid` and its offset.
    """
    start = OFFSET_IN_FLASH if len(data) > REGION_SIZE else 0
    records: dict[Tag, bytes] = {}
    mistakes: list[Mistake] = []
    for found in _walk(data[start : start + BLOCK_SIZE]):
        problem = _problem_of(found, records)
        if problem:
            mistakes.append(Mistake(f"offset 0x{start + found.offset:X}", problem))
        elif isinstance(found, _Record):
            records[Tag(found.tag)] = found.value
    refuse(mistakes)
    return FactoryData(records)


def decode_readback(data: bytes) -> FactoryData:
    """Like `decode`, for bytes read from a board: raises the board's fault, `ReadbackInvalid`."""
    try:
        return decode(data)
    except FactoryDataInvalid as exc:
        raise ReadbackInvalid(f"{exc.place}: {exc.reason}") from exc


@dataclass(frozen=True, slots=True)
class _Record:
    offset: int
    tag: int
    value: bytes


@dataclass(frozen=True, slots=True)
class _Break:
    """The place where the list becomes unreadable, and the reason."""

    offset: int
    reason: str


def _walk(block: bytes) -> Iterator[_Record | _Break]:
    """The records up to the end mark, or up to a break."""
    at = 0
    while block[at : at + _WORD] != _word(END_MARK):
        tag, length = (int.from_bytes(block[i : i + _WORD], "little") for i in (at, at + _WORD))
        value = block[at + 2 * _WORD :][:length]
        if reason := _cannot_follow(block[at:], tag, length, value):
            yield _Break(at, reason)
            return
        yield _Record(at, tag, value)
        at += 2 * _WORD + length
    if block[at + _WORD : at + 2 * _WORD] not in {b"", _word(_ERASED)}:
        yield _Break(at + _WORD, "the end mark must be followed by nothing or by 0xFFFFFFFF")


def _cannot_follow(rest: bytes, tag: int, length: int, value: bytes) -> str | None:
    if not rest:
        return "the end mark 0xACACACAC is missing"
    if tag == _ERASED:
        return "erased flash, where a record or the end mark 0xACACACAC is expected"
    if len(rest) < 2 * _WORD:
        return "the record is cut off within its tag and length"
    if not 1 <= length <= LONGEST_VALUE:
        return f"the record with tag {tag} has length {length}; the firmware stops reading unless it is 1 to 602"
    if len(value) < length:
        return f"the record with tag {tag} is cut off: {len(value)} of {length} bytes"
    return None


def _problem_of(found: _Record | _Break, earlier: Mapping[Tag, bytes]) -> str | None:
    if isinstance(found, _Break):
        return found.reason
    if found.tag not in FORMS:
        return f"there is no tag {found.tag}"
    tag = Tag(found.tag)
    if tag in earlier:
        return f"{tag.name} occurs twice; the firmware takes the first"
    problem = FORMS[tag].problem(found.value)
    return f"{tag.name}: {problem}" if problem else None


def _word(value: int) -> bytes:
    return value.to_bytes(_WORD, "little")
