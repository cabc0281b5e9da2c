# SPDX-License-Identifier: Apache-2.0
"""The states of a line in which a process is killed, the processes, and which pairs make no sense. Pure.

`tests/line/kill_table.py` tries the other pairs and writes the table in docs/reliability.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

from station.config.mes import WEBHOOK
from station.domain.attempt import FLASHING, VERDICTS, Phase
from station.domain.labelling import LabelEvent
from tests.line.kill_moments import MOMENTS


class Victim(StrEnum):
    """The processes, by their names in the table."""

    DAEMON = "daemon"
    PKI = "PKI"
    PROGRAMMER = "programmer"
    PRINTER = "printer"
    RECEIVER = "MES receiver"
    POSTGRESQL = "PostgreSQL"


class Kind(Enum):
    """How the run brings the line into the state."""

    IDLE = "no board is in the slot"
    HELD = "the daemon stands still at this moment"
    HANGS = "the programmer hangs in its step"
    LATE_BOARD = "the board answers late in its step"
    LATE_PKI = "the PKI has issued the certificate and answers late"
    GONE = "the board has passed and is pulled"


class Part(Enum):
    """What of a board's way the state belongs to."""

    BETWEEN = "between boards"
    ATTEMPT = "the attempt"
    LABEL = "the label"
    MES = "the message to the MES"


@dataclass(frozen=True, slots=True)
class State:
    """One row."""

    name: str
    kind: Kind
    part: Part
    step: Phase | None = None
    """Of a state in which something works."""
    on_paper: bool = False
    """Whether the first label is on paper although the ledger does not say so."""


IDLE = State("between boards", Kind.IDLE, Part.BETWEEN)
GONE = State("the board is pulled after its pass", Kind.GONE, Part.BETWEEN)
VERDICT = "the verdict"
STEPS = tuple(phase for phase in Phase if phase not in {Phase.STARTED, *VERDICTS})
PROGRAMMED = frozenset({Phase.RECOGNISE, *FLASHING, Phase.LOCK})
"""The steps in which a programmer runs."""

# What else the ledger commits in a step, before the next one, in this order.
WITHIN: Mapping[Phase, tuple[str, ...]] = {
    Phase.RECOGNISE: ("the identity",),
    Phase.FLASH_DATA: ("the factory data",),
    Phase.RELAY_TO_PKI: ("the request", "the certificate"),
}


def _around(what: str) -> Iterator[State]:
    for when in ("before", "after"):
        yield State(f"{when} {what}", Kind.HELD, Part.ATTEMPT)


def _works(step: Phase) -> State:
    kind = Kind.HANGS if step in PROGRAMMED else Kind.LATE_PKI if step is Phase.RELAY_TO_PKI else Kind.LATE_BOARD
    return State(f"in {step.value}", kind, Part.ATTEMPT, step)


def _attempt() -> Iterator[State]:
    yield from _around("the attempt")
    for step in STEPS:
        yield from _around(step.value)
        inside = [each for what in WITHIN.get(step, ()) for each in _around(what)]
        # The request is there before the PKI works, and the certificate afterwards.
        at = 2 if step is Phase.RELAY_TO_PKI else 0
        yield from (*inside[:at], _works(step), *inside[at:])
    yield from _around(VERDICT)


def _of_moments() -> Iterator[State]:
    """Those of `kills.py` on the way of a board that passes, at a printer and a webhook that work."""
    of_label = {f"{when} {event}" for when in ("before", "after") for event in LabelEvent}
    for moment in MOMENTS:
        if moment.trouble or moment.name.endswith(VERDICT):
            continue
        if moment.name in of_label or "label" in moment.name:
            yield State(moment.name, Kind.HELD, Part.LABEL, on_paper=moment.on_paper)
        elif WEBHOOK in moment.name:
            yield State(moment.name, Kind.HELD, Part.MES)


STATES = (IDLE, *_attempt(), *_of_moments(), GONE)

NO_PROGRAMMER = "no programmer runs"
AT_WORK = "the programmer of the step is tried in the state *in {step}*"
AS_AFTER = "it takes no part while programmer or board work: as *after {step}*"
NO_LABEL = "no label is on its way"
NO_MESSAGE = "no message is on its way"
AFTER_PASS = "it takes no part after the verdict: as *between boards*"
BESIDE_LABEL = "the message goes beside the label, and is tried in the states of its own"


def why_not(state: State, victim: Victim) -> str | None:  # noqa: C901, PLR0911  a table read aloud
    """Why it makes no sense to kill this process in this state; None if it is tried."""
    match victim:
        case Victim.DAEMON:
            return None
        case Victim.PROGRAMMER:
            return None if state.kind is Kind.HANGS else NO_PROGRAMMER
        case Victim.PRINTER:
            if state.part is Part.LABEL or state.kind is Kind.IDLE:
                return None
            return NO_LABEL
        case Victim.RECEIVER:
            if state.part is Part.MES or state.kind is Kind.IDLE or state.name.endswith(VERDICT):
                return None
            return BESIDE_LABEL if state.part is Part.LABEL else NO_MESSAGE
        case Victim.PKI:
            if state.part in {Part.LABEL, Part.MES}:
                return AFTER_PASS
            return _as_after(state) if state.kind is Kind.HANGS else None
        case Victim.POSTGRESQL:
            if state.part in {Part.LABEL, Part.MES}:
                return AFTER_PASS
            return None if state.kind in {Kind.IDLE, Kind.HELD, Kind.GONE} else _as_after(state)


def _as_after(state: State) -> str:
    assert state.step is not None
    return AS_AFTER.format(step=state.step.value)


@dataclass(frozen=True, slots=True)
class Cell:
    """A process that is killed in a state."""

    state: State
    victim: Victim

    def __str__(self) -> str:
        return f"{self.victim}, {self.state.name}"


CELLS = tuple(Cell(state, victim) for victim in Victim for state in STATES if why_not(state, victim) is None)

IN_THE_TEST_RUN = (
    ("before the certificate", Victim.DAEMON),
    ("in relay_to_pki", Victim.PKI),
    ("in flash_operational", Victim.PROGRAMMER),
    ("before the verdict", Victim.RECEIVER),
)
"""A few whose outcomes differ. `make kill-table` tries them all."""
