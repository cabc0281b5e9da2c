# SPDX-License-Identifier: Apache-2.0
"""The report's rows of the calls of ST's tool, and the station's lines over them. Pure."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from benchmarks import bound
from benchmarks.figures import Goal, Row, Sample
from benchmarks.recording import Recording
from benchmarks.results import CONSTANTS
from benchmarks.st_runs import STRun

TIMES_FASTER = 1.9
"""The plan `ram`, over the calls of ST's tool, as often as one of its threads has a board: eight boards are two on two cores."""
BESIDE: Mapping[str, tuple[str, ...]] = {"st-one": ("ram-one", "one"), "st-eight": ("ram-eight", "eight")}
WITH_A_GOAL = ("ram-one", "ram-eight")


def st_rows(runs: Sequence[STRun], lines: Sequence[Recording]) -> list[Row]:
    """The rows of one contender's runs; each is compared with the line's run of the same round."""
    part, boards, threads = runs[0].line, runs[0].boards, runs[0].said.threads
    limit = bound.of_st_calls(CONSTANTS, runs[0].images, boards, threads)
    listing = bound.of_st_list(CONSTANTS, boards)

    def row(what: str, unit: str, of: Callable[[STRun], float], at_least: float | None = None) -> Row:
        return Row(part, what, unit, Sample(tuple(of(run) for run in runs)), at_least)

    rows = [
        row("wall", "s", lambda run: run.wall, limit),
        row("  of it the list, before the first board", "s", lambda run: run.listing, listing),
        row("  of it the bench's own lateness", "s", lambda run: run.bench_lateness),
        row("cycle of a board, median", "s", lambda run: median(run.cycles)),
        row("invocations a board, besides the list", "", lambda run: (len(run.calls) - 1) / run.boards),
    ]
    if boards > 1:
        rows += [
            row("boards at once: its threads on this machine", "", lambda run: min(run.said.threads, run.boards)),
            row("different DACs on these boards", "", lambda run: run.certificates),
        ]
    for line in BESIDE[part]:
        pairs = [(run, other) for run in runs for other in lines if (other.line, other.seed) == (line, run.seed)]
        if not pairs:
            continue
        goal = Goal(TIMES_FASTER * runs[0].waves, at_least=True) if line in WITH_A_GOAL else None
        walls = Sample(tuple(run.wall / other.wall for run, other in pairs))
        rows.append(Row(part, f"wall over that of {line}", "", walls, goal=goal))
        unlisted = Sample(tuple((run.wall - run.listing) / other.wall for run, other in pairs))
        rows.append(Row(part, "  the same without its list", "", unlisted))
    return rows
