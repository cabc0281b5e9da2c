# SPDX-License-Identifier: Apache-2.0
"""The fault policy: one table with the consequences of each fault, and the rules for repeated faults. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from station.faults import Fault, LineFault, SlotFault, UnitFault
from station.faults.line import (
    CentreAwaited,
    CentreUnusable,
    ClockContradicted,
    LeaseExhausted,
    LedgerLost,
    LedgerUnavailable,
    LotFull,
    LotNotOpen,
    LotRecipeChanged,
    MESBacklog,
    MESUnavailable,
    PKIAddressWrong,
    PKIAnswersLost,
    PKIAuthoritiesInvalid,
    PKIAuthorityWrong,
    PKIFileUnusable,
    PKIForbidden,
    PKIProtocolWrong,
    PKIRefusedStation,
    PKIUnavailable,
    PKIUntrusted,
    PrinterNotReady,
    ReleaseNotApproved,
    ResourcesExhausted,
    SamplesAreDue,
    SecretFilesUnavailable,
    SlotTaken,
    TrustUnreadable,
)
from station.faults.slot import (
    AnswerElsewhere,
    BoardAsleep,
    BoardExchanged,
    BoardRemoved,
    BoardUnpowered,
    NotRouted,
    PartnerFailed,
    PKIAnswerLost,
    PKIParked,
    PKIPending,
    ProbeBusy,
    ProbeMissing,
    ProbeWedged,
    ProgrammerFailed,
    ProgrammerUnproven,
    StationBug,
    TargetNotReset,
    TTYLost,
    TTYUnavailable,
    UnitElsewhere,
    UnitForgotten,
    UnitQuarantined,
    UnitScrapped,
)
from station.faults.unit import (
    BootNotRestored,
    FlashEraseFailed,
    FlashReadFailed,
    FlashWriteFailed,
    FUSNotReady,
    KeyChanged,
    KeyShared,
    PartnerRefused,
    PrivateKeyExposed,
    StackNotStarted,
    TargetNotFound,
    TargetRefused,
)

RETRY_PAUSES = (1.0, 3.0)  # seconds before the first and the second retry


@dataclass(frozen=True, slots=True)
class Retry:
    """Retries of a connection, before anything was erased or written, or of a start of FUS.

    `slower`: retry at a low SWD frequency, which a long or worn contact may need.
    """

    times: int = 0
    slower: bool = False


@dataclass(frozen=True, slots=True)
class Consequence:
    """The consequences of one class of fault beyond those of its kind.

    `armed`: seating the next board mends it, so the slot stays in service.
    `departure`: it may be the first sign of a pulled board, seen before the operating system reports the removal.
    `mends_itself`: the line resumes when its check passes again, without a person.
    `dead`: no further attempt can mend the unit.
    `for_new_boards`: the line is paused for the boards that it is raised for, those without an identity or all but samples.
    """

    retry: Retry = Retry()
    armed: bool = False
    departure: bool = False
    mends_itself: bool = False
    for_new_boards: bool = False
    dead: bool = False


_NOTHING = Consequence()

CONSEQUENCES: Mapping[type[Fault], Consequence] = {
    BoardRemoved: Consequence(armed=True),
    BoardUnpowered: Consequence(armed=True, departure=True),
    BoardAsleep: Consequence(armed=True),
    BoardExchanged: Consequence(armed=True),
    UnitElsewhere: Consequence(armed=True),
    AnswerElsewhere: Consequence(armed=True),
    NotRouted: Consequence(armed=True),
    UnitForgotten: Consequence(armed=True),
    UnitQuarantined: Consequence(armed=True),
    UnitScrapped: Consequence(armed=True),
    PKIAnswerLost: Consequence(armed=True),
    PKIPending: Consequence(armed=True),
    PKIParked: Consequence(armed=True),
    TargetNotFound: Consequence(Retry(2, slower=True), departure=True),
    TargetRefused: Consequence(Retry(1, slower=True), departure=True),
    TargetNotReset: Consequence(departure=True),
    FlashWriteFailed: Consequence(departure=True),
    FlashEraseFailed: Consequence(departure=True),
    FlashReadFailed: Consequence(departure=True),
    ProbeMissing: Consequence(departure=True),
    ProbeBusy: Consequence(Retry(2)),
    ProbeWedged: Consequence(Retry(2), departure=True),
    ProgrammerFailed: Consequence(departure=True),
    ProgrammerUnproven: Consequence(departure=True),
    FUSNotReady: Consequence(Retry(1), departure=True),  # a first start often comes while the coprocessor is busy
    StackNotStarted: Consequence(Retry(1), departure=True),
    BootNotRestored: Consequence(Retry(1), departure=True),
    TTYLost: Consequence(departure=True),
    TTYUnavailable: Consequence(departure=True),
    PartnerFailed: Consequence(departure=True),
    PartnerRefused: Consequence(departure=True),  # ST's scripts report a lost port as their own error
    ClockContradicted: Consequence(mends_itself=True),
    SlotTaken: Consequence(mends_itself=True),  # the other station has ended
    LedgerLost: Consequence(mends_itself=True),  # the same files are there again
    PKIUnavailable: Consequence(mends_itself=True),
    PKIAnswersLost: Consequence(mends_itself=True),  # by the request of one board
    PKIRefusedStation: Consequence(mends_itself=True),
    PKIForbidden: Consequence(mends_itself=True),
    PKIAddressWrong: Consequence(mends_itself=True),
    PKIProtocolWrong: Consequence(mends_itself=True),
    PKIFileUnusable: Consequence(mends_itself=True),  # a replaced file is taken up
    PKIUntrusted: Consequence(mends_itself=True),
    PKIAuthorityWrong: Consequence(mends_itself=True),
    PKIAuthoritiesInvalid: Consequence(mends_itself=True),
    LedgerUnavailable: Consequence(mends_itself=True),  # where it cannot, the daemon ends
    MESUnavailable: Consequence(mends_itself=True),
    MESBacklog: Consequence(mends_itself=True),
    ResourcesExhausted: Consequence(mends_itself=True),
    PrinterNotReady: Consequence(mends_itself=True),
    SecretFilesUnavailable: Consequence(mends_itself=True),
    TrustUnreadable: Consequence(mends_itself=True),  # a revocation set that was only half written
    KeyChanged: Consequence(dead=True),  # its certificate is for a key that it has no more
    KeyShared: Consequence(dead=True),
    PrivateKeyExposed: Consequence(dead=True),
    CentreUnusable: Consequence(mends_itself=True),  # somebody mends the centre's set-up
    CentreAwaited: Consequence(mends_itself=True),
    LotFull: Consequence(for_new_boards=True),
    LotNotOpen: Consequence(for_new_boards=True),
    LotRecipeChanged: Consequence(for_new_boards=True),
    SamplesAreDue: Consequence(for_new_boards=True),
    LeaseExhausted: Consequence(for_new_boards=True, mends_itself=True),  # the centre gives more
    ReleaseNotApproved: Consequence(for_new_boards=True, mends_itself=True),  # somebody approves it
}


class Act(StrEnum):
    """The act that a fault asks for: of the operator, of a technician, of an engineer, or of nobody."""

    REJECT = "reject"  # the board goes into the reject bin
    AGAIN = "again"  # the operator plugs the board in again
    ASIDE = "aside"  # the operator sets the board aside until a person or the PKI has decided about it
    TECHNICIAN = "technician"  # the operator uses another slot, and calls the technician
    ENGINEER = "engineer"
    WAIT = "wait"  # it mends itself


# Where the act does not follow from the fault's kind and its consequences.
ACTS: Mapping[type[Fault], Act] = {
    UnitElsewhere: Act.ASIDE,
    AnswerElsewhere: Act.ASIDE,
    NotRouted: Act.ASIDE,
    UnitForgotten: Act.ASIDE,
    UnitQuarantined: Act.ASIDE,
    UnitScrapped: Act.ASIDE,
    PKIAnswerLost: Act.ASIDE,
    PKIParked: Act.ASIDE,
    PKIPending: Act.WAIT,
    StationBug: Act.ENGINEER,
}


def act_of(fault: type[Fault]) -> Act:
    """Who does what about a fault of this class."""
    follows = CONSEQUENCES.get(fault, _NOTHING)
    if fault in ACTS:
        return ACTS[fault]
    if issubclass(fault, UnitFault):
        return Act.REJECT
    if issubclass(fault, SlotFault):
        return Act.AGAIN if follows.armed else Act.TECHNICIAN
    return Act.WAIT if follows.mends_itself else Act.ENGINEER


def consequence(fault: Fault) -> Consequence:
    return CONSEQUENCES.get(type(fault), _NOTHING)


def counts_against_equipment(fault: Fault) -> bool:
    """Whether repeated faults of this class may point to the slot or the line instead of the boards."""
    return not isinstance(fault, LineFault) and not consequence(fault).armed


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How many equal faults point to the slot or the line instead of the boards. 0 means never."""

    boards_in_a_slot: int = 2
    """Different boards in a row, in one slot: the slot is suspected."""
    slots: int = 3
    """Slots within the last `within_boards` boards: the line is suspected."""
    within_boards: int = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """One ended attempt: slot, board, and the fault's code; None for a pass."""

    slot: str
    board: str
    cause: str | None


def slot_suspected(history: Sequence[Judged], slot: str, suspicion: Suspicion) -> bool:
    """Whether the last boards in this slot all ended with the same fault. `history` is in order, the newest last."""
    if not suspicion.boards_in_a_slot:
        return False
    here = [judged for judged in history if judged.slot == slot]
    cause = here[-1].cause if here else None
    boards = set[str]()
    for judged in reversed(here):
        if cause is None or judged.cause != cause:
            break
        boards.add(judged.board)
    return len(boards) >= suspicion.boards_in_a_slot


def line_suspected(history: Sequence[Judged], suspicion: Suspicion) -> str | None:
    """The newest fault, if it came in too many slots within the last boards; otherwise None."""
    recent = history[-suspicion.within_boards :]
    if not suspicion.slots or not recent or recent[-1].cause is None:
        return None
    cause = recent[-1].cause
    slots = {judged.slot for judged in recent if judged.cause == cause}
    return cause if len(slots) >= suspicion.slots else None
