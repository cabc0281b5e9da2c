# SPDX-License-Identifier: Apache-2.0
"""Passcode and discriminator: the secret that a commissioner must know, and the number it finds the unit by. Pure.

Neither can be built with a wrong value. Random ones come from the operating system's source.
"""

import secrets
from dataclasses import dataclass
from typing import Self

PASSCODES = range(1, 99_999_999)
# Matter Core Specification 5.1.7.1; 00000000 and 99999999 fall to the range.
TRIVIAL_PASSCODES = frozenset(int(digit * 8) for digit in "12345678") | {12345678, 87654321}


@dataclass(frozen=True, slots=True, repr=False)
class Passcode:
    """The setup passcode: 1 to 99999998 without the trivial values. Secret, so its `repr` hides it."""

    value: int

    def __post_init__(self) -> None:
        if not _is_allowed(self.value):
            raise ValueError("a passcode is 1 to 99999998 and none of the trivial ones")

    def __repr__(self) -> str:
        return "<Passcode>"

    @property
    def digits(self) -> str:
        """Its eight digits, as a label shows them."""
        return f"{self.value:08}"

    @classmethod
    def random(cls) -> Self:
        """A random passcode; every allowed one is equally likely."""
        while not _is_allowed(value := secrets.randbits(27)):
            pass
        return cls(value)


@dataclass(frozen=True, slots=True)
class Discriminator:
    """The 12-bit number that a unit advertises until it is commissioned."""

    value: int

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 0xFFF:
            raise ValueError(f"a discriminator has 12 bits: {self.value} does not fit")

    @property
    def short(self) -> int:
        """The top four bits: all that a manual pairing code carries."""
        return self.value >> 8

    @classmethod
    def random(cls) -> Self:
        return cls(secrets.randbits(12))


def _is_allowed(passcode: int) -> bool:
    return passcode in PASSCODES and passcode not in TRIVIAL_PASSCODES
