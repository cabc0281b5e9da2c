# SPDX-License-Identifier: Apache-2.0
"""The board in a terminal fits every size, says what the page says, and has colours only while somebody vouches for it."""

import re
from dataclasses import replace
from functools import cache
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from station.cli.watch.display import Display
from station.cli.watch.known import STATES, Known, after, without
from station.cli.watch.picture import Pen, picture
from station.cli.watch.sayings import Sayings
from station.cli.watch.words import SHAPES, STYLES, Words
from station.domain.attempt import Phase
from station.web.assets import LANGUAGES
from station.web.catalogue import ENTRIES
from station.web.event_reader import Event
from station.web.models import Board, Last, Lot, Slot, Taken
from tests.builders.fault_catalogue import catalogue
from tests.builders.watched import BEAT, PEN, board, colours, drawn, known
from tests.cli.hostile import SEEN, TEXT, check_harmless
from tests.web.fake_door import FakeDoor, mixed, paused, pulled, running, slot

README = (Path(__file__).parents[2] / "README.md").read_text()
PLANNED = Lot(name="L", work_order="WO-17", planned=2000, passed=1009, failed=23)
WORDS = {language: Words.of(language) for language in LANGUAGES}
EIGHT = known(*[slot(str(name)) for name in range(1, 9)])
SIZES = [(80, 24), (80, 5), (80, 1), (30, 24), (7, 3), (1, 1), (200, 60), (79, 23), (120, 40)]


def last(fault: str, verdict: str = "fail", where: str = "1") -> Last:
    entry = ENTRIES[fault]
    return Last(slot=where, verdict=verdict, attempt=1, fault=fault, act=entry.act.value, sentence=entry.sentence)


@cache
def boards(number: int) -> list[Known]:
    """A line's board at all times."""
    stopped = FakeDoor(mixed(number))
    stopped.state = paused("pki.unavailable")
    placed = [each.model_copy(update={"place": (at // 4 + 1, at % 4 + 1)}) for at, each in enumerate(mixed(number))]
    full = known(*mixed(number), lot=PLANNED, last=last("flash.mismatch"), mes=1200)
    return [
        Known(),
        known(),
        full,
        known(door=stopped),
        known(door=FakeDoor(mixed(number), columns=8)),
        known(*placed),
        without(full, "127.0.0.1:8470: Connection refused", 0.0),
    ]


@pytest.mark.parametrize("number", [1, 8, 40, 64, 128])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_picture_fits_its_terminal(number: int, width: int, height: int) -> None:
    """No line is wrapped and none scrolls away, at any size and in any language."""
    for words in WORDS.values():
        for what in boards(number):
            lines = picture(what, replace(PEN, words=words), 0.0, width, height)
            assert len(lines) == height
            assert all(line.cell_len <= width and "\n" not in line.plain for line in lines)


def names_in(text: str) -> set[str]:
    """Every number that stands before a shape."""
    words = text.replace("▌", " ").split()
    return {word for word, following in pairwise(words) if word.isdecimal() and len(following) == 1}


@pytest.mark.parametrize(
    ("number", "width", "height"),
    [(8, 80, 24), (16, 80, 24), (40, 80, 24), (64, 80, 24), (64, 120, 45), (128, 120, 45)],
)
def test_all_slots_are_there(number: int, width: int, height: int) -> None:
    for what in (known(*mixed(number)), known(*mixed(number), last=last("flash.mismatch"), lot=PLANNED)):
        assert {str(name) for name in range(1, number + 1)} <= names_in(drawn(what, 0.0, width, height))


def test_slots_without_room_are_counted() -> None:
    text = drawn(known(*[slot(str(name), "waiting") for name in range(1, 129)]), 0.0, 30, 10)
    assert "+ 116: 116 wait" in text


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (slot("1"), ["1 □ EMPTY", "Plug in a board"]),
        (slot("1", "waiting", service="trial"), ["1 ‖ WAIT (trial)", "Wait: it goes on by itself"]),
        (slot("1", "pending", "pki.pending"), ["1 … LATER", "Wait: it goes on by itself"]),
        (running("1"), ["1 ◔ RUNNING 11 s", "writes final firmware", "━━━", "···"]),
        (running("1", seconds=90.0), ["RUNNING slow"]),
        (slot("1", "pass"), ["1 ✓ PASS", "Take it to the next place"]),
        (
            slot("1", "fail", "flash.mismatch"),
            ["1 ✗ FAIL", "Put it into the reject bin", ENTRIES["flash.mismatch"].sentence],
        ),
        (slot("1", "void", "board.removed"), ["1 ↻ VOID", "Plug it in again", ENTRIES["board.removed"].sentence]),
        (slot("1", "out of service", "probe.wedged", service="out"), ["1 ⊘ OUT", "call the technician", "╲╲╲"]),
        (pulled("1", "fail", "flash.mismatch"), ["1 □ EMPTY", "Taken out: fail"]),
    ],
    ids=lambda value: value.state if isinstance(value, Slot) else "",
)
def test_each_state_has_its_shape_word_and_act(told: Slot, expected: list[str]) -> None:
    """The sentence is wrapped, and all of it is there."""
    text = " ".join(drawn(known(told), 0.0, 80, 24).replace("▌", " ").split())
    for words in expected:
        assert words in text


@pytest.mark.parametrize("number", [1, 64])
@pytest.mark.parametrize("state", STATES)
def test_a_state_has_the_pages_colours_in_tiles_and_in_lines(number: int, state: str) -> None:
    fault = {"fail": "flash.mismatch", "void": "board.removed", "out": "slot.held", "pending": "pki.pending"}.get(state)
    service = "out" if state == "out" else "in"
    told = slot("1", "out of service" if state == "out" else state, fault, service=service)
    shown = picture(known(*[told.model_copy(update={"slot": str(name)}) for name in range(number)]), PEN, 0.0, 120, 45)
    wanted = {word for word in STYLES[state].split() if word.startswith("#")}
    assert colours(shown) == wanted
    assert ("#27c780" in colours(shown)) == (state == "pass")


@pytest.mark.parametrize("number", [1, 64])
def test_green_is_pass_and_nothing_else_on_a_terminal_with_few_colours(number: int) -> None:
    """As the terminal gets them: 42 and 102 are its greens."""
    for state in STATES:
        told = slot("1", "out of service" if state == "out" else state, service="out" if state == "out" else "in")
        console = Console(file=StringIO(), force_terminal=True, color_system="standard", width=120, height=45)
        display = Display(console, PEN, "nothing", clock=lambda: 0.0)
        display.known = known(*[told.model_copy(update={"slot": str(name)}) for name in range(number)])
        with console.capture() as shown:
            for line in display.drawn(120, 44):
                console.print(line)
        codes = {code for found in re.findall(r"\x1b\[([0-9;]*)m", shown.get()) for code in found.split(";")}
        assert ("42" in codes) == (state == "pass"), state
        assert not codes & {"46", "106", "102", "32", "92", "36"}, state


def test_there_is_no_colour_once_nobody_vouches_for_the_board() -> None:
    """Of all that was known, the slots' names stay; the sentence says why."""
    what = known(*mixed(12), last=last("flash.mismatch"), lot=PLANNED)
    cases = {
        "no beat for 3 s": (what, 3.0),
        "the station has ended": (without(what, "the station has ended", 0.0), 0.0),
    }
    assert colours(picture(what, PEN, 2.9, 80, 24))
    for reason, (lost, now) in cases.items():
        for width, height in SIZES:
            assert colours(picture(lost, PEN, now, width, height)) == set()
        text = drawn(lost, now)
        assert "? Not connected 0:00" in text
        assert "Leave every board where it is." in text
        assert f"({reason})" in " ".join(text.split())
        assert "12 ? ?" in text
        assert "PASS" not in text
    assert "Not connected" in drawn(Known())


def test_the_head_has_line_lot_and_address() -> None:
    text = " ".join(drawn(known(*mixed(8), lot=PLANNED), 0.0, 110).split())
    assert text.startswith("▶ Line open line-1 · STM32WB Demo App 12:31:05 Work order WO-17 pass 1009 of 2000 ")
    assert "fail 23 To do 991 http://127.0.0.1:8470/" in text
    assert " Lot LIGHTING-2026   pass 1009   fail 23" in drawn(known(slot("1")))


def test_messages_that_the_mes_does_not_get_are_counted_in_the_foot() -> None:
    assert " MES 12" in drawn(known(running("1"), mes=12)).splitlines()[-1]
    assert "MES" not in drawn(known(running("1"), mes=0))


def test_a_line_that_is_not_open_says_why_and_since_when() -> None:
    door = FakeDoor([slot("1")])
    door.state = paused("pki.unavailable")
    text = drawn(after(known(door=door), BEAT, 65.0), 65.0)
    assert "‖ Line paused 1:05" in text
    assert f"{ENTRIES['pki.unavailable'].sentence} → Wait: it goes on by itself" in " ".join(text.split())
    door.state = door.state.model_copy(update={"state": "draining", "fault": None})
    assert "What runs goes on to its verdict." in drawn(known(door=door))


@pytest.mark.parametrize("fault", catalogue(), ids=lambda kind: str(kind.code))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_faults_sentence_has_room(fault: type, language: str) -> None:
    """With eight boards on 24 lines the foot has the whole sentence and who does what."""
    code = str(getattr(fault, "code", ""))
    words, what = WORDS[language], EIGHT
    assert what.board is not None
    what = replace(what, board=what.board.model_copy(update={"last": last(code, where="8")}))
    text = drawn(what, pen=replace(PEN, words=words))
    assert f"8 {words.word('fail')}" in text
    assert "".join(f"{words.fault(code)}→{words.act(ENTRIES[code].act.value)}".split()) in "".join(text.split())


def test_a_terminal_without_the_shapes_has_letters() -> None:
    door = FakeDoor(mixed(12))
    door.state = paused("pki.unavailable")
    for what in (known(*mixed(12), last=last("flash.mismatch")), known(door=door), Known()):
        text = drawn(what, pen=Pen(Words.of("en"), unicode=False))
        assert text.isascii(), text
    assert "2 + PASS" in drawn(known(*mixed(12)), pen=Pen(Words.of("en"), unicode=False))


def test_the_grid_mirrors_the_fixture() -> None:
    """Slot 2 is below slot 1, and slot 3 to the right of that."""
    slots = [slot("1", place=(1, 1)), slot("2", place=(2, 1)), slot("3", place=(2, 2))]
    first, second = (line for line in drawn(known(*slots)).splitlines() if "EMPTY" in line)
    assert (names_in(first), names_in(second)) == ({"1"}, {"2", "3"})
    rows = [
        line
        for line in drawn(known(door=FakeDoor([slot(str(name)) for name in range(6)], columns=3))).splitlines()
        if names_in(line)
    ]
    assert [len(names_in(row)) for row in rows] == [3, 3]


def hostile() -> Known:
    """The text in everything that a station tells."""
    told = slot(TEXT, "fail", "flash.mismatch", attempt=1).model_copy(
        update={"fault": TEXT, "sentence": TEXT, "reason": TEXT, "act": TEXT, "step": TEXT, "uid": TEXT}
    )
    gone = slot("3").model_copy(update={"taken": Taken(verdict=TEXT, fault=TEXT, attempt=1, uid=TEXT, seconds=0.0)})
    step = running("2").model_copy(update={"step": TEXT, "procedure": TEXT})
    whole: Board = board(FakeDoor([slot("1")])).model_copy(
        update={
            "station": TEXT,
            "product": TEXT,
            "lot": Lot(name=TEXT, work_order=TEXT, planned=1, passed=0, failed=0),
            "last": Last(slot=TEXT, verdict="fail", attempt=1, fault=TEXT, act=TEXT, sentence=TEXT),
            "slots": [told, gone, step],
        }
    )
    return after(after(Known(), Event("snapshot", whole.model_dump_json(), TEXT), 0.0), BEAT, 0.0)


def test_no_terminal_obeys_what_a_station_tells() -> None:
    what = hostile()
    assert what.board is not None
    line = what.board.line.model_copy(update={"state": "paused", "fault": TEXT, "reason": TEXT, "act": TEXT})
    stopped = replace(what, board=what.board.model_copy(update={"line": line}))
    for shown in (what, stopped, without(what, TEXT, 0.0)):
        for width, height in [*SIZES, (400, 60)]:
            check_harmless(drawn(shown, 0.0, width, height, replace(PEN, address=TEXT)))
        assert SEEN in drawn(shown, 0.0, 400, 60)


def test_each_change_is_one_line_of_text() -> None:
    """For output that is no terminal."""
    sayings, door = Sayings(Words.of("en")), FakeDoor([slot("1"), running("2")])
    assert list(sayings.new(Known(), 0.0)) == []
    what = known(door=door)
    assert list(sayings.new(what, 0.0)) == ["Line open", "Slot 1 empty", "Slot 2 running: writes final firmware"]
    assert list(sayings.new(what, 1.0)) == []
    between = Event("slot", slot("2", "running", attempt=40).model_dump_json(), "b-1")
    assert list(sayings.new(after(what, between, 1.0), 1.0)) == []  # two steps of one board: nothing is new
    assert list(Sayings(Words.of("en")).new(after(what, between, 1.0), 1.0))[-1] == "Slot 2 running"
    for told in (slot("2", "fail", "flash.mismatch"), pulled("1", "void", "board.removed")):
        what = after(what, Event("slot", told.model_dump_json(), "b-2"), 1.0)
    mismatch, removed = (ENTRIES[code].sentence for code in ("flash.mismatch", "board.removed"))
    assert list(sayings.new(what, 1.0)) == [
        f"Slot 1 void board.removed: {removed} (Taken out)",
        f"Slot 2 fail flash.mismatch: {mismatch} → Put it into the reject bin",
    ]
    (lost,) = sayings.new(what, 3.0)
    assert lost.startswith("Not connected. This screen does not know")
    assert lost.endswith("(no beat for 3 s)")
    assert list(sayings.new(what, 9.0)) == []
    assert list(sayings.new(after(what, BEAT, 9.0), 9.0)) == ["Line open"]


def test_the_readmes_picture_is_this_one() -> None:
    """Each of its slots has the present shape and word, and stands where it is drawn now; running ones say a step."""
    block = README.split("```\n$ station demo ", 1)[1].split("```", 1)[0].splitlines()[1:]
    title = re.compile(r" +(\d+) (\S) ([A-Z]+)")
    there = {found[1]: (found[2], found[3], found.start()) for line in block for found in title.finditer(line)}
    words = PEN.words
    states = {words.word(state).upper(): state for state in STATES}
    slots = []
    for name, (_, word, _) in there.items():
        state = states[word]
        fault = "probe.wedged" if state == "out" else "flash.mismatch" if state == "fail" else None
        slots.append(
            running(name) if state == "running" else slot(name, "out of service" if state == "out" else state, fault)
        )
    assert len(slots) == 12
    now = drawn(known(*slots)).splitlines()
    here = {found[1]: (found[2], found[3], found.start()) for line in now for found in title.finditer(line)}
    for name, (shape, word, column) in there.items():
        assert here[name][1:] == (word, column)
        assert here[name][0] == shape or (word == "RUNNING" and shape in SHAPES["running"])
    for name in (name for name, (_, word, _) in there.items() if word == "RUNNING"):
        row = next(number for number, line in enumerate(block) if re.search(rf" {name} \S RUNNING", line))
        begun = block[row + 1][there[name][2] + 1 :].split("▌", 1)[0].strip()
        assert begun
        assert any(words.step(phase.value).startswith(begun) for phase in Phase), begun
    assert all(len(line) <= 80 for line in block)
