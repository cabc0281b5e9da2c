# SPDX-License-Identifier: Apache-2.0
"""What is measured, its value by the model, and what the measured values say: the nearest profile, and a board's cycle. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from station.domain.memory_map import READBACK_REGION
from station.domain.product import Plan
from station.measure.model import PROFILES, Profile, Sizes

Times = Mapping[str, float]
"""Seconds by the names of `QUANTITIES`: of one round, or medians."""

SHORTEST = 1e-3  # seconds: nothing shorter was measured


@dataclass(frozen=True, slots=True)
class Quantity:
    """One duration: its name in JSON, its words, the model's value, and the bytes that are written or read in it."""

    name: str
    words: str
    by: Callable[[Profile, Sizes], float]
    size: Callable[[Sizes], int] | None = None


QUANTITIES = (
    Quantity("started", "programmer: start to its first line", lambda p, _: p.start_of_process),
    Quantity(
        "connected_hotplug", "programmer: start to connected, hot plug", lambda p, _: p.start_of_process + p.connection
    ),
    Quantity(
        "connected_reset", "programmer: start to connected, under reset", lambda p, _: p.start_of_process + p.connection
    ),
    Quantity(
        "run",
        "programmer: a whole run that only identifies",
        lambda p, _: p.start_of_process + p.connection + p.end_of_process,
    ),
    Quantity("reset", "programmer: reset of the board", lambda p, _: p.reset),
    Quantity("ended", "programmer: reset to its end", lambda p, _: p.end_of_process),
    Quantity(
        "factory_data",
        "factory data: loader, write, verify in full",
        lambda p, s: p.external_loader + p.external(s.factory_data) + s.factory_data / p.read_rate,
        lambda s: s.factory_data,
    ),
    Quantity("provisioner", "provisioner: write", lambda p, s: p.internal(s.provisioner), lambda s: s.provisioner),
    Quantity(
        "provisioner_verified",
        "provisioner: verify in full",
        lambda p, s: s.provisioner / p.read_rate,
        lambda s: s.provisioner,
    ),
    Quantity("boot", "provisioner: reset to the first byte", lambda p, _: p.boot),
    Quantity("application", "application: write", lambda p, s: p.internal(s.application), lambda s: s.application),
    Quantity("verified_fast", "application: verify fast", lambda p, _: p.fast_verification, lambda s: s.application),
    Quantity(
        "verified_full",
        "application: verify in full",
        lambda p, s: s.application / p.read_rate,
        lambda s: s.application,
    ),
    Quantity(
        "read_back",
        "read-back region: loader, read",
        lambda p, _: p.external_loader + READBACK_REGION.size / p.read_rate,
        lambda _: READBACK_REGION.size,
    ),
    Quantity(
        "internal_read", "internal flash: read", lambda p, s: s.internal_read / p.read_rate, lambda s: s.internal_read
    ),
    Quantity("ram_load", "RAM agent: load", lambda p, s: s.ram_image / p.write_rate, lambda s: s.ram_image),
    Quantity(
        "ram_verified", "RAM agent: verify in full", lambda p, s: s.ram_image / p.read_rate, lambda s: s.ram_image
    ),
    Quantity("ram_boot", "RAM agent: start to the first byte", lambda p, _: p.boot),
    Quantity("ram_answer", "RAM agent: start to its first answer", lambda p, _: p.boot),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity over all rounds. `model` is the value of the nearest profile."""

    quantity: Quantity
    size: int | None
    median: float
    least: float
    most: float
    model: float

    @property
    def ratio(self) -> float:
        return self.median / self.model

    @property
    def rate(self) -> float | None:
        """Bytes a second; None if nothing is transferred, or in no time that could be measured."""
        return self.size / self.median if self.size and self.median >= SHORTEST else None


@dataclass(frozen=True, slots=True)
class Report:
    """What the rounds say."""

    figures: Sequence[Figure]
    differences: Mapping[str, float]
    """By profile, the seconds by which it differs from all figures together; the nearest comes first."""
    cycles: Mapping[Plan, tuple[float, float]]
    """What a board takes by each plan that was measured: by the figures, and by the nearest profile."""
    of_model: float
    """Seconds of a cycle that no round measures, by the nearest profile."""

    @property
    def nearest(self) -> str:
        return next(iter(self.differences))


def report(rounds: Sequence[Times], sizes: Sizes, *, verified_in_full: bool) -> Report:
    """The report of at least one round; a quantity that no round has is left out."""
    measured = [each for each in QUANTITIES if any(each.name in times for times in rounds)]
    values = {each.name: [times[each.name] for times in rounds if each.name in times] for each in measured}
    medians = {name: median(seconds) for name, seconds in values.items()}
    differences = {name: _difference(medians, by_model(profile, sizes)) for name, profile in PROFILES.items()}
    differences = dict(sorted(differences.items(), key=lambda each: each[1]))
    nearest = PROFILES[next(iter(differences))]
    figures = [
        Figure(
            each,
            each.size(sizes) if each.size else None,
            medians[each.name],
            min(values[each.name]),
            max(values[each.name]),
            each.by(nearest, sizes),
        )
        for each in measured
    ]
    rest, model = nearest.certificates, by_model(nearest, sizes)
    cycles = {
        plan: (
            cycle(plan, medians, verified_in_full=verified_in_full) + rest,
            cycle(plan, model, verified_in_full=verified_in_full) + rest,
        )
        for plan in (Plan.FLASH, Plan.RAM)
        if plan is Plan.FLASH or "ram_boot" in medians
    }
    return Report(figures, differences, cycles, rest)


def by_model(profile: Profile, sizes: Sizes) -> Times:
    """Every quantity by the model."""
    return {each.name: each.by(profile, sizes) for each in QUANTITIES}


def cycle(plan: Plan, times: Times, *, verified_in_full: bool) -> float:
    """What a board takes by this plan in these times, with its erases and without `Profile.certificates`: three runs, two boots.

    The agent in flash has a reset, and its second run reads back; the agent in RAM has none, and the third run reads back.
    """
    verification = times["verified_full" if verified_in_full else "verified_fast"]
    shared = times["run"] + times["factory_data"] + times["application"] + verification + times["read_back"]
    runs = 2 * (times["connected_reset"] + times["ended"]) + times["reset"]
    if plan is Plan.RAM:
        agent, boot = times["ram_load"] + times["ram_verified"], times["ram_boot"]
    else:
        agent, boot = times["provisioner"] + times["provisioner_verified"] + times["reset"], times["boot"]
    # the programmer ends while the board boots already
    booted = sum(max(0.0, each - times["ended"]) for each in (boot, times["boot"]))
    return shared + runs + agent + booted


def _difference(measured: Times, model: Times) -> float:
    """In seconds and not in ratios, since a busy PC makes a short duration several times as long."""
    return sum(abs(seconds - model[name]) for name, seconds in measured.items())
