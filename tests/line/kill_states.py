# SPDX-License-Identifier: Apache-2.0
"""The states of a line in which a process is killed, the processes, and which pairs make no sense, for each kind of line. Pure.

`tests/line/kill_table.py` tries the other pairs and writes the table in docs/reliability.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

from station.config.mes import WEBHOOK
from station.domain.attempt import FLASHING, VERDICTS, Phase
from station.domain.labelling import LabelEvent
from station.domain.product import Plan
from station.domain.transitions import FIRST_STEP
from tests.line.kill_moments import MOMENTS


class Run(StrEnum):
    """The lines that are tried, each of which makes tables of its own."""

    FLASH = "flash"
    RAM = "ram"
    SHARED = "shared"

    @property
    def plan(self) -> Plan:
        return Plan.RAM if self is Run.RAM else Plan.FLASH

    @property
    def heading(self) -> str:
        return "shared ledger" if self is Run.SHARED else f"plan {self.value}"


class Victim(StrEnum):
    """The processes, by their names in the table, and what else is taken away for a moment."""

    DAEMON = "daemon"
    PKI = "PKI"
    PROGRAMMER = "programmer"
    PRINTER = "printer"
    RECEIVER = "MES receiver"
    POSTGRESQL = "PostgreSQL"
    POWER = "the board's power"
    """No process: the supply dips, and what was in RAM is lost."""
    SESSION = "PostgreSQL's process for the station"
    NETWORK = "the network"
    """No process: all connections of the station to the centre are cut, and new ones refused."""


class Kind(Enum):
    """How the run brings the line into the state."""

    IDLE = "no board is in the slot"
    HELD = "the daemon stands still at this moment"
    HANGS = "the programmer hangs in its step"
    READS = "the programmer hangs while it reads the flash back in its step"
    LATE_BOARD = "the board answers late in its step"
    LATE_PKI = "the PKI has issued the certificate and answers late"
    GONE = "the board has passed and is pulled"
    NEW_LOT = "no board is in the slot, and the station needs serial numbers of a lot that is new to it"


class Part(Enum):
    """What of a board's way the state belongs to."""

    BETWEEN = "between boards"
    ATTEMPT = "the attempt"
    LABEL = "the label"
    MES = "the message to the MES"
    CENTRE = "the exchange with the centre of a shared ledger"


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
IN_RAM = (
    *(Phase.RECOGNISE, Phase.COPROCESSOR, Phase.FLASH_DATA, Phase.FLASH_OPERATIONAL, Phase.FLASH_PROVISIONER),
    *(Phase.AWAIT_CSR, Phase.RELAY_TO_PKI, Phase.DELIVER, Phase.CONFIRM, Phase.LOCK),
)
"""The steps of the plan `ram`, in its order."""
PROGRAMMED = frozenset({Phase.RECOGNISE, *FLASHING, Phase.LOCK})
"""The steps in which a programmer runs."""
HANGING = frozenset({Kind.HANGS, Kind.READS})

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


def _attempt(steps: Iterable[Phase]) -> Iterator[State]:
    yield from _around("the attempt")
    for step in steps:
        if step is not FIRST_STEP:  # one commit records it with the attempt
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


def _attempt_in_ram() -> Iterator[State]:
    """The plan `ram` reads the flash back in `confirm`, before the board is asked."""
    for state in _attempt(IN_RAM):
        if state == _works(Phase.CONFIRM):
            yield READ_BACK
        yield state


READ_BACK = State("in the read-back of confirm", Kind.READS, Part.ATTEMPT, Phase.CONFIRM)
OF_NUMBERS = ("the request for numbers", "the numbers at the centre", "the numbers")
OF_BOARD = ("the claim at the centre", "the lines at the centre", "the acknowledgement")
"""What ledger and centre commit when they talk: of serial numbers that the station lacks, and of a board. In this order."""


def _exchange() -> Iterator[State]:
    for commits, kind in ((OF_NUMBERS, Kind.NEW_LOT), (OF_BOARD, Kind.HELD)):
        for what in commits:
            for when in ("before", "after"):
                yield State(f"{when} {what}", kind, Part.CENTRE)


STATES: Mapping[Run, tuple[State, ...]] = {
    Run.FLASH: (IDLE, *_attempt(STEPS), *_of_moments(), GONE),
    Run.RAM: tuple(_attempt_in_ram()),
    Run.SHARED: (IDLE, *_exchange(), *_attempt(STEPS), GONE),
}
"""Label and message are the same for all, and their states are tried once."""

NO_PROGRAMMER = "no programmer runs"
AT_WORK = "the programmer of the step is tried in the state *in {step}*"
AS_AFTER = "it takes no part while programmer or board work: as *after {begun}*"
NO_LABEL = "no label is on its way"
NO_BOARD_AT_WORK = "no board is at work"
NO_MESSAGE = "no message is on its way"
AFTER_PASS = "it takes no part after the verdict: as *between boards*"
BY_PLAN = "the station has only to do without the centre: as PostgreSQL in the tables of the plans"
BESIDE_LABEL = "the message goes beside the label, and is tried in the states of its own"


def _why_not(state: State, victim: Victim) -> str | None:  # noqa: C901, PLR0911  a table read aloud
    match victim:
        case Victim.DAEMON:
            return None
        case Victim.POWER:
            return None if state.part is Part.ATTEMPT else NO_BOARD_AT_WORK
        case Victim.SESSION | Victim.NETWORK:
            return None if state.part is Part.CENTRE else BY_PLAN
        case Victim.PROGRAMMER:
            return None if state.kind in HANGING else NO_PROGRAMMER
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
            return _as_after(state) if state.kind in HANGING else None
        case Victim.POSTGRESQL:
            if state.part in {Part.LABEL, Part.MES}:
                return AFTER_PASS
            return _as_after(state) if state.step is not None else None


def _as_after(state: State) -> str:
    assert state.step is not None
    return AS_AFTER.format(begun="the attempt" if state.step is FIRST_STEP else state.step.value)


@dataclass(frozen=True, slots=True)
class Cell:
    """A process that is killed in a state of a run."""

    run: Run
    state: State
    victim: Victim

    def __str__(self) -> str:
        return f"{self.victim}, {self.state.name}, {self.run.heading}"


_BOTH = (Victim.DAEMON, Victim.PKI, Victim.PROGRAMMER)
VICTIMS: Mapping[Run, tuple[Victim, ...]] = {
    Run.FLASH: (*_BOTH, Victim.PRINTER, Victim.RECEIVER, Victim.POSTGRESQL, Victim.POWER),
    Run.RAM: (*_BOTH, Victim.RECEIVER, Victim.POSTGRESQL, Victim.POWER),
    Run.SHARED: (Victim.DAEMON, Victim.POSTGRESQL, Victim.SESSION, Victim.NETWORK),
}
"""No printer has work before the verdict."""


def why_not(run: Run, state: State, victim: Victim) -> str | None:
    """Why it makes no sense to kill this process in this state; None if it is tried. The run must have a use for the process."""
    if run is Run.SHARED and victim is Victim.POSTGRESQL and state.part is not Part.CENTRE:
        return BY_PLAN
    return _why_not(state, victim)


CELLS = tuple(
    Cell(run, state, victim)
    for run in Run
    for victim in VICTIMS[run]
    for state in STATES[run]
    if why_not(run, state, victim) is None
)

IN_THE_TEST_RUN = (
    (Run.FLASH, "before the certificate", Victim.DAEMON),
    (Run.FLASH, "after relay_to_pki", Victim.PKI),
    (Run.FLASH, "in flash_operational", Victim.PROGRAMMER),
    (Run.RAM, "after await_csr", Victim.POWER),
    (Run.RAM, "in the read-back of confirm", Victim.DAEMON),
)
"""A few whose outcomes differ, at lines that stand up soon. `make kill-table` tries them all."""
