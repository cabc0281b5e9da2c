# SPDX-License-Identifier: Apache-2.0
"""A lot made for a work order: its events with their names on disk, its states, and when it nears its end. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from station.domain.attempt import OnDisk
from station.domain.identity import Lot
from station.domain.intervention import is_one_line
from station.domain.serial_range import ranges

LONGEST_NAME, LONGEST_ORDER = 32, 64
MOST = 1_000_000_000  # units of a lot, and the first number: the ledger's integers hold both
NEAR_END = 20  # the last twentieth of a lot is near its end


class LotState(StrEnum):
    """One lot at most is open: new units get their identities from it."""

    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LotOpened:
    """A lot of `planned` units for a work order, of one recipe as it is now, with serial numbers of its own."""

    on_disk: ClassVar[OnDisk] = OnDisk(
        "LotOpened", ("name", "work_order", "recipe", "recipe_sha256", "planned", "pattern", "first", "size")
    )
    name: str
    work_order: str
    recipe: str
    recipe_sha256: str
    planned: int
    pattern: str
    first: int
    size: int

    def check(self) -> None:
        """Raises `ValueError` for a lot that nobody could make."""
        for what, text, longest in (
            ("name", self.name, LONGEST_NAME),
            ("work order", self.work_order, LONGEST_ORDER),
        ):
            if not text.strip() or text != text.strip() or not is_one_line(text, longest):
                raise ValueError(f"the {what} must be one line of at most {longest} characters, without blanks around")
        if not 0 < self.planned <= self.size:
            raise ValueError(
                f"{self.planned} units are planned with {self.size} serial numbers: each unit needs one of its own, and a"
                " scrapped unit keeps the one that it had"
            )
        if self.size > MOST or not 0 <= self.first <= MOST:
            raise ValueError(f"neither the first number nor the count of them may be beyond {MOST}")
        try:
            list(ranges(self.pattern, self.first, self.size))
        except ValueError as exc:
            raise ValueError(f"the pattern {ascii(self.pattern)[:80]} does not do: {exc}") from exc

    @property
    def lot(self) -> Lot:
        return Lot(self.name, self.pattern, self.first, self.size)


@dataclass(frozen=True, slots=True)
class LotPaused:
    """No new unit begins in this lot until it is resumed."""

    on_disk: ClassVar[OnDisk] = OnDisk("LotPaused", ("name",))
    name: str


@dataclass(frozen=True, slots=True)
class LotResumed:
    on_disk: ClassVar[OnDisk] = OnDisk("LotResumed", ("name",))
    name: str


@dataclass(frozen=True, slots=True)
class LotClosed:
    """No new unit ever begins in this lot again; its units still go on."""

    on_disk: ClassVar[OnDisk] = OnDisk("LotClosed", ("name",))
    name: str


LotEvent = LotOpened | LotPaused | LotResumed | LotClosed

LOT_TRANSITIONS: Mapping[LotState | None, Mapping[type[LotEvent], LotState]] = {
    None: {LotOpened: LotState.OPEN},
    LotState.OPEN: {LotPaused: LotState.PAUSED, LotClosed: LotState.CLOSED},
    LotState.PAUSED: {LotResumed: LotState.OPEN, LotClosed: LotState.CLOSED},
    LotState.CLOSED: {},
}


def state_after(name: str, state: LotState | None, event: LotEvent) -> LotState:
    """The lot's state after the event; `ValueError`, a sentence for the person, if it cannot happen now."""
    reached = LOT_TRANSITIONS[state].get(type(event))
    if reached is None:
        now = "does not exist" if state is None else f"is {state} already" if state is _target(event) else f"is {state}"
        raise ValueError(f"lot {name} {now}")
    return reached


def _target(event: LotEvent) -> LotState | None:
    return {LotPaused: LotState.PAUSED, LotClosed: LotState.CLOSED}.get(type(event), LotState.OPEN)


@dataclass(frozen=True, slots=True)
class Left:
    """How many units may still begin in a lot of so many, and how many serial numbers it has for them."""

    lot: str
    planned: int
    units: int
    numbers: int

    @property
    def near_end(self) -> bool:
        return min(self.units, self.numbers) <= max(1, self.planned // NEAR_END)

    @property
    def begins_to_end(self) -> bool:
        """Whether the unit that has just begun is the one at which people are to be warned."""
        return min(self.units, self.numbers) == max(1, self.planned // NEAR_END)

    @property
    def warning(self) -> str | None:
        """One sentence while the end is near."""
        if not self.near_end:
            return None
        if self.numbers < self.units:
            return f"The lot's serial numbers end: {self.numbers} are left for {self.units} units."
        return f"The work order ends: {self.units} of {self.planned} units have yet to begin."


@dataclass(frozen=True, slots=True)
class Traced:
    """The lot that an attempt or a unit is traced to, and its work order; None where the lot is the recipe's."""

    lot: str
    work_order: str | None = None
