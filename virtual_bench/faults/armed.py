# SPDX-License-Identifier: Apache-2.0
"""Faults: their kinds, and those that are armed for a board.

The part that misbehaves asks whether a fault is due: the wire, the chip, the programmer, or the hub.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum

from virtual_bench.faults.phases import Phase
from virtual_bench.journal import Journal

Value = int | float | str


class Nature(Enum):
    """When a fault takes effect."""

    MOMENT = "once, during the phase"
    ENTRY = "as soon as the phase begins"
    LASTING = "from the phase on, until the board is unplugged"
    PLUGGED = "when the board is plugged in, until it is unplugged"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a fault. Without a default, the bench chooses the value."""

    kind: type[int] | type[float] | type[str]
    default: Value | None
    says: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the catalogue."""

    name: str
    does: str
    nature: Nature
    phases: tuple[Phase, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Fault:
    """A fault that waits for its board to reach its phase."""

    board: int
    at: Phase
    kind: Kind
    values: Mapping[str, Value] = field(default_factory=dict)
    times: int = 1  # 0: every time

    def integer(self, name: str) -> int | None:
        value = self._value(name)
        return None if value is None else int(value)

    def number(self, name: str) -> float:
        return float(self._value(name) or 0)

    def text(self, name: str) -> str:
        return str(self._value(name))

    def _value(self, name: str) -> Value | None:
        return self.values.get(name, self.kind.parameters[name].default)


class BoardFaults:
    """One board's phase, as the bench infers it, and the board's faults."""

    def __init__(self, board: int, armed: list[Fault], journal: Journal, act: Callable[[Fault], None]) -> None:
        self.phase: Phase | None = None
        self._board = board
        self._armed = armed
        self._journal = journal
        self._act = act
        self._lasting: list[Fault] = []
        self._there = False

    def enter(self, phase: Phase) -> None:
        """Begins a phase and the faults that begin with it; faults listed after a pull wait for the board's return."""
        if not self._there:
            return
        self.phase = phase
        for fault in self._waiting(Nature.LASTING, (phase,)):
            self._fire(fault)
            self._lasting.append(fault)
        for fault in self._waiting(Nature.ENTRY, (phase,)):
            if self._there:
                self._fire(fault)
                self._act(fault)

    def plugged(self) -> None:
        """Begins the faults that take effect when a board is plugged in."""
        self.phase = None
        self._there = True
        self._lasting = self._waiting(Nature.PLUGGED, tuple(Phase))
        for fault in self._lasting:
            self._fire(fault)

    def unplugged(self) -> None:
        self.phase = None
        self._there = False
        self._lasting.clear()

    def due(
        self, name: str, *, during: Collection[Phase] = (), fits: Callable[[Fault], bool] = lambda _: True
    ) -> Fault | None:
        """The fault of that name, if it is due in the present phase, or in any of the given phases.

        The call counts the fault as happened, so the caller must carry it out.
        """
        for fault in self._waiting(Nature.MOMENT, during or (self.phase,)):
            if fault.kind.name == name and fits(fault):
                self._fire(fault)
                return fault
        return None

    def lasting(self, name: str) -> Fault | None:
        """The fault of that name, if it has begun."""
        return next((fault for fault in self._lasting if fault.kind.name == name), None)

    def _waiting(self, nature: Nature, phases: Collection[Phase | None]) -> list[Fault]:
        return [
            fault
            for fault in self._armed
            if fault.board == self._board and fault.kind.nature is nature and fault.at in phases
        ]

    def _fire(self, fault: Fault) -> None:
        if fault.times == 1:
            self._armed.remove(fault)
        fault.times = max(fault.times - 1, 0)
        self._journal.write("fault", board=fault.board, at=fault.at.value, what=fault.kind.name, **_complete(fault))


def _complete(fault: Fault) -> dict[str, Value | None]:
    return {name: fault.values.get(name, parameter.default) for name, parameter in fault.kind.parameters.items()}
