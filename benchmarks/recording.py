# SPDX-License-Identifier: Apache-2.0
"""Reads one finished run of `station demo` from its folder: invocations, wall, steps, CPU, memory, event-loop lag."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from benchmarks.bound import Sizes

JOURNAL, LOG, REPORT = "bench.jsonl", "logs/station.jsonl", "report.json"


class RunUnusable(Exception):
    """The run gives no figures: a board did not pass, or a record is missing."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class BoardReport(_Model):
    slot: str
    verdict: str
    seconds: float
    phases: dict[str, float]


class Totals(_Model):
    boards: int
    seconds: float


class Report(_Model):
    """The file that `station demo --json` writes."""

    boards: tuple[BoardReport, ...]
    totals: Totals


class Plugged(_Model):
    board: int
    time: float


class Invocation(_Model):
    """One run of the programmer, from the bench's journal."""

    board: int
    argv: tuple[str, ...]
    start: float
    end: float
    modelled: float

    @property
    def late(self) -> float:
        """The seconds by which the bench exceeded its model."""
        return self.end - self.start - self.modelled

    @property
    def writes(self) -> int:
        return self.argv.count("-d")

    @property
    def fast(self) -> bool:
        """Whether the run verifies an image by check sum only."""
        return "fast" in self.argv


class Attempt(_Model):
    """The end of an attempt, from the log."""

    slot: str
    time: datetime
    milliseconds: int = 0  # of `time`, which has whole seconds; lines of before have them in `time`
    seconds: float

    @property
    def ended(self) -> float:
        return self.time.timestamp() + self.milliseconds / 1000

    @property
    def began(self) -> float:
        return self.ended - self.seconds


class LoopLag(_Model):
    """The daemon's event-loop lag in seconds."""

    p50: float
    p99: float
    max: float


class Usage(_Model):
    """CPU time and memory of a process of the line from the first plugging in to the last verdict."""

    cpu: float
    memory: int
    children: float
    """CPU seconds of its children that have ended; for the daemon, the programmers."""


@dataclass(frozen=True)
class Recording:
    """One run. Moments are in Unix seconds."""

    line: str
    """The way in which the line was filled."""
    boards: int
    seed: int
    report: Report
    plugged: Mapping[int, float]
    invocations: tuple[Invocation, ...]
    attempts: Mapping[str, Attempt]
    loop_lag: LoopLag | None
    sizes: Sizes
    usage: Mapping[str, Usage]
    load: float

    @classmethod
    def read(cls, folder: Path, *, line: str, seed: int, sizes: Sizes, usage: Mapping[str, Usage], load: float) -> Self:
        """Reads the run in a folder. Raises `RunUnusable`."""
        report = Report.model_validate_json((folder / REPORT).read_text(encoding="utf-8"))
        journal = _lines(folder / JOURNAL)
        plugged = {event.board: event.time for event in map(Plugged.model_validate, _events(journal, "plugged"))}
        invocations = tuple(map(Invocation.model_validate, _events(journal, "invocation")))
        if failed := [board.slot for board in report.boards if board.verdict != "pass"]:
            raise RunUnusable(f"slots {', '.join(failed)} did not pass, see {folder}")
        log = _lines(folder / LOG)
        attempts = {attempt.slot: attempt for attempt in map(Attempt.model_validate, _events(log, "attempt.finished"))}
        lag = next(iter(_events(log, "station.stopped")), {}).get("loop_lag")
        return cls(
            line=line,
            boards=report.totals.boards,
            seed=seed,
            report=report,
            plugged=plugged,
            invocations=invocations,
            attempts=attempts,
            loop_lag=None if lag is None else LoopLag.model_validate(lag),
            sizes=sizes,
            usage=usage,
            load=load,
        )

    @property
    def wall(self) -> float:
        """From the first attempt's beginning to the last one's end, without units that are verified in full."""
        began = min(attempt.began for attempt in self.attempts.values())
        ended = max(attempt.ended for slot, attempt in self.attempts.items() if slot not in self.fully_verified)
        return ended - began

    @property
    def seconds(self) -> float:
        """From the first plugging in to the last verdict."""
        return max(attempt.ended for attempt in self.attempts.values()) - min(self.plugged.values())

    @property
    def plugging(self) -> float:
        """Seconds from the first to the last plugging in."""
        return max(self.plugged.values()) - min(self.plugged.values())

    @cached_property
    def fully_verified(self) -> frozenset[str]:
        """Slots whose application was read back in full, as the recipe's sample is; that takes longer."""
        fast = {invocation.board for invocation in self.invocations if invocation.fast}
        return frozenset(str(board) for board in self.plugged if board not in fast)

    @property
    def cycles(self) -> list[float]:
        """Seconds of every attempt whose application was verified by check sum."""
        return [board.seconds for board in self.report.boards if board.slot not in self.fully_verified]

    @property
    def full_cycles(self) -> list[float]:
        return [board.seconds for board in self.report.boards if board.slot in self.fully_verified]

    def step(self, name: str) -> list[float]:
        return [
            board.phases[name]
            for board in self.report.boards
            if name in board.phases and board.slot not in self.fully_verified
        ]

    @property
    def starts(self) -> list[float]:
        """For each board, from being plugged in to its first run of the programmer."""
        first: dict[int, float] = {}
        for invocation in self.invocations:
            first[invocation.board] = min(invocation.start, first.get(invocation.board, invocation.start))
        return [first[board] - moment for board, moment in self.plugged.items()]

    @property
    def bench_lateness(self) -> float:
        """Seconds per board by which the bench, not the station, exceeded its model."""
        return sum(invocation.late for invocation in self.invocations) / self.boards

    def used(self, role: str) -> float:
        """CPU seconds per board."""
        return self.usage[role].cpu / self.boards

    def as_json(self) -> dict[str, object]:
        return {
            "line": self.line,
            "boards": self.boards,
            "seed": self.seed,
            "load": self.load,
            "wall": round(self.wall, 3),
            "wall_of_all": self.report.totals.seconds,
            "cycles": self.cycles,
            "fully_verified": self.full_cycles,
            "invocations": len(self.invocations),
            "bench_lateness": round(self.bench_lateness, 4),
            "plugged_to_programmer": [round(start, 4) for start in self.starts],
            "cpu_a_board": {role: round(self.used(role), 4) for role in self.usage},
            "children_cpu_a_board": {
                role: round(usage.children / self.boards, 4) for role, usage in self.usage.items()
            },
            "memory": {role: usage.memory for role, usage in self.usage.items()},
            "loop_lag": None if self.loop_lag is None else self.loop_lag.model_dump(),
        }


def moments(folder: Path) -> tuple[float, float]:
    """When the first board was plugged in, and when the last verdict was logged; raises `RunUnusable`."""
    plugged = [Plugged.model_validate(event).time for event in _events(_lines(folder / JOURNAL), "plugged")]
    ended = [Attempt.model_validate(event).ended for event in _events(_lines(folder / LOG), "attempt.finished")]
    if not plugged or not ended:
        raise RunUnusable(f"no board was plugged in, or none was judged, see {folder}")
    return min(plugged), max(ended)


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _events(lines: Iterable[dict[str, object]], name: str) -> Iterable[dict[str, object]]:
    return (line for line in lines if line["event"] == name)
