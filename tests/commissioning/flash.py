# SPDX-License-Identifier: Apache-2.0
"""Reads a board's external flash and its label's code with code that shares nothing with the station. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

FACTORY_DATA = 0x1C0000  # from the beginning of the external flash
END_MARK = 0xACACACAC


class Tag(IntEnum):
    """ST's numbers of the records from which a light is made."""

    CERTIFICATION_DECLARATION = 1
    DAC = 3
    PAI = 4
    DAC_PRIVATE_KEY = 5
    DISCRIMINATOR = 11
    ITERATIONS = 12
    SALT = 13
    VERIFIER = 14
    PASSCODE = 15
    VENDOR_NAME = 21
    VENDOR_ID = 22
    PRODUCT_NAME = 23
    PRODUCT_ID = 24
    SERIAL_NUMBER = 25
    MANUFACTURING_DATE = 26
    HARDWARE_VERSION = 27
    HARDWARE_VERSION_STRING = 28


OCTETS = frozenset({Tag.CERTIFICATION_DECLARATION, Tag.DAC, Tag.PAI, Tag.DAC_PRIVATE_KEY, Tag.SALT, Tag.VERIFIER})
TEXTS = frozenset(
    {
        Tag.VENDOR_NAME,
        Tag.PRODUCT_NAME,
        Tag.SERIAL_NUMBER,
        Tag.MANUFACTURING_DATE,
        Tag.HARDWARE_VERSION_STRING,
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class Flash:
    """The records of one board; its passcode, key, salt and verifier are secret."""

    records: Mapping[int, bytes]

    @classmethod
    def of(cls, image: bytes) -> "Flash":
        """Records of tag, length and value, little-endian, up to the end mark in place of a tag."""
        records = {}
        position = FACTORY_DATA
        while (tag := int.from_bytes(image[position : position + 4], "little")) != END_MARK:
            begin = position + 8
            end = begin + int.from_bytes(image[position + 4 : begin], "little")
            assert end + 4 <= len(image), f"no end mark, and no record at {position:#x}"
            records[tag] = image[begin:end]
            position = end
        return cls(MappingProxyType(records))

    def number(self, tag: Tag) -> int:
        return int.from_bytes(self.records[tag], "little")

    def having(self, tag: Tag, value: bytes) -> "Flash":
        return Flash({**self.records, tag: value})

    def with_flipped_bit(self, tag: Tag, at: int) -> "Flash":
        """Flips the lowest bit of the record's byte `at`; a negative `at` counts from the end."""
        value = bytearray(self.records[tag])
        value[at] ^= 1
        return self.having(tag, bytes(value))

    def light(self) -> dict[str, object]:
        """The values from which a light is made; the passcode is not among them, since a light does not know it."""
        values: dict[str, object] = {}
        for tag in set(Tag) - {Tag.PASSCODE}:
            if tag in OCTETS:
                values[tag.name.lower()] = self.records[tag].hex()
            elif tag in TEXTS:
                values[tag.name.lower()] = self.records[tag].decode()
            else:
                values[tag.name.lower()] = self.number(tag)
        return values

    def label(self, *, discriminator: int | None = None, passcode: int | None = None) -> str:
        """The QR code of this board's label, optionally with one number replaced."""
        return qr_code(
            self.number(Tag.VENDOR_ID),
            self.number(Tag.PRODUCT_ID),
            self.number(Tag.DISCRIMINATOR) if discriminator is None else discriminator,
            self.number(Tag.PASSCODE) if passcode is None else passcode,
        )


BASE38 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-."
BLUETOOTH = 2  # the discovery capability of a light without a network


def qr_code(vendor: int, product: int, discriminator: int, passcode: int) -> str:
    """`MT:` and 88 bits, lowest first: version, vendor, product, flow, discovery, discriminator, passcode, padding."""
    bits = position = 0
    fields = [(0, 3), (vendor, 16), (product, 16), (0, 2), (BLUETOOTH, 8), (discriminator, 12), (passcode, 27), (0, 4)]
    for value, width in fields:
        bits |= value << position
        position += width
    octets = bits.to_bytes(11, "little")
    digits = ""
    for begin, length, characters in [(0, 3, 5), (3, 3, 5), (6, 3, 5), (9, 2, 4)]:
        value = int.from_bytes(octets[begin : begin + length], "little")
        for _ in range(characters):
            value, digit = divmod(value, 38)
            digits += BASE38[digit]
    return f"MT:{digits}"
