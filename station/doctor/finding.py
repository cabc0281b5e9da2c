# SPDX-License-Identifier: Apache-2.0
"""What one check of the doctor found, and what a person can do about it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended; `UNKNOWN` means that it could not be made here."""

    GOOD = "good"
    ADVICE = "advice"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One plain sentence, and the remedy where there is something to do."""

    check: str
    state: State
    text: str
    remedy: str = ""


def good(check: str, text: str) -> Finding:
    return Finding(check, State.GOOD, text)


def advice(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, State.ADVICE, text, remedy)


def bad(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, State.BAD, text, remedy)


def unknown(check: str, text: str, remedy: str = "") -> Finding:
    return Finding(check, State.UNKNOWN, text, remedy)


def worst(findings: Iterable[Finding]) -> State:
    """Bad, if anything is; else unknown, if a check could not be made; else good: advice stops no line."""
    states = {finding.state for finding in findings}
    return next((state for state in (State.BAD, State.UNKNOWN) if state in states), State.GOOD)
