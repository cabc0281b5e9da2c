# SPDX-License-Identifier: Apache-2.0
"""Makes the report's rows from recordings: each part's figures, bounds and goals. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import bound
from benchmarks.bound import PROFILES, Constants, Sizes
from benchmarks.figures import Goal, Row, Sample
from benchmarks.idle import Idle
from benchmarks.recording import LoopLag, Recording, RunUnusable
from benchmarks.scale import Scale

CONSTANTS: Constants = PROFILES[bound.DEFAULT]

OVER_BOUND, OVER_BOUND_IN_RAM = 1.05, 1.03
OVER_ONE, CROWD_OVER_ONE = 1.02, 1.05  # the latter where 64 boards come at once, which the bench computes at once
INVOCATIONS = 3
CPU_MS, CPU_OF_A_CROWD_MS = 40, 30  # the latter where 64 boards come at once, which share commits and wake-ups
COMMITS_ALONE, COMMITS_GROUPED = 300, 1500
ATTESTATION_MS = 5
RELAY_MS = 2
OVER_EMPTY = 1.3
OPENING_S, LIST_S, SHOW_S, NUMBERS_S = 1, 1, 0.5, 1
MEMORY_MB = 80
# Goals of the performance study, section 4.3: 9 and 10 (lag), 10 and 11 (start of the programmer).
LAG_P99_MS, LAG_MAX_MS = 5, 40
START_P50_MS, LAST_START_MS = 50, 300


@dataclass(frozen=True, slots=True)
class Line:
    """One way to fill a line: how many boards, and the seconds from one plugging in to the next."""

    boards: int
    every: float = 0.0
    in_ram: bool = False
    """By the plan `ram`, without an erase, since all boards are blank."""
    profile: str = bound.DEFAULT
    """The bench's host and probe."""

    @property
    def work(self) -> tuple[bool, str]:
        """What is the same for lines whose boards may be compared: the plan, host and probe."""
        return self.in_ram, self.profile

    def by_step(self, sizes: Sizes, *, verified_in_full: bool = False) -> dict[str, float]:
        """The bound of each step of one of its boards, in the order of the plan."""
        constants = PROFILES[self.profile]
        if self.in_ram:
            return bound.in_ram_by_step(constants, sizes, verified_in_full=verified_in_full, erased=False)
        return bound.by_step(constants, sizes, verified_in_full=verified_in_full)

    def bound(self, sizes: Sizes, *, verified_in_full: bool = False) -> float:
        """The bound of one of its boards."""
        return sum(self.by_step(sizes, verified_in_full=verified_in_full).values())

    @property
    def over_bound(self) -> float:
        """The goal of its wall, over the bound."""
        return OVER_BOUND_IN_RAM if self.in_ram else OVER_BOUND

    @property
    def is_crowd(self) -> bool:
        """Whether 64 boards come at once."""
        return self.boards == CROWD and not self.every

    @property
    def over_one(self) -> float:
        """The goal of its boards, over one board alone."""
        return CROWD_OVER_ONE if self.is_crowd else OVER_ONE


CROWD = 64
V3 = "fast-host-v3"
LINES = {
    "one": Line(1),
    "eight": Line(8),
    "sixty-four": Line(CROWD),
    "in-turn": Line(CROWD, every=0.3),
    "ram-one": Line(1, in_ram=True),
    "ram-eight": Line(8, in_ram=True),
    "ram-sixty-four": Line(CROWD, in_ram=True),
    "ram-in-turn": Line(CROWD, every=0.3, in_ram=True),
    "v3-one": Line(1, profile=V3),
    "ram-v3-one": Line(1, in_ram=True, profile=V3),
    "ram-v3-eight": Line(8, in_ram=True, profile=V3),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan: its bound, and its median in each line."""

    name: str
    bound: float
    measured: dict[str, float]

    def as_json(self) -> dict[str, object]:
        return {"step": self.name, "bound": round(self.bound, 4), "measured": self.measured}


def line_rows(runs: Sequence[Recording], ones: Sequence[Recording], idle: Idle | None) -> list[Row]:
    """The rows of one line's runs; `ones` are the one-board runs of the same rounds."""
    boards, part, sizes = runs[0].boards, runs[0].line, runs[0].sizes
    way = LINES[part]
    at_once, limit = not way.every, way.bound(sizes)

    def row(
        what: str, unit: str, of: Callable[[Recording], float], bound: float | None = None, goal: Goal | None = None
    ) -> Row:
        return Row(part, what, unit, Sample(tuple(of(run) for run in runs)), bound, goal)

    rows: list[Row] = []
    if at_once:
        rows += [
            row("wall", "s", lambda run: run.wall, bound=limit, goal=Goal(round(way.over_bound * limit, 3))),
            row("what the station adds to the bound", "s", lambda run: run.wall - limit),
            row("  of it the bench's own lateness", "s", lambda run: run.bench_lateness),
        ]
    rows.append(
        row(
            "invocations a board",
            "",
            lambda run: len(run.invocations) / run.boards,
            bound=INVOCATIONS,
            goal=Goal(INVOCATIONS),
        )
    )
    if boards > 1:
        plugging = "  of it plugging in, one after the other" if at_once else "from the first plugging in to the last"
        rows += [
            row(plugging, "s", lambda run: run.plugging),
            row("cycle of a board, median", "s", lambda run: median(run.cycles), bound=limit),
            row("cycle of a board, slowest", "s", lambda run: max(run.cycles), bound=limit),
        ]
        if pairs := _pairs(runs, ones):
            if at_once:
                walls = Sample(tuple(run.wall / one.wall for run, one in pairs))
                rows.append(Row(part, "wall over that of one board", "", walls, bound=1.0, goal=Goal(way.over_one)))
            cycles = Sample(tuple(median(run.cycles) / median(one.cycles) for run, one in pairs))
            goal = None if at_once else Goal(way.over_one)
            rows.append(Row(part, "cycle of a board, median, over that of one", "", cycles, bound=1.0, goal=goal))
    if any(run.full_cycles for run in runs):
        full = way.bound(sizes, verified_in_full=True)
        cycles = Sample(tuple(cycle for run in runs for cycle in run.full_cycles))
        rows.append(
            Row(
                part,
                "cycle of the unit that is verified in full",
                "s",
                cycles,
                bound=full,
                goal=Goal(round(OVER_BOUND * full, 3)),
            )
        )
    rows += _costs(runs, part, idle if boards > 1 else None)
    return rows


def _costs(runs: Sequence[Recording], part: str, idle: Idle | None) -> list[Row]:
    def sample(of: Callable[[Recording], float]) -> Sample:
        return Sample(tuple(of(run) for run in runs))

    crowd = runs[0].boards > 1
    rows = [
        Row(
            part,
            "station CPU a board",
            "ms",
            sample(lambda run: 1000 * run.used("daemon")),
            goal=Goal(CPU_OF_A_CROWD_MS if LINES[part].is_crowd else CPU_MS) if crowd else None,
        )
    ]
    programmers = sample(lambda run: 1000 * run.usage["daemon"].children / run.boards)
    rows.append(Row(part, "  besides, of its programmers (the bench's stand-in)", "ms", programmers))
    emulated = sample(lambda run: 1000 * run.used("bench"))
    rows.append(Row(part, "  besides, of the bench, which executes the boards one at a time", "ms", emulated))
    if idle is not None and idle.slots == runs[0].boards:
        watching = sample(lambda run: 1000 * idle.followed * run.seconds / run.boards)
        rows.append(Row(part, "  of it idling, and telling the demonstration's screen", "ms", watching))
    rows += [
        Row(
            part,
            "station memory, at most",
            "MB",
            sample(lambda run: run.usage["daemon"].memory / 1e6),
            goal=Goal(MEMORY_MB) if crowd else None,
        ),
        Row(
            part,
            "plug-in to programmer start, median",
            "ms",
            sample(lambda run: 1000 * median(run.starts)),
            goal=Goal(START_P50_MS),
        ),
    ]
    if crowd:
        slowest = sample(lambda run: 1000 * max(run.starts))
        rows += [
            Row(part, "plug-in to programmer start, slowest", "ms", slowest, goal=Goal(LAST_START_MS)),
            *_lag_rows(part, runs),
        ]
    return rows


def _lag_rows(part: str, runs: Sequence[Recording]) -> list[Row]:
    def row(what: str, of: Callable[[LoopLag], float], goal: Goal | None = None) -> Row:
        values = tuple(1000 * of(run.loop_lag) for run in runs if run.loop_lag is not None)
        if not values:
            raise RunUnusable("the daemon did not report its event-loop lag")
        return Row(part, what, "ms", Sample(values), goal=goal)

    return [
        row("event-loop lag, median", lambda lag: lag.p50),
        row("event-loop lag, 99 %", lambda lag: lag.p99, Goal(LAG_P99_MS)),
        row("event-loop lag, most", lambda lag: lag.max, Goal(LAG_MAX_MS)),
    ]


def _pairs(runs: Sequence[Recording], ones: Sequence[Recording]) -> list[tuple[Recording, Recording]]:
    """Each run with the one-board run of the same seed, so that both met the same machine."""
    by_seed = {one.seed: one for one in ones}
    return [(run, by_seed[run.seed]) for run in runs if run.seed in by_seed]


def idle_rows(found: Idle) -> list[Row]:
    part = "idle"
    return [
        Row(part, f"CPU of a daemon with {found.slots} finished boards", "ms/s", Sample((1000 * found.quiet,))),
        Row(part, "the same, with a screen that follows it", "ms/s", Sample((1000 * found.followed,))),
        Row(part, "the same, asked for its status five times a second", "ms/s", Sample((1000 * found.asked,))),
    ]


def attestation_row(seconds: Sequence[float]) -> Row:
    sample = Sample(tuple(1000 * value for value in seconds))
    return Row("attestation", "check of one board's whole chain, CPU", "ms", sample, goal=Goal(ATTESTATION_MS))


def relay_row(seconds: Sequence[float]) -> Row:
    sample = Sample(tuple(1000 * value for value in seconds))
    return Row("relay", "what the relay adds for one board, CPU", "ms", sample, goal=Goal(RELAY_MS))


def scale_rows(found: Sequence[Scale]) -> list[Row]:
    """Compares each ledger of many units with the empty one, which is the first."""
    empty, *large = found

    def row(what: str, unit: str, values: Iterable[float], goal: float | None = None) -> Row:
        return Row("scale", what, unit, Sample(tuple(values)), goal=None if goal is None else Goal(goal))

    def over_empty(values: Sequence[float], of_empty: Sequence[float]) -> Iterable[float]:
        return (one / other for one, other in zip(values, of_empty, strict=True))

    def above_start_up(values: Sequence[float]) -> Iterable[float]:
        return (one - other for one, other in zip(values, empty.showing, strict=True))

    rows = [
        row("an attempt in an empty ledger, CPU", "ms", (1000 * value for value in empty.cpu)),
        row("an attempt in an empty ledger, wall", "ms", (1000 * value for value in empty.wall)),
        row("a command of an empty ledger, which is its start-up", "s", empty.showing),
    ]
    for each in large:
        among = f"among {each.units:,} units"
        rows += [
            row(f"size of the ledger of {each.units:,} units", "GB", [each.size / 1e9]),
            row(
                f"an attempt {among}, CPU, over one in an empty ledger", "", over_empty(each.cpu, empty.cpu), OVER_EMPTY
            ),
            row(f"an attempt {among}, wall, over the same", "", over_empty(each.wall, empty.wall), OVER_EMPTY),
            row(f"opening {among}", "s", each.opening, OPENING_S),
            row(f"`units list` {among}", "s", each.listing, LIST_S),
            row("  of it above start-up", "s", above_start_up(each.listing)),
            row(f"`units show` {among}, above start-up", "s", above_start_up(each.showing), SHOW_S),
            row(f"the numbers of a day {among}, above start-up", "s", each.numbers, NUMBERS_S),
        ]
    return rows


def rate_rows(part: str, rates: Mapping[str, Sequence[float]], goals: Mapping[str, int]) -> list[Row]:
    """The rows of the rates per second."""
    return [
        Row(
            part,
            what,
            "1/s",
            Sample(tuple(values)),
            goal=Goal(goals[what], at_least=True) if what in goals else None,
        )
        for what, values in rates.items()
    ]


def steps(runs: Sequence[Recording]) -> dict[str, list[Step]]:
    """By plan and profile, each step's bound and its median by line; the difference is the station's share."""
    by_line: dict[str, list[Recording]] = {}
    for run in runs:
        by_line.setdefault(run.line, []).append(run)
    tables: dict[str, list[Step]] = {}
    for work in dict.fromkeys(way.work for way in LINES.values()):
        alike = [line for line, way in LINES.items() if way.work == work and line in by_line]
        if alike:
            in_ram, profile = work
            limits = LINES[alike[0]].by_step(by_line[alike[0]][0].sizes)
            tables[f"{'ram' if in_ram else 'flash'}, {profile}"] = [
                Step(name, limit, {line: median(_seconds(by_line[line], name)) for line in alike})
                for name, limit in limits.items()
            ]
    return tables


def _seconds(runs: Iterable[Recording], step: str) -> list[float]:
    return [value for run in runs for value in run.step(step)]
