# SPDX-License-Identifier: Apache-2.0
"""What must stay flat over a soak, how much of it is no leak, and what the run says of each. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from tests.soak.figures import Figures
from tests.soak.trend import Points, TooShort, Trend, blocks, ends, trend

MB = 1e6
WAL_MOST = (
    16 * MB
)  # SQLite checkpoints a WAL of 1,000 pages, which are 4.1 MB; a reader may keep it from doing so for a while
WARM_UP = 1 / 6  # of the run
WARM_UNITS = 500  # the daemon keeps so many verdicts; SQLite's cache and the events for the pages are full before
FEWEST_SAMPLES = 100
PARTS = 10  # of the run, in each of which units must pass


@dataclass(frozen=True, slots=True)
class Flat:
    """A figure that must not grow."""

    name: str
    label: str
    unit: str
    scale: float
    """Of the unit."""
    free: float
    """By how much it may certainly grow along its trend, in its own measure: that is no leak."""
    free_step: float
    """By how much it may be greater at the end than at the start: a late jump makes no trend."""
    of: Callable[[Sequence[float]], float] = median
    """The value of a part of the run."""


FLAT = (
    # CPython takes memory for small objects in arenas of 1 MiB.
    Flat("memory", "memory", "MB", MB, free=MB, free_step=4 * MB),
    # Boards at work have some, now more and now fewer: the median of so few numbers would jump.
    Flat("descriptors", "descriptors", "", 1, free=1, free_step=2, of=fmean),
    Flat("threads", "threads", "", 1, free=1, free_step=2, of=fmean),
    Flat("wal", "WAL", "MB", MB, free=4 * MB, free_step=4 * MB),
)


@dataclass(frozen=True, slots=True)
class NotWorse:
    """A figure that must be at the end as at the start; `free` is how much worse counts as the same."""

    name: str
    label: str
    unit: str
    scale: float
    free: float


NOT_WORSE = (
    NotWorse("lag_p99", "loop lag at 99 %", "ms", 1e-3, free=2e-3),  # uvloop's timers count in milliseconds
    NotWorse("cycle", "cycle", "s", 1, free=1),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a run says of one figure, or of the line."""

    figure: str
    good: bool
    says: str
    trend: Trend | None = None


def judged(rows: Sequence[Figures]) -> list[Finding]:
    """All findings. A run that is too short to be judged is not good."""
    try:
        warm = _warm(rows)
        found = [_flat(warm, each) for each in FLAT]
        found += [_not_worse(warm, each) for each in NOT_WORSE]
    except TooShort as exc:
        return [Finding("run", good=False, says=f"NOT JUDGED: {exc}")]
    return [*found, _bounded(rows), *_worked(rows)]


def warm_from(rows: Sequence[Figures]) -> float | None:
    """The moment at which the run is warm; None if it does not become so."""
    if not rows:
        return None
    begin = rows[0].seconds + (rows[-1].seconds - rows[0].seconds) * WARM_UP
    return next((row.seconds for row in rows if row.seconds >= begin and row.passed >= WARM_UNITS), None)


def _warm(rows: Sequence[Figures]) -> Sequence[Figures]:
    """Raises `TooShort`."""
    if (begin := warm_from(rows)) is None:
        passed = rows[-1].passed if rows else 0
        raise TooShort(f"{passed:.0f} units passed, and the daemon is warm after {WARM_UNITS}")
    warm = [row for row in rows if row.seconds >= begin]
    if len(warm) < FEWEST_SAMPLES:
        raise TooShort(f"{len(warm)} samples after the warm-up, and {FEWEST_SAMPLES} are needed")
    return warm


def points(rows: Sequence[Figures], name: str) -> Points:
    """A figure over time, without the samples that have none."""
    values = [(row.seconds, getattr(row, name)) for row in rows]
    return [(at, value) for at, value in values if value is not None]


def _flat(rows: Sequence[Figures], figure: Flat) -> Finding:
    parts = blocks(points(rows, figure.name), figure.of)
    found, later, both = trend(parts), trend(parts[len(parts) // 2 :]), ends(parts)
    grows = found.certain > figure.free and later.slope > found.slope / 2  # a high-water mark comes to rest
    steps = both.worse and both.end - both.start > figure.free_step
    hourly = 3600 / figure.scale
    says = (
        f"{figure.label} {both.start / figure.scale:.2f} {figure.unit} at the start, {both.end / figure.scale:.2f} at the end, "
        f"{found.slope * hourly:+.2f} an hour and at least {found.least * hourly:+.2f}, "
        f"in the second half {later.slope * hourly:+.2f}"
    )
    return Finding(figure.name, not grows and not steps, says.replace("  ", " "), found)


def _not_worse(rows: Sequence[Figures], figure: NotWorse) -> Finding:
    found = ends(blocks(points(rows, figure.name), median))
    worse = found.worse and found.end - found.start > figure.free
    says = (
        f"{figure.label} {found.start / figure.scale:.2f} {figure.unit} at the start, "
        f"{found.end / figure.scale:.2f} at the end"
    )
    return Finding(figure.name, good=not worse, says=says)


def _bounded(rows: Sequence[Figures]) -> Finding:
    most = max(row.wal for row in rows)
    return Finding("wal", most <= WAL_MOST, f"WAL {most / MB:.2f} MB at most, {WAL_MOST / MB:g} is the bound")


def _worked(rows: Sequence[Figures]) -> Iterator[Finding]:
    """Whether the line made good units all the time: a line that stands still grows by nothing."""
    last = rows[-1]
    looks = [rows[part * (len(rows) - 1) // PARTS].passed for part in range(PARTS + 1)]
    still = sum(after <= before for before, after in pairwise(looks))
    says = f"{last.passed:.0f} passed in {last.seconds / 3600:.2f} h"
    yield Finding("passed", still == 0, says + (f", none in {still} of {PARTS} parts of the run" if still else ""))
    yield Finding("not_passed", last.not_passed == 0, f"{last.not_passed:.0f} attempts failed or are void")
    yield Finding("interventions", last.interventions == 0, f"people had to help {last.interventions:.0f} times")
