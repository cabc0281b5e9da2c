# SPDX-License-Identifier: Apache-2.0
"""The report: a table for people, JSON for programs, and the exit status for missed goals."""

import io
import json

import pytest
from rich.console import Console

from benchmarks.bound import Cut
from benchmarks.figures import Goal, Row, Sample
from benchmarks.machine import Machine
from benchmarks.report import Report, number
from benchmarks.results import Step
from station.cli.consoles import wide_console

MACHINE = Machine(
    "2026-11-23T00:00:00+00:00", "a processor", 2, "Linux 6", "3.11.7", "3.40.1", {"uvloop": "0.21"}, 0.5, 5.5
)
MET = Row("one", "wall", "s", Sample((17.8, 17.9, 18.0)), bound=17.65, goal=Goal(18.53))
MISSED = Row("ledger", "commits", "1/s", Sample((250.0,)), goal=Goal(300, at_least=True))
TOLD = Row("one", "memory", "MB", Sample((70.0,)))


def report(*rows: Row) -> Report:
    steps = {"flash, fast-host-v2-1": [Step("recognise", 0.85, {"one": 0.9})]}
    return Report(MACHINE, "python -m benchmarks", rows, steps, [Cut("a cut", 1.5, "a price")], [{"boards": 1}])


def printed(shown: Report) -> str:
    console = Console(file=io.StringIO(), width=200)
    shown.print(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_only_what_has_a_goal_can_be_missed() -> None:
    """Only missed goals change the exit status."""
    assert report(MET, TOLD).missed == []
    assert report(MET, MISSED, TOLD).held == [MET, MISSED]
    assert report(MET, MISSED, TOLD).missed == [MISSED]


def test_the_table_has_bound_goal_and_result_of_each_figure() -> None:
    """The table also shows whether the goal is a minimum or a maximum."""
    lines = [" ".join(line.split()) for line in printed(report(MET, MISSED)).splitlines()]
    assert "one wall 17.65 ≤ 18.53 17.9 s 17.8 … 18 3 met" in lines
    assert "ledger commits ≥ 300 250 1/s 1 missed" in lines


def test_the_table_tells_what_each_step_adds() -> None:
    """The table has each step's time above its bound, and their sum."""
    lines = [" ".join(line.split()) for line in printed(report(MET)).splitlines()]
    assert "recognise 0.850 0.900 +0.050" in lines
    assert "all steps 0.850 0.900 +0.050" in lines


def test_the_report_says_on_what_machine_and_how_busy_it_was() -> None:
    """The report names the machine and its load, since figures of two machines cannot be compared."""
    assert "2 cores of a processor" in printed(report(MET))
    assert "load 0.50" in printed(report(MET))


def test_the_file_has_every_value_and_the_verdict() -> None:
    """A later run can be compared with the values in the file."""
    found = json.loads(json.dumps(report(MET, MISSED, TOLD).as_json()))
    assert found["rows"][0] == {
        "part": "one",
        "what": "wall",
        "unit": "s",
        "bound": 17.65,
        "goal": {"limit": 18.53, "at_least": False},
        "result": 17.9,
        "interval": [17.8, 18.0],
        "values": [17.8, 17.9, 18.0],
        "verdict": "met",
    }
    assert [row["verdict"] for row in found["rows"]] == ["met", "missed", None]
    assert found["machine"]["load"] == 0.5
    assert found["unusable"] == []
    assert found["cuts"] == [{"what": "a cut", "seconds": 1.5, "price": "a price"}]


def test_the_report_begins_with_an_empty_line_in_a_file_too(capsys: pytest.CaptureFixture[str]) -> None:
    """The command's console shows each text as data, with its control characters in words: none is written to it."""
    report(MET, MISSED).print(wide_console())
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert (first, second) == ("", str(MACHINE))


@pytest.mark.parametrize(("value", "text"), [(17.6491, "17.649"), (3.0, "3"), (1234.5, "1,234"), (0.0004, "0")])
def test_numbers_pretend_no_precision(value: float, text: str) -> None:
    """Numbers below a hundred have three decimals, greater ones none."""
    assert number(value) == text
