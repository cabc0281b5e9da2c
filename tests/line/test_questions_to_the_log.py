# SPDX-License-Identifier: Apache-2.0
"""The run book's questions to the log are answered from the log of a run; every word of that log is documented."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.builders.line import LOG, Line
from tests.builders.log_words import checked
from tests.builders.station_demo import ROOT, SHORT_DEADLINES
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(1800)]

BOOK = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
SECTION = BOOK.split("### Questions to the log\n", 1)[1].split("\n## ", 1)[0]
QUESTIONS: dict[str, str] = dict(re.findall(r"^# (.*)\n((?:jq|tail) .*)$", SECTION, re.MULTILINE))

FAULTS = {
    2: "--at await_csr --what mute",
    3: "--at flash_operational --what verify_mismatch",
    4: "--at flash_data --what nothing_done",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has ended: pass, fail, void, a slot held and released, a line paused and resumed, drained."""
    folder = tmp_path_factory.mktemp("run") / "line"
    with pytest.MonkeyPatch.context() as patched:
        for name, value in SHORT_DEADLINES.items():
            patched.setenv(name, value)
        patched.setenv("STATION__BOARD__REPLY_WITHIN", "10")
        patched.setenv("STATION__BOARD__BOOT_WITHIN", "10")
        with Line.standing(folder, 4) as line:
            standing = Standing(line)
            verdicts = [standing.next_board(number, FAULTS.get(number, "")).verdict for number in (1, 2, 3, 4)]
            assert verdicts == ["pass", "fail", "fail", "void"]
            standing.station("slots", "release", "4")
            standing.station("slots", "hold", "4")
            standing.station("slots", "release", "4")
            pause_and_resume(standing)
            standing.station("drain")
            assert line.processes["daemon"].wait(300) == 0
    return folder


def pause_and_resume(standing: Standing) -> None:
    """The ledger is away while a board is plugged in, and comes back; then the board passes."""
    ledger = standing.line.folder / "ledger.sqlite"
    ledger.rename(ledger.with_suffix(".away"))
    standing.bench("plug", "1", "--new")
    standing.until(lambda: standing.line.status().line.fault is not None)
    ledger.with_suffix(".away").rename(ledger)
    standing.wait(1, lambda slot: slot.verdict == "pass")


def answers(question: str, folder: Path, zone: str = "UTC") -> list[dict[str, object]]:
    """What the command that the run book has for this question prints, in this zone."""
    command = QUESTIONS[next(text for text in QUESTIONS if text.startswith(question))]
    done = subprocess.run(
        ["sh", "-c", command.replace("tail -f", "cat")],
        cwd=folder,
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def zone_in_which_it_is(hour: int) -> str:
    """A zone that is ahead of UTC, on POSIX with a minus."""
    return f"<TST>-{(hour - time.gmtime().tm_hour) % 24}"


def test_jq_is_there() -> None:
    """`make test` sees to it."""
    assert shutil.which("jq")


def test_the_run_has_every_kind_of_event_in_documented_words(run: Path) -> None:
    """This log is checked as every line test's; it is sure to have something to check."""
    named = {line["event"] for line in checked(run / LOG)}
    assert named >= {
        "station.started",
        "board.arrived",
        "step.started",
        "step.finished",
        "dac.issued",
        "retry.scheduled",
        "attempt.finished",
        "slot.taken_out",
        "slot.released",
        "line.paused",
        "line.resumed",
        "line.draining",
        "station.stopped",
        "board.left",
    }


def test_jq_takes_every_time(run: Path) -> None:
    command = ["jq", "-e", "-s", "map(.time | fromdateiso8601) | length > 20 and . == sort", str(run / LOG)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "true\n"


def test_which_units_failed_since_ten(run: Path) -> None:
    """With slot, label, step and reason; before ten o'clock nobody has failed since."""
    silent, mismatch = answers("Which units failed", run, zone_in_which_it_is(14))
    assert (silent["slot"], silent["step"]) == ("2", "await_csr")
    assert str(silent["reason"]).startswith("The board does not answer on its serial port.")
    assert (mismatch["slot"], mismatch["step"]) == ("3", "flash_operational")
    assert str(mismatch["reason"]).startswith("The flash does not read back as it was written.")
    for failed in (silent, mismatch):
        assert re.fullmatch(r"LT26\d{8}", str(failed["serial_number"]))
        assert re.fullmatch(r"[0-9a-f]{24}", str(failed["uid"]))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(failed["time"]))
    assert answers("Which units failed", run, zone_in_which_it_is(7)) == []


def test_why_a_slot_fails(run: Path) -> None:
    """The run book asks about slot 4, whose board was void: so nothing; and slot 2 by the same command."""
    assert answers("Why slot 4 fails", run) == []
    fours = QUESTIONS["Why slot 4 fails."]
    assert '"4"' in fours
    twos = subprocess.run(
        ["sh", "-c", fours.replace('"4"', '"2"')], cwd=run, capture_output=True, text=True, check=True
    ).stdout
    assert [json.loads(line)["fault"] for line in twos.splitlines()] == ["board.silent"]


def test_how_often_each_fault_failed_a_board(run: Path) -> None:
    told = answers("How often each fault", run)
    assert sorted(told, key=str) == [{"boards": 1, "fault": "board.silent"}, {"boards": 1, "fault": "flash.mismatch"}]


def test_which_attempts_were_void(run: Path) -> None:
    told = answers("Which attempts were void", run)
    assert ("4", "flash_data") in [(line["slot"], line["step"]) for line in told]
    assert all(line["reason"] for line in told)


def test_everything_about_one_unit(run: Path) -> None:
    """The unit that the run book names is the first of a demonstration's lot."""
    (told,) = answers("Everything about one unit", run)
    assert (told["event"], told["slot"], told["verdict"]) == ("attempt.finished", "1", "pass")


def test_when_the_line_paused(run: Path) -> None:
    told = [line["event"] for line in answers("When the line paused", run)]
    assert {"line.paused", "line.resumed", "slot.taken_out", "slot.released", "station.started"} <= {*told}
    assert {*told} <= {
        "line.paused",
        "line.resumed",
        "line.released",
        "slot.taken_out",
        "slot.released",
        "station.started",
    }
    assert told.index("line.paused") < told.index("line.resumed")


def test_how_long_each_step_took(run: Path) -> None:
    first, *_ = answers("How long each step took", run)
    steps = first["steps"]
    assert isinstance(steps, dict)
    assert {"recognise", "flash_data", "await_csr", "confirm"} <= steps.keys()


def test_each_verdict_as_it_comes(run: Path) -> None:
    told = [(line["slot"], line["verdict"]) for line in answers("Each verdict", run)]
    assert told[:4] == [("1", "pass"), ("2", "fail"), ("3", "fail"), ("4", "void")]


def test_every_question_of_the_run_book_is_asked_here() -> None:
    """A further question needs a test."""
    asked = re.findall(r'answers\("([^"]+)"', Path(__file__).read_text(encoding="utf-8"))
    assert [text for text in QUESTIONS if not any(text.startswith(each) for each in asked)] == []
    assert SECTION.count("jq -") == len(QUESTIONS)
