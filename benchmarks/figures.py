# SPDX-License-Identifier: Apache-2.0
"""Figures: measured values with median and interval, and their goals. Pure."""

import random
import statistics
from dataclasses import dataclass
from enum import StrEnum

RESAMPLES = 2000
CONFIDENCE = 0.95


class Verdict(StrEnum):
    MET = "met"
    MISSED = "missed"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One quantity, measured several times."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a sample has at least one value")

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def interval(self) -> tuple[float, float]:
        """The median's 95 % interval, by bootstrap with a fixed seed, so that one file always gives one report."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        chance = random.Random(1)  # noqa: S311  nothing secret is drawn
        medians = sorted(statistics.median(chance.choices(self.values, k=len(self.values))) for _ in range(RESAMPLES))
        tail = round(RESAMPLES * (1 - CONFIDENCE) / 2)
        return medians[tail], medians[-1 - tail]


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit for the median."""

    limit: float
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. `bound` is the value if the station cost nothing."""

    part: str
    what: str
    unit: str
    sample: Sample
    bound: float | None = None
    goal: Goal | None = None

    @property
    def verdict(self) -> Verdict:
        if self.goal is None:
            return Verdict.NONE
        return Verdict.MET if self.goal.met_by(self.sample.median) else Verdict.MISSED

    def as_json(self) -> dict[str, object]:
        low, high = self.sample.interval
        return {
            "part": self.part,
            "what": self.what,
            "unit": self.unit,
            "bound": self.bound,
            "goal": None if self.goal is None else {"limit": self.goal.limit, "at_least": self.goal.at_least},
            "result": self.sample.median,
            "interval": [low, high],
            "values": list(self.sample.values),
            "verdict": self.verdict.value or None,
        }
