# SPDX-License-Identifier: Apache-2.0
"""The people who may change something at the operator's page and through the API: their roles, names and PINs. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum

SHORTEST_PIN, LONGEST_PIN = 6, 12  # digits
LONGEST_NAME = 40
_NAME = re.compile(r"[^\W_](?:[\w .'@+-]*[\w.])?")
_EASY = "01234567890123456789"


class Role(StrEnum):
    """What somebody may do; each role may do what the ones before it may."""

    READER = "reader"
    """Reads the page where other PCs reach it, and changes nothing: a screen on the wall, Prometheus, a MES."""
    OPERATOR = "operator"
    """Takes slots out of service."""
    ENGINEER = "engineer"
    """Also releases slots and the line."""

    @property
    def named(self) -> str:
        """The role in a sentence."""
        return f"{'an' if self.value[0] in 'aeiou' else 'a'} {self.value}"

    def may(self, needed: "Role") -> bool:
        """Whether somebody of this role may do what needs `needed`."""
        roles = list(Role)
        return roles.index(self) >= roles.index(needed)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a PIN, or a program with a token."""

    name: str
    role: Role


def mistake_in_pin(pin: str) -> str | None:
    """Why the PIN is none that a person may have; the sentence never has the PIN."""
    if not (pin.isascii() and pin.isdecimal() and SHORTEST_PIN <= len(pin) <= LONGEST_PIN):
        return f"a PIN has {SHORTEST_PIN} to {LONGEST_PIN} digits"
    if len(set(pin)) == 1 or pin in _EASY or pin[::-1] in _EASY:
        return "this PIN is the first that anybody tries"
    return None


def mistake_in_name(name: str) -> str | None:
    """Why this is no name for the ledger's records."""
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        expected = f"at most {LONGEST_NAME} letters, digits, blanks and any of .'@+-, with a letter or digit in front"
        return f'found "{name[:LONGEST_NAME]}", expected {expected}'
    return None
