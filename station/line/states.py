# SPDX-License-Identifier: Apache-2.0
"""The states of a slot and of its service, and the outcome of an attempt: one type for each case. Pure."""

from dataclasses import dataclass, replace
from enum import StrEnum

from station.domain.attempt import VERDICTS, Attempt, Phase
from station.domain.intervention import Intervention
from station.domain.target import UID
from station.faults import Fault, LineFault, SlotFault
from station.faults.slot import PKIAnswerLost, PKIParked, PKIPending
from station.interfaces import AttemptJournal, BoardArrived
from station.line.visits import Visit


class SlotState(StrEnum):
    """The one word, with one colour, that an operator sees."""

    EMPTY = "empty"
    WAITING = "waiting"
    RUNNING = "running"
    PASS = "pass"  # noqa: S105  a verdict, not a password
    FAIL = "fail"
    VOID = "void"
    PENDING = "pending"
    OUT_OF_SERVICE = "out of service"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attempt whose verdict is in the ledger."""

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
class Taken:
    """The outcome of a board that has left its slot, and the seconds since then."""

    outcome: Outcome
    seconds: float


@dataclass(frozen=True, slots=True)
class Empty:
    """No board is in the slot. `last` is the outcome of the newest attempt, here and below."""

    last: Outcome | None = None

    @property
    def here(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Refused:
    """The board's probe or serial port is refused, so no attempt begins."""

    here: Visit
    last: Outcome | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A board waits for its first attempt until slot and line are ready."""

    here: Visit
    last: Outcome | None


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt is running. Its board may have left already: `here` is the board that is in the slot now."""

    here: Visit | None
    journal: AttemptJournal
    began: float


@dataclass(frozen=True, slots=True)
class Recording:
    """An attempt has ended, and its verdict is not durable yet, for example because the ledger cannot be written."""

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
    """The ledger failed for good before the verdict was recorded: the daemon ends, and its next start voids the attempt."""

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
    by: Intervention | None = None
    """Who holds the slot; None if the station took it out."""


Service = InService | OnTrial | OutOfService


def with_board(state: State, here: Visit | None) -> State:
    """The state after the slot's board has changed; `here` is None if the slot is empty. A running attempt goes on."""
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
    """The word that an operator sees for this slot."""
    match state, service:
        case Running(), _:
            return SlotState.RUNNING
        case Recording(), _ if not paused:
            return SlotState.RUNNING
        # A verdict is the board's, so a pause of the line hides none, and a held slot hides no pass.
        case Judged(_, outcome), _ if _verdict_stands(outcome, service):
            return SlotState.PENDING if isinstance(outcome.fault, PKIPending) else SlotState(outcome.verdict)
        case (_, OutOfService()) | (Refused(), _):
            return SlotState.OUT_OF_SERVICE
        case ((Empty() | Recording(here=None) | Abandoned(here=None)), _):
            return SlotState.EMPTY
        case _:  # a board voided by the line's fault will be judged again
            return SlotState.WAITING


def left_at_relay(before: UID | None, outcome: Outcome, ended_in: Phase) -> UID | None:
    """The board, if after this attempt it only lacks the PKI's answer, and runs the provisioning firmware unless it lost its RAM; else None.

    `before` is the same of the attempt before. An attempt that ended before it flashed has changed nothing.
    """
    if not isinstance(outcome.fault, LineFault | PKIPending | PKIAnswerLost | PKIParked):
        return None
    if ended_in is Phase.RELAY_TO_PKI:
        return outcome.attempt.uid
    return before if ended_in in {Phase.RECOGNISE, Phase.AWAIT_CSR} else None


def _verdict_stands(outcome: Outcome, service: Service) -> bool:
    if outcome.verdict == SlotState.PASS:
        return True
    return not isinstance(service, OutOfService) and not isinstance(outcome.fault, LineFault)
