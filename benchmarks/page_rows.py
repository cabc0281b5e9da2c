# SPDX-License-Identifier: Apache-2.0
"""The report's rows of the operator's page, against its budgets. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.figures import Goal, Row, Sample
from benchmarks.page import Page
from benchmarks.recording import Recording
from benchmarks.results import LINES
from tests.web.page_weight import LIMITS

PART = "page"
FIRST_PAINT_MS, LIVE_MS, FRAME_MS = 300, 500, 200
GONE_S = 4
BROWSER_PERCENT, HUB_PERCENT = 25, 2
SIZES_KB = {name: limit / 1000 for name, limit in LIMITS.items()}
NO_WORSE = 1.01
"""With five pages over without: what two runs of one line differ by anyway."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs of one line with one seed, one after the other: without a page, and with five open."""

    without: Recording
    beside: Recording


def page_rows(found: Page) -> list[Row]:
    def row(what: str, unit: str, values: Sequence[float], goal: float | None = None) -> Row:
        return Row(PART, what, unit, Sample(tuple(values)), goal=None if goal is None else Goal(goal))

    def milliseconds(values: Sequence[float]) -> list[float]:
        return [1000 * value for value in values]

    frames = sorted(milliseconds(found.to_frame))
    rows = [
        row("first paint, empty cache", "ms", milliseconds(found.first_paint), FIRST_PAINT_MS),
        row("64 tiles live", "ms", milliseconds(found.live), LIVE_MS),
        row("event to frame, 120 events/s, median", "ms", [median(frames)]),
        row("event to frame, 120 events/s, 99 %", "ms", [frames[int(0.99 * (len(frames) - 1))]], FRAME_MS),
        row(
            "Chromium without GPU, 64 slots at the pace of real boards",
            "% of a core",
            [100 * found.chromium],
            BROWSER_PERCENT,
        ),
    ]
    rows += [row(f"colours gone after {how}, slowest", "s", [max(times)], GONE_S) for how, times in found.gone.items()]
    for name, (raw, compressed) in found.sizes.items():
        rows.append(row(f"{name}, raw", "kB", [raw / 1000], SIZES_KB[name]))
        rows.append(row(f"{name}, gzip", "kB", [compressed / 1000]))
    rows += [
        row("hub, 64 quiet slots, 5 listeners", "% of a core", [100 * found.hub_quiet], HUB_PERCENT),
        row(
            "hub, 64 slots at the pace of real boards, 5 listeners",
            "% of a core",
            [100 * found.hub_busy],
            HUB_PERCENT,
        ),
    ]
    return rows


def pair_rows(name: str, pairs: Sequence[Pair]) -> list[Row]:
    """One line's own figures beside five pages, over those without: pair by pair."""

    def over(of: Callable[[Recording], float]) -> Sample:
        return Sample(tuple(of(pair.beside) / of(pair.without) for pair in pairs))

    def cpu(pages: bool) -> Sample:  # noqa: FBT001  both are shown
        return Sample(tuple(1000 * (pair.beside if pages else pair.without).used("daemon") for pair in pairs))

    def lag(pages: bool) -> Sample:  # noqa: FBT001  the same
        runs = [pair.beside if pages else pair.without for pair in pairs]
        return Sample(tuple(1000 * run.loop_lag.p99 for run in runs if run.loop_lag is not None))

    more = [
        100 * (pair.beside.usage["daemon"].cpu - pair.without.usage["daemon"].cpu) / pair.without.seconds
        for pair in pairs
    ]
    cycles = over(lambda run: median(run.cycles))
    walls = over(lambda run: run.wall)
    at_once = [Row(PART, f"{name}: wall with five pages, over without", "", walls, goal=Goal(NO_WORSE))]
    return [
        *(at_once if not LINES[name].every else []),  # in turn, the wall is the pace of plugging in
        Row(PART, f"{name}: cycle of a board, median, with five pages, over without", "", cycles, goal=Goal(NO_WORSE)),
        Row(PART, f"{name}: station CPU a board, without", "ms", cpu(pages=False)),
        Row(PART, f"{name}: station CPU a board, with five pages", "ms", cpu(pages=True)),
        Row(PART, f"{name}: what five pages cost the daemon", "% of a core", Sample(tuple(more))),
        Row(PART, f"{name}: event-loop lag, 99 %, without", "ms", lag(pages=False)),
        Row(PART, f"{name}: event-loop lag, 99 %, with five pages", "ms", lag(pages=True)),
    ]
