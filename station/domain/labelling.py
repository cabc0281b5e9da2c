# SPDX-License-Identifier: Apache-2.0
"""The labels of one unit: prints that are counted, of which only the newest is valid, and the scan that binds it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from station.domain.intervention import LONGEST_ACCOUNT, LONGEST_REASON, DecisionRefused, is_one_line
from station.domain.target import UID

MOST_COPIES = 99  # as many as a label has room to number


class LabelEvent(StrEnum):
    """The values are in ledgers."""

    PRINT_STARTED = "LabelPrintStarted"
    """Durable before a byte of the label leaves: from here on the print counts, whatever becomes of it."""
    PRINTED = "LabelPrinted"
    """The printer was in order afterwards, and had nothing left to print."""
    UNPROVEN = "LabelPrintUnproven"
    """The printer did not say that it has printed."""
    BOUND = "LabelBound"
    """The newest print was scanned, its passcode makes the board's verifier, and a person stuck it on that board."""
    MISMATCHED = "LabelMismatched"
    """The label of another unit was scanned at this board."""


class PrintReason(StrEnum):
    """Why a label is printed. The values are in ledgers."""

    FIRST = "first"
    DAMAGED = "damaged"
    JAM = "jam"
    LOST = "lost"
    TEST = "test"


class LabelStage(StrEnum):
    """What is next for the label of a unit that has passed. The values are on the page's wire."""

    NONE = "none"
    """This unit gets none."""
    DUE = "due"
    """It waits for the printer."""
    PRINTED = "printed"
    """It waits for its scan at the board."""
    BOUND = "bound"
    """It is on its board."""


@dataclass(frozen=True, slots=True)
class LabelDeed:
    """One event of a unit's label. `other` is the serial number of the unit whose label was scanned instead."""

    at: datetime
    uid: UID
    event: LabelEvent
    copy: int
    who: str
    reason: str = ""
    slot: str | None = None
    other: str | None = None

    def check(self) -> None:
        """Raises `DecisionRefused` unless account and reason are one line each."""
        if not self.who or not is_one_line(self.who, LONGEST_ACCOUNT):
            raise DecisionRefused(f"the account must be one line of at most {LONGEST_ACCOUNT} characters")
        if not is_one_line(self.reason, LONGEST_REASON):
            raise DecisionRefused(f"the reason must be one line of at most {LONGEST_REASON} characters")


@dataclass(frozen=True, slots=True)
class LabelState:
    """What the events of one unit come to. A print that was begun counts; a later one voids it."""

    copies: int = 0
    bound: int | None = None

    @classmethod
    def of(cls, events: Sequence[tuple[LabelEvent, int]]) -> "LabelState":
        copies = max((copy for event, copy in events if event is LabelEvent.PRINT_STARTED), default=0)
        bound = copies if (LabelEvent.BOUND, copies) in events else None
        return cls(copies, bound)

    def stage(self, *, printed_here: bool, remembered: bool) -> LabelStage:
        """What is next. A label of which the station has forgotten the passcode can neither be printed nor compared."""
        if self.bound is not None:
            return LabelStage.BOUND
        if not remembered:
            return LabelStage.NONE
        return LabelStage.DUE if printed_here and not self.copies else LabelStage.PRINTED

    def next_copy(self, reason: PrintReason, reprints: int, *, engineer: bool) -> int:
        """The number of the next print; raises `DecisionRefused` if nobody, or only an engineer, may have it."""
        if reason is PrintReason.FIRST and self.copies:
            raise DecisionRefused(
                f"{self.copies} labels were printed: another needs a reason: damaged, jam, lost, test"
            )
        if reason is not PrintReason.FIRST and not self.copies:
            raise DecisionRefused("no label was printed yet, so none is printed again")
        if self.copies > reprints and not engineer:
            raise DecisionRefused(f"the label was printed {self.copies} times: a further print is for an engineer")
        if self.copies >= MOST_COPIES:
            raise DecisionRefused(f"the label was printed {self.copies} times, and has no room for another number")
        return self.copies + 1
