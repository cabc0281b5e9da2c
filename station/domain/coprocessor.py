# SPDX-License-Identifier: Apache-2.0
"""The wireless coprocessor: the versions that its firmware upgrade service (FUS) reports, and the required stack. Pure."""

from dataclasses import dataclass
from typing import Self

from station.domain.attempt import CoprocessorReady
from station.domain.product import Flashable
from station.faults.unit import FUSOutdated, StackUnseen

HIGHEST_MAJOR = 9  # FUS has 2 and a stack 1; without FUS the word is arbitrary, such as 19
NO_STACK = frozenset({0, 0xFFFFFFFF})


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version of four bytes; the last one holds release type and branch."""

    major: int
    minor: int
    sub: int
    last: int = 0

    @classmethod
    def of_word(cls, word: int) -> Self:
        return cls(*word.to_bytes(4))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses a text such as 1.24.0.3; raises `ValueError`."""
        numbers = text.split(".")
        if len(numbers) != 4 or not all(each.isascii() and each.isdecimal() and int(each) <= 0xFF for each in numbers):
            raise ValueError(f"{text} is not a version such as 1.24.0.3, four numbers up to 255")
        return cls(*map(int, numbers))

    @classmethod
    def of_fus(cls, text: str) -> Self:
        """ST writes FUS versions with three numbers."""
        return cls.parse(f"{text}.0" if text.count(".") == 2 else text)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.sub}.{self.last}"


@dataclass(frozen=True, slots=True)
class CoprocessorVersions:
    """The versions that a running FUS reports; `stack` is None if there is no stack."""

    fus: Version
    stack: Version | None

    @classmethod
    def of_words(cls, words: bytes) -> Self | None:
        """Decodes the two words in memory; None for words that FUS cannot have written."""
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
    """The stack's image, signed and encrypted by ST: only the coprocessor can read it.

    Without `version` the station cannot know whether a board has this stack already.
    """

    version: Version | None = None
    smallest_fus: Version | None = None

    @property
    def expected(self) -> str:
        return str(self.version) if self.version else f"a wireless stack from {self.name}"

    def stands(self, versions: CoprocessorVersions) -> bool:
        """Whether the versions alone prove that this stack is installed."""
        return self.version is not None and versions.stack == self.version

    def check_fus(self, versions: CoprocessorVersions) -> None:
        """Raises `FUSOutdated` if the board's FUS is older than this stack needs."""
        if self.smallest_fus is not None and versions.fus < self.smallest_fus:
            raise FUSOutdated(str(versions.fus), str(self.smallest_fus))

    def check_seen(self, seen: CoprocessorReady | None) -> None:
        """Raises `StackUnseen` unless an earlier attempt on this board has proven that this stack is installed."""
        if seen is None:
            raise StackUnseen(self.expected, "none")
        right = seen.after == str(self.version) if self.version else seen.image == self.sha256
        if not right:
            raise StackUnseen(self.expected, seen.after)
