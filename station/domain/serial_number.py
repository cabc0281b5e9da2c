# SPDX-License-Identifier: Apache-2.0
"""The pattern of a lot's serial numbers: text with one decimal number in it. Pure.

The notation is a small part of Python's format strings: the full language could read attributes or exhaust the memory.
"""

import re
from dataclasses import dataclass
from typing import Self

LONGEST = 32  # bytes, Matter Core specification 11.1.5.16
EXAMPLE = '"LIGHT-{:06d}", which makes LIGHT-000001'

_PIECE = re.compile(r"\{\{|\}\}|(?P<field>\{[^{}]*\})|(?P<stray>[{}])|[^{}]+")
_DECIMAL = re.compile(r"\{0?(?::(?:0(?P<digits>[1-9][0-9]?))?d?)?\}")


@dataclass(frozen=True, slots=True)
class SerialNumberPattern:
    """Literal text around one number with a minimum number of digits."""

    before: str
    after: str
    digits: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses a text such as LIGHT-{:06d}, with {{ and }} for literal braces; the `ValueError` names the mistake.

        Only decimal digits are allowed, since people read serial numbers aloud, count and compare them.
        """
        literals, digits = [""], list[int]()
        for piece in _PIECE.finditer(text):
            if piece["stray"]:
                raise ValueError(f"it has a single {piece['stray']}; for that character on the label write it twice")
            if piece["field"]:
                digits.append(_digits(piece["field"]))
                literals.append("")
            else:
                literals[-1] += {"{{": "{", "}}": "}"}.get(piece[0], piece[0])
        if len(digits) != 1:
            raise ValueError(f"it has {len(digits) or 'no'} numbers, one is expected")
        before, after = literals
        return cls(before, after, digits[0])

    def made(self, number: int) -> str:
        """The serial number with this number in it."""
        return f"{self.before}{number:0{self.digits}d}{self.after}"

    def check(self, last: int) -> None:
        """Raises `ValueError` if a serial number with a number up to `last` is too long for Matter or cannot be printed."""
        longest = LONGEST - len(self.before) - len(self.after)
        if longest < self.digits or last >= 10**longest:
            raise ValueError(
                f"the last serial number would have more than {LONGEST} characters, "
                f"{LONGEST - longest} of them outside its number"
            )
        if self.digits > 1 and last >= 10**self.digits:
            needed = len(str(last))
            raise ValueError(
                f"its number has {self.digits} digits, and the lot's last number {last} needs {needed}: the labels would "
                f"differ in length; did you mean {{:0{needed}d}}?"
            )
        text = self.made(last)
        if not (text.isascii() and text.isprintable()) or text != text.strip():
            raise ValueError(f"{text!a} has characters that cannot be printed, are not ASCII, or are blanks at an end")


def _digits(field: str) -> int:
    found = _DECIMAL.fullmatch(field)
    if found is None:
        raise ValueError(f"{field} is no decimal number; {{}}, {{:d}} and {{:06d}} are, the last with zeros in front")
    digits = int(found["digits"] or 1)
    if digits > LONGEST:
        raise ValueError(f"{field} asks for {digits} digits, and a serial number has {LONGEST} characters at most")
    return digits
