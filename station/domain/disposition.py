# SPDX-License-Identifier: Apache-2.0
"""What people and the policy decide about a unit for good: quarantined, released, scrapped. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from station.domain.attempt import OnDisk
from station.domain.policy import CONSEQUENCES
from station.domain.target import UID
from station.faults.slot import UnitQuarantined, UnitScrapped


class Disposition(StrEnum):
    """Whether a board may be worked on."""

    FREE = "free"
    QUARANTINED = "quarantined"
    SCRAPPED = "scrapped"

    def check(self, uid: UID) -> None:
        """Raises `UnitQuarantined` or `UnitScrapped` if the board must not be touched."""
        match self:
            case Disposition.QUARANTINED:
                raise UnitQuarantined(str(uid))
            case Disposition.SCRAPPED:
                raise UnitScrapped(str(uid))
            case Disposition.FREE:
                return


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The unit failed for good: it is not touched until an engineer releases it. `attempt` is the one that decided it."""

    on_disk: ClassVar[OnDisk] = OnDisk("UnitQuarantined", ("attempt", "fault"))
    attempt: int
    fault: str


@dataclass(frozen=True, slots=True)
class Released:
    """An engineer lets the unit be tried again; its failed attempts up to `attempt` count no more."""

    on_disk: ClassVar[OnDisk] = OnDisk("UnitReleased", ("attempt",))
    attempt: int


@dataclass(frozen=True, slots=True)
class Scrapped:
    """The board is thrown away: its identity is burned and its certificate to be revoked."""

    on_disk: ClassVar[OnDisk] = OnDisk("UnitScrapped")


UnitEvent = Quarantined | Released | Scrapped

DISPOSITIONS: Mapping[Disposition, Mapping[type[UnitEvent], Disposition]] = {
    Disposition.FREE: {Quarantined: Disposition.QUARANTINED, Scrapped: Disposition.SCRAPPED},
    Disposition.QUARANTINED: {Released: Disposition.FREE, Scrapped: Disposition.SCRAPPED},
    Disposition.SCRAPPED: {},
}
AFTER: Mapping[str, Disposition] = {
    Quarantined.on_disk.name: Disposition.QUARANTINED,
    Released.on_disk.name: Disposition.FREE,
    Scrapped.on_disk.name: Disposition.SCRAPPED,
}
"""The disposition after an event, by its name on disk: that of the newest one counts."""

QUARANTINE_AFTER = 3
DEAD = frozenset(fault.code for fault, follows in CONSEQUENCES.items() if follows.dead)
"""Codes of faults that no further attempt can mend."""


def failed_for_good(fault: str, fails: int, after: int) -> bool:
    """Whether a unit goes into quarantine with this fault, its `fails`th fail since its last pass or release.

    `after` 0 counts no fails.
    """
    return fault in DEAD or (after > 0 and fails >= after)
