# SPDX-License-Identifier: Apache-2.0
"""A line with a hung programmer and a mute board: the others' cycles are compared within a round, and only if the trouble was as planned."""

import json
from pathlib import Path

import pytest

from benchmarks.figures import Row, Verdict
from benchmarks.recording import RunUnusable
from benchmarks.troubled import EXPECTED, FAULTS, End, Ended, Troubled, check
from benchmarks.troubled_rows import troubled_rows
from virtual_bench.faults import fault_file

PORTS = (1, 2, 3, 4)
AS_PLANNED = {1: ("void", "programmer.stuck"), 2: ("fail", "board.silent"), 3: ("pass", None), 4: ("pass", None)}


def ended(verdicts: dict[int, tuple[str, str | None]]) -> dict[int, Ended]:
    return {
        port: Ended.model_validate(
            {"slot": str(port), "time": "2026-11-27T00:00:00Z", "seconds": 17.0, "verdict": verdict, "fault": fault}
        )
        for port, (verdict, fault) in verdicts.items()
    }


def test_a_round_is_compared_with_the_round_beside_it() -> None:
    """The second round met a slower machine, with and without trouble."""
    found = Troubled([[10.0, 10.0, 11.0], [20.0, 20.0, 22.0]], [[10.0, 10.05, 11.55], [20.1, 20.1, 22.0]])
    rows: list[Row] = troubled_rows(found)
    middle, slowest = (row for row in rows if row.goal is not None)
    assert middle.sample.values == pytest.approx((1.005, 1.005))
    assert slowest.sample.values == pytest.approx((1.05, 1.0))
    assert (middle.verdict, slowest.verdict) == (Verdict.MET, Verdict.MISSED)


@pytest.mark.parametrize(
    ("port", "otherwise"),
    [
        (1, ("pass", None)),
        (1, ("void", "probe.busy")),
        (2, ("pass", None)),
        (2, ("fail", "flash.mismatch")),
        (3, ("void", "station.bug")),
    ],
)
def test_a_round_without_its_trouble_says_nothing(port: int, otherwise: tuple[str, str | None]) -> None:
    """Nor does one in which another board had trouble, too."""
    check(ended(AS_PLANNED), PORTS)
    with pytest.raises(RunUnusable, match=f"slot {port}: {otherwise[0]}"):
        check(ended({**AS_PLANNED, port: otherwise}), PORTS)
    with pytest.raises(RunUnusable, match=f"slot {port}"):
        check(ended({other: end for other, end in AS_PLANNED.items() if other != port}), PORTS)


def test_the_trouble_is_in_the_benchs_catalogue() -> None:
    assert FAULTS.keys() == EXPECTED.keys()
    for fault in FAULTS.values():
        assert fault_file.read({"board": 1, **fault}).kind.name == fault["what"]


def test_a_round_has_only_its_own_lines(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text(json.dumps({"event": "attempt.finished", "slot": "1"}) + "\n")
    end = End(file)
    with file.open("a") as opened:
        for event, slot in (("attempt.finished", "2"), ("board.left", "2"), ("attempt.finished", "3")):
            opened.write(json.dumps({"event": event, "slot": slot}) + "\n")
    assert [line["slot"] for line in end.events("attempt.finished")] == ["2", "3"]
