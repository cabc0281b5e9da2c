# SPDX-License-Identifier: Apache-2.0
"""Golden and known-bad boards that prove the line: what is expected of each, and when they are due. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import ClassVar

from station.domain.attempt import OnDisk

VERDICTS = ("pass", "fail")


@dataclass(frozen=True, slots=True)
class Expected:
    """The verdict that a sample must get; for a fail, with this fault's code."""

    verdict: str
    fault: str | None = None

    def check(self) -> None:
        """Raises `ValueError` unless a good board is to pass, and a bad one to fail by a fault."""
        if self.verdict not in VERDICTS or (self.verdict == "fail") != bool(self.fault):
            raise ValueError("a sample is expected to pass, or to fail with a fault's code")

    def is_met(self, verdict: str, fault: str | None) -> bool:
        return verdict == self.verdict and fault == self.fault


@dataclass(frozen=True, slots=True)
class SampleAdded:
    on_disk: ClassVar[OnDisk] = OnDisk("SampleAdded", ("verdict", "fault"))
    verdict: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class SampleRemoved:
    """The board is no sample any more; it is never sold either."""

    on_disk: ClassVar[OnDisk] = OnDisk("SampleRemoved")


@dataclass(frozen=True, slots=True)
class SampleChecked:
    """A sample's attempt, and whether it ended as expected."""

    on_disk: ClassVar[OnDisk] = OnDisk("SampleChecked", ("attempt", "verdict", "fault", "good"))
    attempt: int
    verdict: str
    fault: str | None
    good: bool


@dataclass(frozen=True, slots=True)
class SamplesDue:
    """From here on only samples are taken."""

    on_disk: ClassVar[OnDisk] = OnDisk("SamplesDue", ("why",))
    why: str


@dataclass(frozen=True, slots=True)
class SamplesMet:
    """All samples have ended as expected since they were due, on a line like this."""

    on_disk: ClassVar[OnDisk] = OnDisk("SamplesMet", ("recipe", "images", "programmer", "probes"))
    recipe: str
    images: Sequence[str]
    programmer: str
    probes: Mapping[str, str]


SampleEvent = SampleAdded | SampleRemoved | SampleChecked | SamplesDue | SamplesMet


@dataclass(frozen=True, slots=True)
class Rules:
    """When samples are due besides a change of recipe, images, programmer or probe. `shifts` are local times of day."""

    every: float = 0.0
    """Seconds; 0: the time since the last ones does not count."""
    shifts: Sequence[time] = ()
    probes: bool = True
    """Whether another probe in a slot counts; it does not where each board brings its own."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the samples have proven: recipe and images by SHA-256, the programmer's version, each slot's probe by serial number."""

    recipe: str
    images: frozenset[str]
    programmer: str
    probes: Mapping[str, str] = field(default_factory=dict)

    def change_to(self, now: "Circumstances") -> str | None:
        """What differs now, in a few words. A slot that was not in use then is no change."""
        if self.recipe != now.recipe:
            return "the recipe has changed"
        if self.images != now.images:
            return "an image has changed"
        if self.programmer != now.programmer:
            return f"the programmer is {now.programmer} and was {self.programmer}"
        for slot, probe in now.probes.items():
            if self.probes.get(slot, probe) != probe:
                return f"slot {slot} has another probe, {probe}"
        return None


def due_by_time(rules: Rules, met: datetime, now: datetime) -> str | None:
    """Why samples that were met at `met` are due at `now`, both with a zone; None if they are not."""
    if rules.every > 0 and now - met >= timedelta(seconds=rules.every):
        return "the last samples are too long ago"
    here = now.astimezone()
    for shift in rules.shifts:
        for day in (here.date(), here.date() - timedelta(days=1)):
            if met < datetime.combine(day, shift).astimezone() <= now:
                return f"the shift of {shift:%H:%M} has begun"
    return None
