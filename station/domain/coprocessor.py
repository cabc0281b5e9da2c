# SPDX-License-Identifier: Apache-2.0
"""The wireless coprocessor: its versions, as its firmware upgrade service (FUS) tells them, and the stack it must have. Pure."""

from dataclasses import dataclass
from typing import Self

from station.domain.attempt import CoprocessorReady
from station.domain.product import Flashable
from station.faults.unit import FUSOutdated, StackUnseen

HIGHEST_MAJOR = 9  # FUS is at 2, the stack at 1; without FUS there stands anything, such as 19
NO_STACK = frozenset({0, 0xFFFFFFFF})


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Four numbers of a byte each: the last holds release type and branch."""

    major: int
    minor: int
    sub: int
    last: int = 0

    @classmethod
    def of_word(cls, word: int) -> Self:
        return cls(*word.to_bytes(4))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of a text like 1.24.0.3; `ValueError` for another."""
        numbers = text.split(".")
        if len(numbers) != 4 or not all(each.isascii() and each.isdecimal() and int(each) <= 0xFF for each in numbers):
            raise ValueError(f"{text} is not a version such as 1.24.0.3, four numbers up to 255")
        return cls(*map(int, numbers))

    @classmethod
    def of_fus(cls, text: str) -> Self:
        """ST names those of FUS by three numbers."""
        return cls.parse(f"{text}.0" if text.count(".") == 2 else text)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.sub}.{self.last}"


@dataclass(frozen=True, slots=True)
class CoprocessorVersions:
    """What a started FUS tells; `stack` is None where there is no stack."""

    fus: Version
    stack: Version | None

    @classmethod
    def of_words(cls, words: bytes) -> Self | None:
        """Of the two words as they stand in memory; None for garbage, which proves nothing."""
        if len(words) != 8:
            return None
        fus_word, stack_word = (int.from_bytes(words[at : at + 4], "little") for at in (0, 4))
        fus, stack = Version.of_word(fus_word), Version.of_word(stack_word)
        if fus_word in NO_STACK or fus.major > HIGHEST_MAJOR:
            return None
        if stack_word in NO_STACK:
            return cls(fus, None)
        return cls(fus, stack) if 0 < stack.major <= HIGHEST_MAJOR else None

    @property
    def stack_said(self) -> str:
        return str(self.stack) if self.stack else "none"


@dataclass(frozen=True)
class WirelessStack(Flashable):
    """The image that every board's coprocessor gets, signed by ST: nobody but the coprocessor can look into it.

    Without `version` nobody has said which one it holds, and no board can be known to have it already.
    """

    version: Version | None = None
    smallest_fus: Version | None = None

    @property
    def expected(self) -> str:
        return str(self.version) if self.version else f"a wireless stack from {self.name}"

    def stands(self, versions: CoprocessorVersions) -> bool:
        """Whether the versions alone prove that this stack is there."""
        return self.version is not None and versions.stack == self.version

    def check_fus(self, versions: CoprocessorVersions) -> None:
        if self.smallest_fus is not None and versions.fus < self.smallest_fus:
            raise FUSOutdated(str(versions.fus), str(self.smallest_fus))

    def check_seen(self, seen: CoprocessorReady | None) -> None:
        """An earlier attempt on this board has proven that this stack is there."""
        if seen is None:
            raise StackUnseen(self.expected, "none")
        right = seen.after == str(self.version) if self.version else seen.image == self.sha256
        if not right:
            raise StackUnseen(self.expected, seen.after)
