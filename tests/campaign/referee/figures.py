# SPDX-License-Identifier: Apache-2.0
"""Whether memory and open files stay flat over the life of each process. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import sqrt
from statistics import median

from tests.campaign.evidence import Evidence, Sample
from tests.campaign.referee.violation import Promise, Violation

FEWEST = 12  # samples of a life; fewer say nothing
FEWEST_OF_QUARTER = 9
SHORTEST_QUARTER = 30.0  # seconds: in less, boards may be at work all the time at its end, and not at its beginning
MOST = 200  # of which each pair is looked at
MEMORY_GROWTH, MEMORY_NOISE = 0.15, 24e6  # of the median, and bytes
FILES_NOISE = 6.0
SURE = 4.0  # times the error of the slope
TO_DEVIATION = 1.4826  # from the median of the absolute deviations, for noise by chance


def flat(evidence: Evidence) -> Iterator[Violation]:
    lives: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in evidence.story.samples:
        lives[sample.station, sample.life].append(sample)
    for (station, life), samples in lives.items():
        if len(samples) < FEWEST:
            continue
        warm = samples[len(samples) // 4 :]  # the first quarter warms up
        at, name = [each.at for each in warm], f"{station}, process {life}"
        if grown := risen(at, [each.files for each in warm]):
            yield Violation(Promise.FLAT, f"{name}: {grown:.0f} descriptors more at its end")
        memory = [each.rss for each in warm]
        if grown := growth(at, memory, max(MEMORY_NOISE, MEMORY_GROWTH * median(memory))):
            yield Violation(Promise.FLAT, f"{name}: {grown / 1e6:.0f} MB more at its end")


def risen(at: Sequence[float], values: Sequence[float]) -> float:
    """By how much the lowest of the last quarter are above those of the first; 0 within the noise, and of few samples or a short time.

    A board at work needs pipes, locks and a terminal, so only what stays open when few are at work is a leak.
    """
    quarter = len(values) // 4
    if quarter < FEWEST_OF_QUARTER or min(at[quarter] - at[0], at[-1] - at[-quarter]) < SHORTEST_QUARTER:
        return 0.0
    rise = min(values[-quarter:]) - min(values[:quarter])
    return rise if rise > FILES_NOISE else 0.0


def growth(at: Sequence[float], values: Sequence[float], noise: float) -> float:
    """By how much the values have grown from first to last, by the median of all slopes (Theil and Sen); 0 within the noise."""
    every = -(-len(at) // MOST)
    points = list(zip(at[::every], values[::every], strict=True))
    slopes = [(b - a) / (later - at) for (at, a), (later, b) in combinations(points, 2) if later > at]
    slope = median(slopes) if slopes else 0.0
    rest = [value - slope * moment for moment, value in points]
    deviation = TO_DEVIATION * median(abs(each - median(rest)) for each in rest)
    grown = slope * (points[-1][0] - points[0][0])
    return grown if grown > max(noise, SURE * deviation * sqrt(12 / len(points))) else 0.0
