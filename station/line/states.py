# SPDX-License-Identifier: Apache-2.0
"""What a slot is doing, whether it is in service, and what became of an attempt: one type for each case. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

from station.domain.attempt import VERDICTS, Attempt
from station.faults import Fault, LineFault, SlotFault
from station.interfaces import AttemptJournal, BoardArrived
from station.line.visits import Visit


class SlotState(StrEnum):
    """What an operator sees: one colour and one word."""

    EMPTY = "empty"
    WAITING = "waiting"
    RUNNING = "running"
    PASS = "pass"  # noqa: S105  a verdict, not a password
    FAIL = "fail"
    VOID = "void"
    OUT_OF_SERVICE = "out of service"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt, whose verdict is in the ledger."""

    number: int
    arrival: BoardArrived
    attempt: Attempt
    """What its events add up to, the verdict included."""
    fault: Fault | None
    seconds: float

    @property
    def verdict(self) -> str:
        return VERDICTS[self.attempt.phase]


@dataclass(frozen=True, slots=True)
class Empty:
    """No board is in the slot. `last` is what became of the newest attempt, here and below."""

    last: Outcome | None = None

    @property
    def here(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Refused:
    """No attempt may be made with this board's probe and serial port."""

    here: Visit
    last: Outcome | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A board waits for its first attempt, which begins when slot and line are ready."""

    here: Visit
    last: Outcome | None


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt is at work. Its board may have left before it has ended: `here` is the board that is in the slot now."""

    here: Visit | None
    journal: AttemptJournal
    began: float


@dataclass(frozen=True, slots=True)
class Recording:
    """The work of an attempt is over, and its verdict is not yet durable: the ledger may be in trouble."""

    here: Visit | None
    journal: AttemptJournal
    seconds: float


@dataclass(frozen=True, slots=True)
class Judged:
    """The board in the slot has its verdict. Where the line itself was at fault the board waits for another attempt."""

    here: Visit
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The ledger has failed for good before it had the attempt's verdict: the daemon ends, and its next start voids the attempt."""

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
    """Somebody has released the slot: the next board decides whether it is in service again."""

    fault: SlotFault


@dataclass(frozen=True, slots=True)
class OutOfService:
    fault: SlotFault


Service = InService | OnTrial | OutOfService


def with_board(state: State, here: Visit | None) -> State:
    """The state after another board, or none, has come into the slot; an attempt goes on until it has ended."""
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
    """The word for the slot while the line is open or `paused`."""
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
        case _:  # what the line voided is judged again
            return SlotState.WAITING
