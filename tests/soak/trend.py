# SPDX-License-Identifier: Apache-2.0
"""Whether a figure grows beyond its noise. Pure.

Samples ten seconds apart resemble each other, so the judged time is cut into 24 blocks with one value each; the
slope is the median of the slopes between all pairs of blocks (Theil and Sen), which a fifth of wild blocks do not move.
Sen's interval takes its lower bound from the order of these slopes at three standard deviations of Kendall's S: the growth
that is certain is the lower bound times the duration, and it must exceed what the figure may do without a leak.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import median

BLOCKS = 24
ENDS = 6  # blocks at the start, and as many at the end
SURE = 3.0  # standard deviations of Kendall's S: one run in 700 grows so by chance
WORSE = 34  # of the 36 pairs of a block at the start and one at the end: by chance in 4 of 924 orders

Points = Sequence[tuple[float, float]]
"""Moments in seconds, in order, and values."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through a figure, and its lower bound; slopes are in units a second."""

    slope: float
    least: float
    middle: float
    """The value at the moment zero."""
    seconds: float
    """For how long it was looked at."""

    @property
    def certain(self) -> float:
        """The growth that noise does not explain; 0 if it explains all."""
        return max(0.0, self.least * self.seconds)


@dataclass(frozen=True, slots=True)
class Ends:
    """A figure at the start and at the end, and whether it is worse then: greater in nearly all pairs of blocks."""

    start: float
    end: float
    worse: bool


class TooShort(Exception):
    """A run has too few samples to be judged; nothing is known of it."""


def blocks(points: Points, of: Callable[[Sequence[float]], float]) -> Points:
    """One value for each part of the time. Raises `TooShort`."""
    seconds = points[-1][0] - points[0][0] if points else 0.0
    found: list[list[tuple[float, float]]] = [[] for _ in range(BLOCKS)]
    for at, value in points if seconds else ():
        found[min(BLOCKS - 1, int(BLOCKS * (at - points[0][0]) / seconds))].append((at, value))
    if any(not block for block in found):
        raise TooShort(f"{len(points)} samples in {seconds:.0f} s: each of {BLOCKS} parts of the time needs one")
    return [(median(at for at, _ in block), of([value for _, value in block])) for block in found]


def trend(points: Points) -> Trend:
    """The trend of values that do not resemble their neighbours, as `blocks` returns them."""
    slopes = sorted((b - a) / (later - at) for (at, a), (later, b) in combinations(points, 2))
    slope, number = median(slopes), len(points)
    deviation = SURE * sqrt(number * (number - 1) * (2 * number + 5) / 18)
    least = slopes[max(0, int((len(slopes) - deviation) / 2))]
    middle = median(value - slope * at for at, value in points)
    return Trend(slope, least, middle, points[-1][0] - points[0][0])


def ends(points: Points) -> Ends:
    """Compares the first and last blocks by the rank-sum test of Wilcoxon, Mann and Whitney."""
    values = [value for _, value in points]
    start, end = values[:ENDS], values[-ENDS:]
    greater = sum(after > before for before in start for after in end)
    return Ends(median(start), median(end), greater >= WORSE)
