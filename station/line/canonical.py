# SPDX-License-Identifier: Apache-2.0
"""The keys of `attempt.finished`, the one line of the log that tells a whole attempt. Pure."""

from collections.abc import Iterator

from station.domain.attempt import STATION_STOPPED, Phase
from station.domain.work_order import Traced
from station.faults import Fault
from station.line.states import Outcome

# A fault's field has the name that its sentence needs; a key of the log names its unit, too.
_WITH_UNITS = {"within": "within_seconds"}
_OF_EVERY_LINE = frozenset({"time", "milliseconds", "level", "event", "slot", "attempt"})
_STOPPED = "The station stopped before the verdict: the board is judged again after the next start."


def finished(outcome: Outcome, ended_in: Phase, recipe: str, traced: Traced) -> dict[str, object]:
    """The keys of an attempt's line. `ended_in` is its phase before the verdict."""
    attempt, fault, arrival = outcome.attempt, outcome.fault, outcome.arrival
    line: dict[str, object] = {
        "verdict": outcome.verdict,
        "fault": attempt.fault,
        "step": ended_in.value,
        "reason": str(fault) if fault else _STOPPED if attempt.fault == STATION_STOPPED else None,
        "uid": str(attempt.uid) if attempt.uid else None,
        "serial_number": attempt.serial_number,
        "lot": traced.lot or None,
        "work_order": traced.work_order,
        "recipe": recipe,
        "probe": arrival.probe,
        "tty": arrival.tty,
        "seconds": round(outcome.seconds, 3),
        "steps": {phase.value: round(duration, 3) for phase, duration in attempt.seconds.items()},
    }
    if fault is not None:
        for key, value in _parameters(fault):
            if key not in line and key not in _OF_EVERY_LINE:
                line[key] = value
            elif line.get(key) != value:
                line[f"fault_{key}"] = value
    return line


def _parameters(fault: Fault) -> Iterator[tuple[str, object]]:
    """The fault's fields. A duration is a number; all others are the bounded text that the journal keeps."""
    for name, text in fault.evidence.items():
        yield (_WITH_UNITS[name], getattr(fault, name)) if name in _WITH_UNITS else (name, text)
