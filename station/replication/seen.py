# SPDX-License-Identifier: Apache-2.0
"""The replication as people and the line see it, and the faults that follow from it. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from station.adapters.ledger.shared import Stopped
from station.adapters.ledger.shared_state import Standing
from station.domain.shared import Refusal
from station.faults import LineFault
from station.faults.line import (
    CentreAwaited,
    CentreUnusable,
    LeaseExhausted,
    LedgerFenced,
    LedgerForked,
    ReleaseNotApproved,
)


class State(StrEnum):
    """How a station stands with the centre.

    `STARTING`: it has not been reached since the daemon's start. `AWAY`: it was, and is not now. `REFUSED`: it was reached
    and takes nothing. `FENCED` and `FORKED`: this ledger has ended there.
    """

    STARTING = "starting"
    UP = "up"
    AWAY = "away"
    REFUSED = "refused"
    FENCED = "fenced"
    FORKED = "forked"


@dataclass(frozen=True, slots=True)
class Seen:
    """The replication at one moment."""

    state: State = State.STARTING
    reason: str | None = None
    """Why the centre is away or refuses."""
    greeted: bool = False
    """Whether the centre has known this ledger since the daemon's start."""
    standing: Standing | None = None
    """None until the ledger has been read."""
    cursor: int = 0
    """The last line that the centre has."""
    pushed_at: datetime | None = None
    lot: str | None = None
    """The lot from which new units come; None while there is none."""
    release: str = ""
    items: int = 0
    hold: int = 0
    busiest_hour: int = 0
    ungranted: Refusal | None = None
    """Why the centre, which was reached, gives no more blocks."""
    ungranted_reason: str | None = None

    @property
    def up(self) -> bool:
        return self.state is State.UP

    @property
    def waiting(self) -> int:
        """Lines that the centre has not."""
        return 0 if self.standing is None else max(0, self.standing.lines - self.cursor)

    @property
    def hours_left(self) -> float | None:
        """For how long the items last at the rate of the busiest hour; None if there was none."""
        return self.items / self.busiest_hour if self.busiest_hour else None


def pausing_fault(seen: Seen, station: str, *, offline_start: bool) -> LineFault | None:
    """The fault that pauses the whole line. `offline_start`: whether the line may begin before the centre is reached."""
    match seen.state:
        case State.FENCED:
            return LedgerFenced(station)
        case State.FORKED:
            return LedgerForked(seen.cursor)
        case State.REFUSED:
            return CentreUnusable(seen.reason or "")
    unheard = seen.standing is None or seen.reason is None  # only the centre can tell that the machine was set back
    stranger = seen.standing is not None and (seen.standing.moved or seen.standing.next_ledger is not None)
    if not seen.greeted and (unheard or stranger or not offline_start):
        return CentreAwaited(seen.reason or "it has not been reached yet")
    return None


def fault_for_new_boards(seen: Seen) -> LineFault | None:
    """The fault that keeps boards without an identity from beginning: there is no item for them, and it is known why."""
    if seen.lot is None or seen.items or (seen.reason is None and seen.ungranted is None):
        return None
    return nothing_left(seen, seen.lot)


def nothing_left(seen: Seen, lot: str) -> LineFault:
    """The fault for a lot from which the station has nothing left."""
    if seen.ungranted is Refusal.NOT_APPROVED:
        return ReleaseNotApproved(lot, seen.release)
    return LeaseExhausted(lot, seen.ungranted_reason or seen.reason or "the centre has not answered yet")


def stopped_state(stopped: Stopped) -> State:
    return State.FENCED if stopped is Stopped.FENCED else State.FORKED
