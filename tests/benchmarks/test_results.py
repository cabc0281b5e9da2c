# SPDX-License-Identifier: Apache-2.0
"""Rows from the files of a run: invocations are counted, and boards compared with the run of the same seed."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.bound import DEFAULT, PROFILES, Sizes, by_step
from benchmarks.figures import Row, Verdict
from benchmarks.filled import filled
from benchmarks.processes import Watch
from benchmarks.recording import Recording, RunUnusable, Usage, moments
from benchmarks.results import Step, attestation_row, line_rows, relay_row, scale_rows, steps
from benchmarks.scale import ATTEMPTS, Scale, scales
from station.adapters.ledger.reader import LedgerReader

SIZES = Sizes(479_006, 48_874, 1_600)
USAGE = {
    "daemon": Usage(cpu=0.08, memory=70_000_000, children=0.3),
    "bench": Usage(cpu=0.48, memory=90_000_000, children=0.0),
}
PHASES = tuple(by_step(PROFILES[DEFAULT], SIZES))
BEGAN = 1_800_000_000.0  # 2027-01-15T08:00:00Z


def write_run(
    folder: Path,
    boards: int,
    wall: float,
    *,
    invocations: int = 3,
    verdict: str = "pass",
    phases: Mapping[str, float] | None = None,
) -> None:
    """Writes the files of a run in which all boards are alike."""
    (folder / "logs").mkdir(parents=True)
    numbers = range(1, boards + 1)
    journal: list[dict[str, object]] = [{"event": "plugged", "board": number, "time": BEGAN} for number in numbers]
    journal += [
        {
            "event": "invocation",
            "board": number,
            "argv": ["-d", "image", "-v", "fast"],
            "start": BEGAN + 0.02 + run,
            "end": BEGAN + 0.53 + run,
            "modelled": 0.5,
        }
        for number in numbers
        for run in range(invocations)
    ]
    seconds = int(wall)
    ended = f"2027-01-15T08:00:{seconds:02}.{round(1000 * (wall - seconds)):03}Z"
    log: list[dict[str, object]] = [
        {"event": "attempt.finished", "slot": str(number), "time": ended, "seconds": wall} for number in numbers
    ]
    log.append({"event": "station.stopped", "loop_lag": {"p50": 0.001, "p99": 0.004, "max": 0.03}})
    board = {"verdict": verdict, "seconds": wall, "phases": phases or {}}
    report = {
        "boards": [{"slot": str(number), **board} for number in numbers],
        "totals": {"boards": boards, "seconds": wall},
    }
    (folder / "bench.jsonl").write_text("".join(json.dumps(line) + "\n" for line in journal))
    (folder / "logs" / "station.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    (folder / "report.json").write_text(json.dumps(report))


def recording(
    folder: Path,
    boards: int,
    wall: float,
    *,
    seed: int = 1,
    invocations: int = 3,
    line: str | None = None,
    phases: Mapping[str, float] | None = None,
) -> Recording:
    write_run(folder, boards, wall, invocations=invocations, phases=phases)
    line = line or {1: "one", 8: "eight"}[boards]
    return Recording.read(folder, line=line, seed=seed, sizes=SIZES, usage=USAGE, load=0.0)


def named(rows: list[Row], what: str) -> Row:
    return next(row for row in rows if row.what == what)


def test_the_wall_is_held_against_the_bound_of_the_images_used(tmp_path: Path) -> None:
    """The wall time may exceed the bound by five per cent."""
    run = recording(tmp_path, 1, 17.9)
    row = named(line_rows([run], [run], None), "wall")
    assert row.sample.median == pytest.approx(17.9)
    assert row.bound == pytest.approx(17.65, abs=0.005)
    assert row.goal is not None
    assert row.goal.limit == pytest.approx(1.05 * 17.649, abs=0.001)


def test_boards_that_come_in_turn_are_compared_by_their_cycles(tmp_path: Path) -> None:
    """Their wall time measures the operator's pace, not the station."""
    one = recording(tmp_path / "one", 1, 17.0)
    rows = line_rows([recording(tmp_path / "many", 8, 17.34, line="in-turn")], [one], None)
    assert "wall" not in {row.what for row in rows}
    ratio = named(rows, "cycle of a board, median, over that of one")
    assert (round(ratio.sample.median, 3), ratio.verdict) == (1.02, Verdict.MET)


@pytest.mark.parametrize(
    ("line", "most"), [("eight", 1.02), ("ram-eight", 1.02), ("sixty-four", 1.05), ("ram-sixty-four", 1.05)]
)
def test_boards_that_come_at_once_are_compared_by_their_wall(tmp_path: Path, line: str, most: float) -> None:
    """Sixty-four at once may take longer than eight, since one process computes them all."""
    one = recording(tmp_path / "one", 1, 10.0)
    verdicts = [
        named(
            line_rows([recording(tmp_path / f"{wall}", 8, wall, line=line)], [one], None), "wall over that of one board"
        ).verdict
        for wall in (10 * most - 0.01, 10 * most + 0.01)
    ]
    assert verdicts == [Verdict.MET, Verdict.MISSED]


def test_a_line_of_the_plan_ram_has_that_plans_bound(tmp_path: Path) -> None:
    """All its boards are blank, so they are spared every erase; its wall may exceed the bound by three per cent."""
    row = named(line_rows([recording(tmp_path, 8, 15.0, line="ram-sixty-four")], [], None), "wall")
    assert row.bound == pytest.approx(14.003, abs=0.001)
    assert row.goal is not None
    assert row.goal.limit == pytest.approx(1.03 * (row.bound or 0), abs=0.001)


def test_a_line_on_another_probe_has_that_probes_bound(tmp_path: Path) -> None:
    """A V3 writes and reads faster than a V2-1."""
    walls = [
        named(line_rows([recording(tmp_path / line, 1, 15.0, line=line)], [], None), "wall").bound or 0
        for line in ("one", "v3-one", "ram-one", "ram-v3-one")
    ]
    assert walls == pytest.approx([17.649, 15.797, 14.003, 12.086], abs=0.001)


def test_steps_are_told_by_plan_and_probe(tmp_path: Path) -> None:
    """Each table has the bounds of its own plan and the lines that went by it."""
    lines = ("one", "in-turn", "ram-one", "v3-one")
    tables = steps(
        [recording(tmp_path / line, 1, 15.0, line=line, phases=dict.fromkeys(PHASES, 0.9)) for line in lines]
    )
    assert {work: list(told[0].measured) for work, told in tables.items()} == {
        "flash, fast-host-v2-1": ["one", "in-turn"],
        "ram, fast-host-v2-1": ["ram-one"],
        "flash, fast-host-v3": ["v3-one"],
    }
    assert {work: sum(step.bound for step in told) for work, told in tables.items()} == pytest.approx(
        {"flash, fast-host-v2-1": 17.649, "ram, fast-host-v2-1": 14.003, "flash, fast-host-v3": 15.797}, abs=0.001
    )
    assert tables["flash, fast-host-v3"][0] == Step("recognise", 0.85, {"v3-one": 0.9})


def test_invocations_are_those_that_the_bench_saw(tmp_path: Path) -> None:
    """The bench's journal is counted, not the station's report; a fourth invocation misses the goal."""
    run = recording(tmp_path, 8, 17.9, invocations=4)
    row = named(line_rows([run], [], None), "invocations a board")
    assert (row.sample.median, row.verdict) == (4, Verdict.MISSED)


def test_a_crowd_is_compared_with_the_one_board_of_its_own_round(tmp_path: Path) -> None:
    """Both runs met the machine in the same state; without the one-board run there is no ratio."""
    ones = [recording(tmp_path / f"one-{seed}", 1, wall, seed=seed) for seed, wall in ((1, 18.0), (2, 20.0))]
    crowd = [
        recording(tmp_path / f"eight-{seed}", 8, wall, seed=seed) for seed, wall in ((1, 18.9), (2, 21.0), (3, 30.0))
    ]
    row = named(line_rows(crowd, ones, None), "wall over that of one board")
    assert row.sample.values == pytest.approx((1.05, 1.05))


def test_cpu_is_the_daemons_own_and_its_programmers_stand_beside_it(tmp_path: Path) -> None:
    """The CPU time of STM32CubeProgrammer has a separate row."""
    rows = line_rows([recording(tmp_path, 8, 18.0)], [], None)
    assert named(rows, "station CPU a board").sample.median == pytest.approx(10)
    programmers = next(row for row in rows if "programmers" in row.what)
    assert programmers.sample.median == pytest.approx(37.5)


def test_what_the_bench_costs_stands_beside_the_station(tmp_path: Path) -> None:
    """A crowd may be late only because the machine cannot execute so many emulated boards."""
    rows = line_rows([recording(tmp_path, 8, 18.0)], [], None)
    assert next(row for row in rows if "of the bench" in row.what).sample.median == pytest.approx(60)


def test_the_start_of_the_programmer_is_counted_from_plugging_in(tmp_path: Path) -> None:
    """Both moments are taken from the bench's clock."""
    row = named(line_rows([recording(tmp_path, 1, 18.0)], [], None), "plug-in to programmer start, median")
    assert row.sample.median == pytest.approx(20, abs=0.01)


def test_a_run_in_which_a_board_did_not_pass_says_nothing(tmp_path: Path) -> None:
    """A run with a failed board is unusable: a line that fails fast is not a fast line."""
    write_run(tmp_path, 1, 3.0, verdict="fail")
    with pytest.raises(RunUnusable, match="did not pass"):
        Recording.read(tmp_path, line="one", seed=1, sizes=SIZES, usage=USAGE, load=0.0)


def test_a_run_lasts_from_the_first_board_to_the_last_verdict(tmp_path: Path) -> None:
    """CPU time is counted for the same span."""
    write_run(tmp_path, 2, 18.25)
    assert moments(tmp_path) == pytest.approx((BEGAN, BEGAN + 18.25))


def test_cpu_is_counted_between_two_looks() -> None:
    """The difference is taken between the last sample before the run and the first after it."""
    watch = Watch(seen=[(0.0, 1.0, 0.0), (1.0, 1.1, 0.0), (2.0, 1.5, 0.2), (3.0, 1.6, 0.4), (4.0, 9.0, 9.0)])
    assert watch.cpu_between(1.5, 2.5) == pytest.approx((0.5, 0.4))


def test_cpu_of_a_time_that_nobody_watched_is_not_made_up() -> None:
    """A run without samples at its beginning and end is unusable."""
    with pytest.raises(ValueError, match="not watched"):
        Watch(seen=[(1.0, 1.0, 0.0), (2.0, 2.0, 0.0)]).cpu_between(0.5, 1.5)


def test_the_attestation_check_is_held_against_its_goal() -> None:
    """The goal is five milliseconds of CPU per board."""
    assert attestation_row([0.0006, 0.0005]).verdict is Verdict.MET
    assert attestation_row([0.006]).verdict is Verdict.MISSED


def test_the_relay_is_held_against_its_goal() -> None:
    """Two milliseconds of CPU a board."""
    assert relay_row([0.0009, 0.0011]).verdict is Verdict.MET
    assert relay_row([0.003]).verdict is Verdict.MISSED


def test_a_ledger_of_many_units_is_compared_with_the_empty_one_of_its_own_round() -> None:
    """Attempts are compared by ratio, commands by their time above the start-up."""
    empty = Scale(0, 200_000, [0.02, 0.04], [0.03, 0.06], opening=[], listing=[], showing=[0.5, 0.7])
    large = Scale(
        200_000,
        10**9,
        [0.022, 0.044],
        [0.06, 0.12],
        opening=[0.2],
        listing=[0.9, 0.8],
        showing=[0.6, 0.8],
        numbers=[0.4],
    )
    rows = scale_rows([empty, large])
    cpu = named(rows, "an attempt among 200,000 units, CPU, over one in an empty ledger")
    assert cpu.sample.values == pytest.approx((1.1, 1.1))
    assert named(rows, "`units show` among 200,000 units, above start-up").sample.median == pytest.approx(0.1)
    assert [row.what.split(",")[-1] for row in rows if row.verdict is Verdict.MISSED] == [" over the same"]
    assert len([row for row in rows if row.verdict is Verdict.MET]) == 5


@pytest.mark.slow
def test_a_ledger_of_any_size_is_filled_once_and_measured_beside_an_empty_one(tmp_path: Path) -> None:
    """The filled ledger keeps the events that the benchmark adds."""
    empty, large = scales(tmp_path, tmp_path / "cache", [1000], rounds=1)
    assert (empty.units, large.units) == (0, 1000)
    assert (
        len(large.cpu)
        == len(large.wall)
        == len(large.opening)
        == len(large.listing)
        == len(large.showing)
        == len(large.numbers)
        == 1
    )
    assert large.size > empty.size
    assert LedgerReader(filled(tmp_path / "cache", 1000)).totals().units == 1024 + 1 + ATTEMPTS
