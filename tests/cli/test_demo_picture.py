# SPDX-License-Identifier: Apache-2.0
"""The demonstration's live picture fits every terminal, and shows what became of each board."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from station.cli.demo.picture import HEADER, TO_DO, picture, to_do
from station.cli.demo.view import SECONDS, Ending, Row, View, pace, totals
from station.cli.demo.watch import FinishedAttempts
from station.line.status import SlotStatus
from tests.builders.fault_catalogue import catalogue

README = (Path(__file__).parents[2] / "README.md").read_text()
STATES = {"pass", "fail", "void", "running"}
STEPS = list(SECONDS)
PULLED = Ending(7, "3", "void", 2.5, "board.removed", "The board was pulled: plug it in again.", "flash_data")


def slot(number: int, state: str, *steps: str, verdict: str | None = None) -> SlotStatus:
    """A slot in this state; if it is running, it has finished these steps but the last."""
    return SlotStatus(
        slot=str(number),
        state=state,
        service="in",
        path=f"usb-{number}",
        probe=f"066C490C7FA5EBFFFC79{number:04d}" if state != "empty" else None,
        tty=None,
        attempt=number if steps or verdict else None,
        step=steps[-1] if steps else None,
        verdict=verdict,
        uid=f"d9656baf09513237373135{number:02x}" if state != "empty" else None,
        fault=None,
        reason=None,
        held=None,
        seconds=1234.5 if steps or verdict else 0.0,
        steps=dict.fromkeys(steps[:-1], 1.0),
    )


def ending(number: int, verdict: str, sentence: str = "The board does not answer. " * 20) -> Ending:
    bad = verdict != "pass"
    return Ending(
        number, str(number), verdict, 16.8, "board.silent" if bad else None, sentence if bad else None, "deliver"
    )


def mixed(boards: int) -> View:
    """A line at work: some boards pass, fail, are void or pulled, run in each step, or wait."""
    kinds = ["pass", "fail", "void", "empty", "waiting", "out of service", *STEPS]
    slots, endings = [], []
    for number in range(1, boards + 1):
        kind = kinds[number % len(kinds)]
        if kind in STEPS:
            slots.append(slot(number, "running", *STEPS[: STEPS.index(kind) + 1]))
        else:
            slots.append(slot(number, kind))
        if kind in {"pass", "fail", "void"}:
            endings.append(ending(number, kind))
    return View.of(slots, endings, 754.2, "The PKI does not answer. " * 10)


def text(view: View, width: int, height: int) -> str:
    return "\n".join(line.plain for line in picture(view, width, height))


def views(boards: int) -> Sequence[View]:
    """A line's views from its beginning to its end, with a hundred bad ends at most."""
    numbers = range(1, boards + 1)
    return [
        View((), (), 0.0),
        View.of([slot(number, "empty") for number in numbers], [], 0.0, None),
        View.of([slot(number, "running", *STEPS[:7]) for number in numbers], [], 5.0, None),
        View.of(
            [slot(number, "pass") for number in numbers], [ending(number, "pass") for number in numbers], 9.0, None
        ),
        View.of(
            [slot(number, "fail") for number in numbers], [ending(number, "fail") for number in numbers], 9.0, None
        ),
        mixed(boards),
    ]


@pytest.mark.parametrize("boards", [1, 8, 40, 128])
@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), (80, 5), (80, 1), (30, 24), (7, 3), (1, 1), (200, 60), (79, 23)]
)
def test_every_picture_fits_its_terminal(boards: int, width: int, height: int) -> None:
    """No line is wrapped and none scrolls away, at any size."""
    for view in views(boards):
        lines = picture(view, width, height)
        assert len(lines) <= height
        assert all(line.cell_len <= width and "\n" not in line.plain for line in lines)


@pytest.mark.parametrize("view", views(40)[1:], ids=["empty", "running", "passed", "failed", "mixed"])
def test_forty_boards_on_twenty_four_lines_are_all_there(view: View) -> None:
    """Each slot has its cell, beside others, and the totals have their line."""
    lines = [line.plain for line in picture(view, 80, 24)]
    assert lines[0].startswith(totals(view))
    cells = {line[at : at + 3].strip() for line in lines for at in (0, 27, 54)}
    assert {str(number) for number in range(1, 41)} <= cells


def test_more_boards_than_cells_leave_those_in_work() -> None:
    """The others are counted."""
    slots = [slot(number, "running", "recognise") for number in range(1, 11)]
    slots += [slot(number, "waiting") for number in range(11, 129)]
    shown = text(View.of(slots, [], 3.0, None), 80, 24)
    assert shown.count("recognise") == 10
    assert "118 other slots: 118 waiting" in shown


def test_few_boards_have_a_line_each() -> None:
    """The line has the board's UID, its step and its time."""
    lines = text(View.of([slot(1, "running", "recognise"), slot(2, "waiting")], [], 3.0, None), 80, 24).splitlines()
    (row,) = [line for line in lines if line.startswith("1 ")]
    assert "d9656baf0951323737313501" in row
    assert "recognise" in row
    assert row.endswith("1234.5")


@pytest.mark.parametrize("boards", [8, 40])
@pytest.mark.parametrize("state", ["empty", "out of service"])
def test_a_void_attempt_is_seen_when_it_ends(boards: int, state: str) -> None:
    """Its board may be gone by then, or its slot out of service: row, totals and sentence say void."""
    slots = [slot(number, "running", "recognise") for number in range(1, boards + 1)]
    slots[2] = slot(3, state)
    view = View.of(slots, [PULLED], 4.0, None)
    shown = text(view, 80, 24)
    assert view.rows[2].state == "void"
    assert f"0 passed, 0 failed, 1 void of {boards} boards" in shown
    assert "slot 3 void board.removed in flash data: The board was pulled: plug it in again." in shown
    assert TO_DO["void"] in shown


def test_a_board_that_is_tried_again_is_running() -> None:
    """A void attempt of a paused line does not hide the next one; its sentence stays."""
    view = View.of([slot(3, "running", "recognise")], [PULLED], 4.0, None)
    assert view.rows[0].state == "running"
    assert view.judged == 0
    assert "board.removed" in text(view, 80, 24)


@pytest.mark.parametrize("fault", catalogue(), ids=lambda kind: str(kind.code))
def test_every_faults_sentence_has_room(fault: type) -> None:
    """With eight boards on 24 lines each sentence of the catalogue is shown from its first word to its last."""
    sentence = " ".join(str(fault.__doc__).split())
    bad = Ending(1, "1", "fail", 1.0, "some.fault", sentence, "deliver")
    shown = text(View.of([slot(number, "fail") for number in range(1, 9)], [bad], 4.0, None), 80, 24)
    assert sentence in " ".join(shown.split())


def test_the_newest_sentences_win() -> None:
    """A line counts the earlier ones."""
    bad = [ending(number, "fail", f"Sentence {number}.") for number in range(1, 31)]
    shown = text(View.of([slot(number, "fail") for number in range(1, 31)], bad, 4.0, None), 80, 24)
    assert "Sentence 30." in shown
    assert "Sentence 1." not in shown
    assert " earlier: see the report at the end" in shown


def test_time_left_follows_from_the_work_that_is_done() -> None:
    """It is not told before there is something to tell it from, and not after the end."""
    assert "left" not in pace(View.of([slot(1, "empty")], [], 1.0, None))
    half = View.of([slot(1, "pass"), slot(2, "empty")], [ending(1, "pass")], 20.0, None)
    assert half.left == pytest.approx(20.0)
    assert half.an_hour == pytest.approx(180.0)
    done = View.of([slot(1, "pass")], [ending(1, "pass")], 20.0, None)
    assert pace(done) == "0:20 gone, 180 boards an hour, all boards have their verdicts"


def test_a_paused_line_says_why() -> None:
    """The picture has the fault's sentence, which says what to do."""
    view = View.of([slot(1, "waiting")], [], 1.0, "The PKI does not answer: check its address.")
    assert "The line is paused: The PKI does not answer: check its address." in text(view, 80, 24)


def test_a_line_of_the_log_is_read_once_and_only_whole(tmp_path: Path) -> None:
    """The daemon may be in the middle of a line when the demonstration looks."""
    log = tmp_path / "station.jsonl"
    finished = FinishedAttempts(log)
    assert finished.look() == []
    line = json.dumps({"event": "attempt.finished", "attempt": 1, "slot": "4", "verdict": "pass", "seconds": 16.8})
    log.write_text('{"event": "board.arrived", "slot": "4"}\n' + line[:20])
    assert finished.look() == []
    with log.open("a") as more:
        more.write(line[20:] + "\n")
    expected = Ending(1, "4", "pass", 16.8)
    assert finished.look() == [expected]
    assert finished.look() == []
    assert finished.endings == [expected]


def test_the_readmes_picture_is_this_one() -> None:
    """Its table has the present columns, and a row for each board; its other lines are those of this line."""
    block = README.split("```\n$ station demo ", 1)[1].split("```", 1)[0].splitlines()
    at = block.index(HEADER)
    rows = [line.split() for line in block[at + 1 : at + 13]]
    view = View(
        tuple(Row(words[0], state=next(word for word in words if word in STATES)) for words in rows), (), 0.0, None
    )
    assert block[at - 2] == f"{totals(view)}; {view.count('running')} running"
    assert block[at + 13] == to_do([ending(1, "fail"), ending(2, "void")])
    assert all(len(line) <= 80 for line in block)
