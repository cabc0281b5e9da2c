# SPDX-License-Identifier: Apache-2.0
"""The states of a slot, whether it is in service, and the outcome of an attempt: one type for each case. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

from station.domain.attempt import VERDICTS, Attempt
from station.faults import Fault, LineFault, SlotFault
from station.interfaces import AttemptJournal, BoardArrived
from station.line.visits import Visit


class SlotState(StrEnum):
    """A slot's state in one word, as screens show it."""

    EMPTY = "empty"
    WAITING = "waiting"
    RUNNING = "running"
    PASS = "pass"  # noqa: S105  a verdict, not a password
    FAIL = "fail"
    VOID = "void"
    OUT_OF_SERVICE = "out of service"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one attempt whose verdict is in the ledger."""

    number: int
    arrival: BoardArrived
    attempt: Attempt
    """The sum of its events, including the verdict."""
    fault: Fault | None
    seconds: float

    @property
    def verdict(self) -> str:
        return VERDICTS[self.attempt.phase]


@dataclass(frozen=True, slots=True)
class Empty:
    """No board is in the slot. `last`, here and below, is the outcome of the slot's latest attempt."""

    last: Outcome | None = None

    @property
    def here(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Refused:
    """A board whose probe or serial port may not be used, so no attempt is made."""

    here: Visit
    last: Outcome | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A board waits for its first attempt until slot and line are ready."""

    here: Visit
    last: Outcome | None


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt is under way. `here` is the board in the slot now; the attempt's own board may already have left."""

    here: Visit | None
    journal: AttemptJournal
    began: float


@dataclass(frozen=True, slots=True)
class Recording:
    """The work of an attempt has ended, but its verdict is not yet durable, for example because the disk is full."""

    here: Visit | None
    journal: AttemptJournal
    seconds: float


@dataclass(frozen=True, slots=True)
class Judged:
    """The board in the slot has its verdict. After a fault of the line it waits for another attempt."""

    here: Visit
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The ledger failed for good before the verdict was recorded. The daemon ends; its next start voids the attempt."""

    here: Visit | None
    journal: AttemptJournal
    fault: LineFault
    seconds: float


State = Empty | Refused | Waiting | Running | Recording | Judged | Abandoned


@dataclass(frozen=True, slots=True)
class InService:
    pass


@dataclass(frozen=True, slots=True)
class OnTrial:
    """A person has released the slot: the next board decides whether it is in service again."""

    fault: SlotFault


@dataclass(frozen=True, slots=True)
class OutOfService:
    fault: SlotFault


Service = InService | OnTrial | OutOfService


def with_board(state: State, here: Visit | None) -> State:
    """The state after a board has arrived, or with None after it has left. An attempt under way goes on."""
    match state:
        case Running() | Recording() | Abandoned():
            return replace(state, here=here)
        case Judged(before, last):
            return state if here is before else _unjudged(here, last)
        case Empty(last) | Refused(_, last) | Waiting(_, last):
            return _unjudged(here, last)


def _unjudged(here: Visit | None, last: Outcome | None) -> State:
    if here is None:
        return Empty(last)
    return Waiting(here, last) if here.arrival.refused is None else Refused(here, last)


def shown(state: State, service: Service, *, paused: bool) -> SlotState:
    """The slot's state for a screen, while the line is open or `paused`."""
    match state, service:
        case Running(), _:
            return SlotState.RUNNING
        case Recording(), _ if not paused:
            return SlotState.RUNNING
        case (_, OutOfService()) | (Refused(), _):
            return SlotState.OUT_OF_SERVICE
        case ((Empty() | Recording(here=None) | Abandoned(here=None)), _):
            return SlotState.EMPTY
        case Judged(_, outcome), _ if not paused and not isinstance(outcome.fault, LineFault):
            return SlotState(outcome.verdict)
        case _:  # an attempt that a line fault voided is repeated
            return SlotState.WAITING
