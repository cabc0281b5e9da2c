# SPDX-License-Identifier: Apache-2.0
"""The serial numbers of a lot as ranges that compare, whatever the notation of their patterns. Pure.

Two patterns may make one serial number: L-{:04d} and L-0{:03d} both make L-0012. So a range is kept as its shape, the
serial number with a mark in place of each digit, and the digits of its first and last serial number.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from station.domain.serial_number import SerialNumberPattern

DIGIT = "•"  # no serial number has it: all are ASCII
_DIGITS = re.compile("[0-9]")
_OTHERS = re.compile("[^0-9]")


def shape_of(serial_number: str) -> str:
    return _DIGITS.sub(DIGIT, serial_number)


def digits_of(text: str) -> str:
    return _OTHERS.sub("", text)


@dataclass(frozen=True, slots=True)
class SerialRange:
    """Serial numbers of one shape.

    `low` and `high` are all digits of the first and the last one, `fixed` those behind the number, which all of them have.
    """

    shape: str
    fixed: str
    low: str
    high: str
    first: str
    """The first serial number itself, and the last."""
    last: str

    def meets(self, other: "SerialRange") -> bool:
        """Whether the ranges may have a serial number in common.

        True for ranges that differ in the number of digits behind their number and only pass by one another: such patterns
        are refused rather than examined.
        """
        ends_alike = self.fixed.endswith(other.fixed) or other.fixed.endswith(self.fixed)
        return self.shape == other.shape and ends_alike and self.low <= other.high and other.low <= self.high

    def has(self, serial_number: str) -> bool:
        """Whether the serial number is one of the range."""
        digits = digits_of(serial_number)
        alike = shape_of(serial_number) == self.shape and digits.endswith(self.fixed)
        return alike and self.low <= digits <= self.high


def ranges(pattern: str, first: int, size: int) -> Iterator[SerialRange]:
    """The ranges of a lot, one for each length of its serial numbers; `ValueError` if the pattern does not fit them."""
    parsed, last = SerialNumberPattern.parse(pattern), first + size - 1
    parsed.check(last)
    number = first
    while number <= last:
        length = max(parsed.digits, len(str(number)))
        end = min(last, 10**length - 1)
        made, at_end = parsed.made(number), parsed.made(end)
        yield SerialRange(
            shape_of(made), digits_of(parsed.after), digits_of(made), digits_of(at_end), first=made, last=at_end
        )
        number = end + 1
