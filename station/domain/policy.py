"""The fault policy: what follows from a fault, as data. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from station.faults import (
    BoardRemoved,
    BoardUnpowered,
    Fault,
    PKIAuthorityWrong,
    PKIRefusedStation,
    PKIUnavailable,
    PKIUntrusted,
    ProbeMissing,
    ProbeWedged,
    ProgrammerFailed,
    TargetNotFound,
    TTYLost,
    TTYUnavailable,
)


@dataclass(frozen=True, slots=True)
class Consequence:
    """What one class of fault means beyond its kind.

    `armed`: the operator mends it by seating the next board, so the slot stays in service.
    `departure`: it may be the first sign of a pulled board, told before the operating system says so.
    `mends_itself`: the line resumes when its check passes again, without a person.
    """

    armed: bool = False
    departure: bool = False
    mends_itself: bool = False


_NOTHING = Consequence()

CONSEQUENCES: Mapping[type[Fault], Consequence] = {
    BoardRemoved: Consequence(armed=True),
    BoardUnpowered: Consequence(armed=True, departure=True),
    TargetNotFound: Consequence(departure=True),
    ProbeMissing: Consequence(departure=True),
    ProbeWedged: Consequence(departure=True),
    ProgrammerFailed: Consequence(departure=True),
    TTYLost: Consequence(departure=True),
    TTYUnavailable: Consequence(departure=True),
    PKIUnavailable: Consequence(mends_itself=True),
    PKIRefusedStation: Consequence(mends_itself=True),
    PKIUntrusted: Consequence(mends_itself=True),
    PKIAuthorityWrong: Consequence(mends_itself=True),
}


def consequence(fault: Fault) -> Consequence:
    return CONSEQUENCES.get(type(fault), _NOTHING)
