# SPDX-License-Identifier: Apache-2.0
"""Values that recipes are made of: firmware images, writes, locks, trust anchors, and a product's settings. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from station.domain.target import RDP_LEVEL_2, Region, Target, differing
from station.faults.unit import LockUnproven
from station.link.messages import KeyStorage as KeyStorage  # noqa: PLC0414  the domain has this word from the link

WB55_DEVICE_ID = 0x495
FULL_VERIFY_EVERY = 50  # `-v fast` is weaker evidence: every 50th unit is verified in full


class Verify(StrEnum):
    """How the programmer verifies a write; `fast` compares a checksum of each sector."""

    FULL = "full"
    FAST = "fast"


class Trust(StrEnum):
    """Whether test VIDs, test PAAs and the test CD key are allowed."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Strings(StrEnum):
    """Whether vendor name, product name and serial number end with NUL in flash: ST's tool writes none, newer firmware needs it."""

    PLAIN = "plain"
    TERMINATED = "terminated"


@dataclass(frozen=True)
class Flashable:
    """A file's content, read before the line opens. Later changes to the file do not change what is flashed."""

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
    """One `-d` of the programmer: content, address and verification. It may be secret, so it is never written to disk."""

    name: str
    address: int
    content: bytes
    verify: Verify
    external: bool

    @property
    def size(self) -> int:
        return len(self.content)

    def __repr__(self) -> str:
        return f"<Write {self.name} 0x{self.address:08X}>"


@dataclass(frozen=True, slots=True)
class Lock:
    """The option bytes that lock a confirmed unit, `RDP` among them. RDP level 2 locks out everybody for ever."""

    option_bytes: Mapping[str, int]

    @property
    def closes_for_ever(self) -> bool:
        return self.option_bytes["RDP"] == RDP_LEVEL_2

    def difference(self, target: Target) -> LockUnproven | None:
        """The fault for the first option byte that differs on the target; None if there is none."""
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
