# SPDX-License-Identifier: Apache-2.0
"""The figures of a set of attempts: yield, what failed where, seconds by step, units an hour. Pure.

`docs/operating.md` has the definitions. Attempts of the laboratory must be left out by the caller.
"""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate, compress, islice, pairwise
from math import exp, fsum, inf, lgamma, log, log1p, sqrt
from operator import sub
from typing import NamedTuple

from station.domain.step_seconds import ORDER, unpacked

Z = 1.959963984540054  # of the normal distribution, for 95 %
ENOUGH = 30  # seconds of a step, before Cpk and Ppk are computed
FEWEST = 3  # fails of a slot or probe, before they can be more than chance
CHANCE = 0.001
MEAN_RANGE = 1.128  # of two normal values, in standard deviations (d2 of control charts)
BINS = 36
BREAK = 300.0  # seconds without a board in any slot, from which on they are no working time
HOUR = 3600
HOUR_MS = 1000 * HOUR
ENDS = ("pass", "fail", "void")
AT_ONCE = 10_000  # attempts in memory at a time


class Attempted(NamedTuple):
    """One attempt in production. A tuple of plain values and no dataclass, since a period may have 100,000 of them."""

    began: int
    """Milliseconds since 1970."""
    seconds: float
    """To its last event."""
    slot: str
    probe: str
    uid: str | None
    verdict: str | None
    fault: str | None
    step: str | None
    """The step that began last, of a failed or void attempt."""
    first: bool
    """Whether this is the board's first judged attempt of all."""
    steps: bytes
    """The seconds of each finished step, as `step_seconds` packs them."""


AttemptedRow = tuple[int, float, str, str, str | None, str | None, str | None, str | None, bool, bytes]
"""The same, as a database has it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` of `of`."""

    hits: int
    of: int

    @property
    def share(self) -> float | None:
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 % for the share; all from 0 to 1 where nothing was counted."""
        if not self.of:
            return 0.0, 1.0
        n, p = self.of, self.hits / self.of
        middle = p + Z * Z / (2 * n)
        spread = Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        whole = 1 + Z * Z / n
        low = (middle - spread) / whole if self.hits else 0.0  # exact at both ends, where rounding would leave a rest
        high = (middle + spread) / whole if self.hits < n else 1.0
        return low, high


@dataclass(frozen=True, slots=True)
class Bar:
    """The failed and void attempts that have one fault, slot, probe or step."""

    name: str | None
    fails: Rate
    """Failed of judged attempts: of those at this slot or probe, of all for a fault or a step."""
    void: int
    share: float
    """Its part of all fails."""
    cumulative: float
    """The part of this bar and of those before it."""
    not_chance: bool
    """Whether so many fails at a slot or probe are improbable by the share of fails elsewhere."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """The seconds of one step, or of the whole attempt, in passed attempts. Only slow is bad, so there is no lower limit."""

    count: int
    median: float
    late: float
    """95 % of the values are not above it."""
    limit: float | None
    over: int
    """Values above the limit."""
    cpk: float | None
    """Its spread is that of neighbours in time. None without a limit, or with few or equal values."""
    ppk: float | None
    """Its spread is that of all values."""
    bin_width: float
    histogram: tuple[int, ...]
    """Values by `bin_width`, from 0 on; the last bin has all larger ones, too."""


@dataclass(frozen=True, slots=True)
class Hour:
    """The attempts that began in the hour from `begin` on, and the units among them."""

    begin: datetime
    passed: int
    failed: int
    void: int
    units: int
    """Boards that passed in this hour and in no earlier one of those counted."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The figures of some attempts."""

    first_pass: Rate
    """Boards that passed their first judged attempt, of those whose first judged attempt is counted here."""
    passed: int
    failed: int
    void: int
    running: int
    laboratory: int
    """Attempts of the laboratory, which are in no other figure."""
    units: int
    """Boards that passed, each once."""
    units_an_hour: float | None
    """By working time, without breaks."""
    worked: float
    """Seconds of working time."""
    by_fault: tuple[Bar, ...]
    by_slot: tuple[Bar, ...]
    by_probe: tuple[Bar, ...]
    by_step: tuple[Bar, ...]
    whole: Seconds | None
    """Of the whole attempt; None if none passed."""
    steps: Mapping[str, Seconds]
    """In the order of a procedure."""
    hours: tuple[Hour, ...]

    @property
    def attempts(self) -> int:
        return self.passed + self.failed + self.void + self.running

    @property
    def not_judged(self) -> Rate:
        """Void of ended attempts."""
        return Rate(self.void, self.passed + self.failed + self.void)


def numbers(
    attempts: Iterable[AttemptedRow], limits: Mapping[str, float] | None = None, *, laboratory: int = 0
) -> Numbers:
    """The figures of the attempts, which come in the order in which they began. `limits` are the steps' longest seconds."""
    tally, remaining = _Tally(), iter(attempts)
    while some := list(islice(remaining, AT_ONCE)):
        tally.count(some)
    return tally.numbers(limits or {}, laboratory)


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts names as people count: slot 4 before slot 10, and numbers before letters."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"([0-9]+)", name) if part
    )


def improbable(here: Rate, elsewhere: Rate) -> bool:
    """Whether so many hits or more have a probability below `CHANCE`, if each try has the chance of those elsewhere.

    Where there was no hit elsewhere, the next try counts as one: few tries without a hit do not prove that there is no chance.
    """
    if here.hits < FEWEST or not elsewhere.of:
        return False
    return tail(here.hits, here.of, max(elsewhere.hits, 1) / elsewhere.of) < CHANCE


def tail(hits: int, of: int, chance: float) -> float:
    """The binomial probability of so many hits or more. Exact above the mean; 1 at or below it, where it is never small."""
    if hits <= of * chance:
        return 1.0
    # By logarithms, since the factors alone exceed what a float holds.
    first = lgamma(of + 1) - lgamma(hits + 1) - lgamma(of - hits + 1) + hits * log(chance)
    term = exp(first + ((of - hits) * log1p(-chance) if hits < of else 0.0))
    terms = [term]
    for k in range(hits, of):
        term *= (of - k) / (k + 1) * chance / (1 - chance)  # each is smaller than the one before, above the mean
        terms.append(term)
        if term < terms[0] * 1e-17:
            break
    return fsum(terms)


def seconds_of(values: Sequence[float], limit: float | None = None) -> Seconds:
    """The figures of some seconds, which come in the order of time. There must be at least one."""
    counts = Counter(values)  # milliseconds, so that many are equal
    ordered = sorted(counts)
    up_to = list(accumulate(map(counts.__getitem__, ordered)))
    count = len(values)
    largest = 1.05 * max(limit or 0.0, _value(ordered, up_to, -(-995 * count // 1000))) or 1.0
    width = largest / BINS
    below = [0, *(_below(up_to, bisect_left(ordered, width * number)) for number in range(1, BINS)), count]
    cpk, ppk = (None, None) if limit is None or count < ENOUGH else _capability(values, counts, limit)
    return Seconds(
        count=count,
        median=(_value(ordered, up_to, (count + 1) // 2) + _value(ordered, up_to, count // 2 + 1)) / 2,
        late=_value(ordered, up_to, -(-950 * count // 1000)),
        limit=limit,
        over=0 if limit is None else count - _below(up_to, bisect_right(ordered, limit)),
        cpk=cpk,
        ppk=ppk,
        bin_width=width,
        histogram=tuple(after - before for before, after in pairwise(below)),
    )


def _value(ordered: Sequence[float], up_to: Sequence[int], rank: int) -> float:
    """The value of this rank, counted from 1; `up_to` counts the values up to each of the ordered ones."""
    return ordered[bisect_left(up_to, rank)]


def _below(up_to: Sequence[int], place: int) -> int:
    """How many values come before this place among the different ones."""
    return up_to[place - 1] if place else 0


def _capability(
    values: Sequence[float], counts: Mapping[float, int], limit: float
) -> tuple[float | None, float | None]:
    """Cpk and Ppk against an upper limit; None where the values do not differ."""
    if len(counts) == 1:  # their computed mean may be rounded, and their spread then not 0
        return None, None
    gaps = len(values) - 1
    mean = fsum(value * count for value, count in counts.items()) / len(values)
    near = fsum(map(abs, map(sub, islice(values, 1, None), values))) / gaps / MEAN_RANGE
    overall = sqrt(fsum(count * (value - mean) ** 2 for value, count in counts.items()) / gaps)
    return (limit - mean) / (3 * near), (limit - mean) / (3 * overall)


_Fate = tuple[str | None, str | None, str, str, str | None]  # verdict, fault, slot, probe, step
_FATE = (5, 6, 2, 3, 7)  # their places in an attempt
_PLACES = {"fault": 1, "slot": 2, "probe": 3, "step": 4}


def _bars(fates: Mapping[_Fate, int], by: str) -> tuple[Bar, ...]:
    """The failed and void attempts by one property, the most frequent fail first."""
    counts: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
    all_judged = all_fails = 0
    for fate, count in fates.items():
        verdict, name = fate[0], fate[_PLACES[by]]
        if verdict in {"pass", "fail"}:
            all_judged += count
            counts[name]["judged"] += count
        if verdict in {"fail", "void"}:
            counts[name][verdict] += count
            all_fails += count * (verdict == "fail")
    bad = sorted(
        ((name, each) for name, each in counts.items() if each["fail"] or each["void"]),
        key=lambda item: (-item[1]["fail"], -item[1]["void"], natural(item[0] or "")),
    )
    totals = accumulate(each["fail"] for _, each in bad)
    return tuple(
        _bar(name, each, Rate(all_fails, all_judged), so_far, is_place=by in {"slot", "probe"})
        for (name, each), so_far in zip(bad, totals, strict=True)
    )


def _bar(name: str | None, count: Counter[str], every: Rate, so_far: int, *, is_place: bool) -> Bar:
    fails = Rate(count["fail"], count["judged"] if is_place else every.of)
    elsewhere = Rate(every.hits - fails.hits, every.of - fails.of)
    return Bar(
        name=name,
        fails=fails,
        void=count["void"],
        share=Rate(fails.hits, every.hits).share or 0.0,
        cumulative=Rate(so_far, every.hits).share or 0.0,
        not_chance=is_place and improbable(fails, elsewhere),
    )


@dataclass(slots=True)
class _Tally:
    """Counts the attempts one by one, so that they need not be kept."""

    first: Counter[str | None] = field(default_factory=Counter)
    fates: Counter[_Fate] = field(default_factory=Counter)
    hours: Counter[tuple[int, str | None]] = field(default_factory=Counter)
    units: dict[str | None, int] = field(default_factory=dict)
    """The boards that passed, each with the hour of the first time."""
    whole: "array[float]" = field(default_factory=lambda: array("d"))
    steps: "defaultdict[str, array[float]]" = field(default_factory=lambda: defaultdict(lambda: array("d")))
    worked: float = 0.0
    busy_until: float = -inf

    def count(self, attempts: Sequence[AttemptedRow]) -> None:
        """Counts column by column, which takes a quarter of the time of row by row."""
        began, seconds = [each[0] for each in attempts], [each[1] for each in attempts]
        verdicts, uids = [each[5] for each in attempts], [each[4] for each in attempts]
        fates = ([each[at] for each in attempts] for at in _FATE)
        self.fates.update(zip(*fates, strict=True))
        self.first.update([each[5] for each in attempts if each[8]])
        self._work(began, seconds)
        hours = [moment // HOUR_MS for moment in began]
        self.hours.update(zip(hours, verdicts, strict=True))
        passed = [verdict == "pass" for verdict in verdicts]
        deque(map(self.units.setdefault, compress(uids, passed), compress(hours, passed)), maxlen=0)
        self.whole.extend(compress(seconds, passed))
        for name, values in unpacked(list(compress([each[9] for each in attempts], passed))).items():
            self.steps[name].extend(values)

    def _work(self, began: Iterable[int], seconds: Iterable[float]) -> None:
        """Adds each attempt's time, and the pause before it unless that was a break. Attempts of other slots overlap."""
        worked, busy_until = self.worked, self.busy_until
        for milliseconds, duration in zip(began, seconds, strict=True):
            begin = milliseconds / 1000
            end = begin + duration
            if begin - busy_until >= BREAK:
                worked += duration
                busy_until = end
            elif end > busy_until:
                worked += end - busy_until
                busy_until = end
        self.worked, self.busy_until = worked, busy_until

    def _hour(self, hour: int, units: int) -> Hour:
        passed, failed, void = (self.hours[hour, verdict] for verdict in ENDS)
        return Hour(datetime.fromtimestamp(hour * HOUR, UTC), passed, failed, void, units)

    def numbers(self, limits: Mapping[str, float], laboratory: int) -> Numbers:
        new = Counter(hour for uid, hour in self.units.items() if uid is not None)
        units, verdicts = new.total(), Counter[str | None]()
        for fate, count in self.fates.items():
            verdicts[fate[0]] += count
        return Numbers(
            first_pass=Rate(self.first["pass"], self.first.total()),
            passed=verdicts["pass"],
            failed=verdicts["fail"],
            void=verdicts["void"],
            running=verdicts[None],
            laboratory=laboratory,
            units=units,
            units_an_hour=units * HOUR / self.worked if self.worked else None,
            worked=self.worked,
            by_fault=_bars(self.fates, "fault"),
            by_slot=_bars(self.fates, "slot"),
            by_probe=_bars(self.fates, "probe"),
            by_step=_bars(self.fates, "step"),
            whole=seconds_of(self.whole) if self.whole else None,
            steps={
                phase.value: seconds_of(self.steps[phase.value], limits.get(phase.value))
                for phase in ORDER
                if phase.value in self.steps
            },
            hours=tuple(
                self._hour(hour, new[hour])
                for hour in sorted({hour for hour, verdict in self.hours if verdict is not None})
            ),
        )
