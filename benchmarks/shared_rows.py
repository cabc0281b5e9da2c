# SPDX-License-Identifier: Apache-2.0
"""The report's rows of the shared ledger's centre, each with its bound and its goal. Pure."""

import math
from collections.abc import Sequence
from statistics import median

from benchmarks.figures import Goal, Row, Sample
from benchmarks.shared import BATCH, LARGE, LARGE_BATCH, SMALL, STATIONS, UNITS_A_SECOND, Shared
from benchmarks.shared_price import SLOTS, Price

PART = "shared"
PUSH_P50_MS, PUSH_P99_MS = 20, 100
CLAIM_P50_MS, CLAIM_P99_MS = 5, 50
PRICE_CPU_MS, PRICE_MB = 3, 20  # more than the same daemon without a centre
LAG_P50_MS = 1500
AWAY, DRAINED_WITHIN = 3600, 15  # seconds without the centre; minutes
SATURATED = {BATCH: 900, LARGE_BATCH: 2000}  # units a second
GRANT_MS = {SMALL: 50, LARGE: 2000}
PACE = f"{STATIONS} stations, {UNITS_A_SECOND} units/s"


def shared_rows(found: Shared) -> list[Row]:
    """The bound of each figure is its median when the same server only writes the bytes, in the same run."""
    pushes, bare_pushes = ([each.pushes for each in times] for times in (found.paced, found.paced_bare))
    lags, bare_lags = ([each.lags for each in times] for times in (found.paced, found.paced_bare))
    claims, bare_claims = ([each.claims for each in times] for times in (found.paced, found.paced_bare))
    rows = [
        _quantile(f"push, {PACE}, a claim a board, median", pushes, bare_pushes, 0.5, PUSH_P50_MS),
        _quantile("  99 %", pushes, bare_pushes, 0.99, PUSH_P99_MS),
        _quantile("claim, at the same time, median", claims, bare_claims, 0.5, CLAIM_P50_MS),
        _quantile("  claim, 99 %", claims, bare_claims, 0.99, CLAIM_P99_MS),
        _quantile("from a verdict until the centre has it, median", lags, bare_lags, 0.5, LAG_P50_MS),
    ]
    for units, rates in found.rates.items():
        what = f"saturated, {units} units a push"
        bound = median(found.bare_rates[units])
        rows.append(Row(PART, what, "units/s", Sample(tuple(rates)), bound, Goal(SATURATED[units], at_least=True)))
        cpu = tuple(1000 * each for each in found.cpu[units])
        rows.append(Row(PART, "  of the server's processors, a unit", "ms", Sample(cpu)))
    rows.append(_drain(found.rates[LARGE_BATCH], found.bare_rates[LARGE_BATCH]))
    for items, seconds in found.grants.items():
        times = Sample(tuple(1000 * each for each in seconds))
        bound = 1000 * median(found.bare_grants[items])
        rows.append(Row(PART, f"grant of {items:,} items", "ms", times, bound, Goal(GRANT_MS[items])))
    rows += [
        Row(PART, "size of a unit, with indexes", "kB", Sample((found.bytes_a_unit / 1000,))),
        Row(PART, "  of it the journal's segments", "kB", Sample((found.segment_bytes / 1000,))),
    ]
    return rows


def price_rows(found: Price) -> list[Row]:
    """The difference of the two daemons in each round, and what each needs. The memory is the peak after all rounds."""
    more = tuple(1000 * (shared - alone) for alone, shared in zip(found.alone, found.shared, strict=True))
    memory = (found.memory_shared - found.memory_alone) / 1e6
    part = "shared-price"
    return [
        Row(part, f"processor time a unit more, {SLOTS} boards at once", "ms", Sample(more), 0, Goal(PRICE_CPU_MS)),
        Row(part, "  without [shared]", "ms", Sample(tuple(1000 * each for each in found.alone))),
        Row(part, "  with it", "ms", Sample(tuple(1000 * each for each in found.shared))),
        Row(part, "memory more", "MB", Sample((memory,)), 0, Goal(PRICE_MB)),
        Row(part, "  without [shared]", "MB", Sample((found.memory_alone / 1e6,))),
        Row(part, "  with it", "MB", Sample((found.memory_shared / 1e6,))),
    ]


def _drain(rates: Sequence[float], bare: Sequence[float]) -> Row:
    """What the saturated rate means for stations that have been without the centre: an hour of units is not told in a benchmark."""
    told, least = (tuple(_minutes(rate) for rate in some) for some in (rates, bare))
    what = f"an hour away, drained at that rate while {UNITS_A_SECOND} units/s go on coming"
    return Row(PART, what, "min", Sample(told), median(least), Goal(DRAINED_WITHIN))


def _minutes(rate: float) -> float:
    return math.inf if rate <= UNITS_A_SECOND else AWAY * UNITS_A_SECOND / (rate - UNITS_A_SECOND) / 60


def _quantile(
    what: str, rounds: Sequence[Sequence[float]], bare: Sequence[Sequence[float]], share: float, goal: float
) -> Row:
    times, bounds = ([1000 * _at(each, share) for each in some] for some in (rounds, bare))
    return Row(PART, what, "ms", Sample(tuple(times)), median(bounds), Goal(goal))


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]
