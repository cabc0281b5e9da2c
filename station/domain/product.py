# SPDX-License-Identifier: Apache-2.0
"""The parts of a recipe: firmware images, writes, locks, and the switches of a product. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from station.domain.memory_map import AGENT_IN_RAM
from station.domain.target import RDP_LEVEL_2, Region, Target, differing
from station.faults.unit import LockUnproven
from station.link.messages import KeyStorage as KeyStorage  # noqa: PLC0414  the domain has this word from the link

WB55_DEVICE_ID = 0x495
FULL_VERIFY_EVERY = 50  # `-v fast` is weaker evidence: every 50th unit is verified in full


class Verify(StrEnum):
    """How the programmer verifies a write; `fast` compares checksums per sector."""

    FULL = "full"
    FAST = "fast"


class Erase(StrEnum):
    """Which writes erase their pages first: all, or not those onto a new board, whose pages should be blank."""

    ALWAYS = "always"
    AS_NEEDED = "as-needed"


class Plan(StrEnum):
    """Where the provisioning firmware lies: in flash, in the operational firmware's place, or in RAM beside it."""

    FLASH = "flash"
    RAM = "ram"


class Trust(StrEnum):
    """Whether test VIDs, test PAAs and the test CD key are allowed."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class CommonName(StrEnum):
    """The common name in a board's certificate request: none, or its serial number."""

    NONE = "none"
    SERIAL_NUMBER = "serial-number"


class Strings(StrEnum):
    """Whether vendor name, product name and serial number end with NUL in flash: ST's tool writes none, newer firmware needs it."""

    PLAIN = "plain"
    TERMINATED = "terminated"


@dataclass(frozen=True)
class Flashable:
    """A file, read and hashed before the line opened: the checked bytes are flashed, even if the file has changed since."""

    name: str
    content: bytes = field(repr=False)
    address: int

    @property
    def region(self) -> Region:
        return Region(self.address, len(self.content))

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Image(Flashable):
    """A firmware image for the core that runs the application."""

    version: str


@dataclass(frozen=True, slots=True)
class Write:
    """One `-d` write of the programmer and its verification. The content may be secret and never gets a lasting file."""

    name: str
    address: int
    content: bytes
    verify: Verify
    external: bool

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def in_ram(self) -> bool:
        """Whether it is a load into RAM, which is not erased, and started instead of a reset."""
        return AGENT_IN_RAM.address <= self.address < AGENT_IN_RAM.end

    def __repr__(self) -> str:
        return f"<Write {self.name} 0x{self.address:08X}>"


@dataclass(frozen=True, slots=True)
class Lock:
    """The option bytes that lock a confirmed unit, with `RDP`. Level 2 locks it for ever, also against the station."""

    option_bytes: Mapping[str, int]

    @property
    def closes_for_ever(self) -> bool:
        return self.option_bytes["RDP"] == RDP_LEVEL_2

    def difference(self, target: Target) -> LockUnproven | None:
        """The first option byte of the target that differs, or None."""
        wrong = differing(target.option_bytes, self.option_bytes)
        return LockUnproven(*wrong) if wrong else None


class PresentedIdentity(Protocol):
    """The identity that an operational firmware reports."""

    @property
    def vendor_id(self) -> int: ...

    @property
    def product_id(self) -> int: ...

    @property
    def serial_number(self) -> str: ...

    @property
    def dac_serial_number(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """The PAI that the PKI issues under and the PAA above it, DER: pinned, never taken from the PKI's answers."""

    pai: bytes
    paa: bytes
