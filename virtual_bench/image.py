"""Placeholder images: how the bench's boards know what was flashed into them. Pure.

The layout is the one that firmware_images/ makes; only an image that is whole, at the right address, is one.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from virtual_bench.flash import Flash

MAGIC = b"BENCH IMAGE v1\0\0"
HEADER = 96
DIGEST = 32
RAM = range(0x20000000, 0x20030001)


class Kind(StrEnum):
    PROVISIONING_FLASH = "provisioning-flash"
    PROVISIONING_SECURE = "provisioning-secure"
    OPERATIONAL_FLASH = "operational-flash"
    OPERATIONAL_SECURE = "operational-secure"
    ST_DEMONSTRATION_FLASH = "st-demonstration-flash"
    ST_DEMONSTRATION_SECURE = "st-demonstration-secure"

    @property
    def secure(self) -> bool:
        return self in {Kind.PROVISIONING_SECURE, Kind.OPERATIONAL_SECURE, Kind.ST_DEMONSTRATION_SECURE}

    @property
    def provisioning(self) -> bool:
        return self in {Kind.PROVISIONING_FLASH, Kind.PROVISIONING_SECURE}

    @property
    def demonstration(self) -> bool:
        return self in {Kind.ST_DEMONSTRATION_FLASH, Kind.ST_DEMONSTRATION_SECURE}


@dataclass(frozen=True, slots=True)
class Image:
    kind: Kind
    version: str

    @classmethod
    def standing_in(cls, flash: Flash) -> Self | None:
        """The image that a reset would start; None if what stands there would crash."""
        return cls.beginning(flash.read(flash.base, flash.size), flash.base)

    @classmethod
    def beginning(cls, content: bytes, address: int) -> Self | None:
        """The image that these bytes at this address begin with, if they do."""
        stack, reset = _word(content, 0), _word(content, 4)
        size, load_address = _word(content, 24), _word(content, 28)
        if content[8:24] != MAGIC or load_address != address or not HEADER + DIGEST <= size <= len(content):
            return None
        if stack not in RAM or not reset & 1 or not address <= reset < address + size:
            return None
        if hashlib.sha256(content[: size - DIGEST]).digest() != content[size - DIGEST : size]:
            return None
        try:
            return cls(Kind(_text(content[32:64])), _text(content[64:80]))
        except ValueError:
            return None


def _word(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")


def _text(padded: bytes) -> str:
    return padded.rstrip(b"\0").decode("ascii")
