# SPDX-License-Identifier: Apache-2.0
"""What is known of a board in a terminal, by the rules of the page's `board.js`."""

import re

import pytest

from station.cli.watch import known as rules
from station.cli.watch.known import Face, Known, after, face, hands, progress, without
from station.cli.watch.words import ASCII_SHAPES, SHAPES, STYLES
from station.domain.attempt import Phase
from station.line.states import SlotState
from station.web import follower
from station.web.assets import FOLDER
from station.web.event_reader import Event
from station.web.models import Line, Slot
from tests.builders.watched import BEAT, known, snapshot
from tests.web.fake_door import OPEN, FakeDoor, mixed, paused, pulled, running, slot

DRAINING = OPEN.model_copy(update={"state": "draining"})


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        (slot("1"), Face("empty", "plug")),
        (slot("1", "waiting"), Face("waiting", "wait")),
        (slot("1", "waiting", service="trial"), Face("waiting", "wait", trial=True)),
        (slot("1", "pending", "pki.pending"), Face("pending", "wait", "pki.pending")),
        (running("1"), Face("running", "leave")),
        (slot("1", "pass"), Face("pass", "take")),
        (slot("1", "fail", "flash.mismatch"), Face("fail", "reject", "flash.mismatch")),
        (slot("1", "void", "board.removed"), Face("void", "again", "board.removed")),
        (slot("1", "void"), Face("void", "again")),
        (
            slot("1", "out of service", "probe.wedged", service="out"),
            Face("out", "technician", "probe.wedged", inside="void"),
        ),
        (pulled("1", "fail", "flash.mismatch"), Face("empty", "reject", None, "fail", "flash.mismatch")),
    ],
    ids=lambda value: value.state,
)
def test_every_state_has_its_face(told: Slot, seen: Face) -> None:
    assert face(known(told), "1", 0.0) == seen


def test_a_state_of_a_newer_station_is_not_known() -> None:
    newer = Event("slot", slot("1", "of a newer station").model_dump_json(), "b-2")
    assert face(after(known(slot("1", "pass")), newer, 0.0), "1", 0.0) == Face()


@pytest.mark.parametrize(
    ("line", "act"),
    [(OPEN, "plug"), (paused("pki.unavailable"), "wait"), (paused("lot.exhausted"), "engineer"), (DRAINING, None)],
    ids=str,
)
def test_an_idle_slot_wants_what_the_line_allows(line: Line, act: str | None) -> None:
    door = FakeDoor([slot("1")])
    door.state = line
    assert face(known(door=door), "1", 0.0).act == act


def test_a_slot_remembers_a_pulled_board_for_twenty_seconds() -> None:
    """It was pulled a second before it was told."""
    what = known(pulled("1", "fail", "flash.mismatch"))
    for now in range(2, 19, 2):
        what = after(what, BEAT, float(now))
    assert face(what, "1", 18.9).taken == "fail"
    assert face(after(what, BEAT, 19.0), "1", 19.0).taken is None


def test_a_running_board_counts_down() -> None:
    """The steps' seconds are the plan's; a step that takes longer than twice that and three seconds is slow."""
    what = known(running("1", Phase.FLASH_OPERATIONAL, 2.0))
    how = progress(what, "1", 1.0)
    assert (how.left, how.slow) == (11, False)
    assert 0.3 < how.done < progress(what, "1", 4.0).done < progress(what, "1", 90.0).done < 1
    assert (progress(what, "1", 26.0).left, progress(what, "1", 26.0).slow) == (2, True)
    assert progress(known(slot("1", "running", step="of a newer station")), "1", 1.0).left is None


def test_nothing_is_known_before_a_beat_and_three_seconds_after_the_last() -> None:
    what = after(Known(), snapshot(FakeDoor([slot("1", "pass")])), 10.0)
    assert face(what, "1", 10.0) == Face()
    what = after(what, BEAT, 10.0)
    assert face(what, "1", 12.9).state == "pass"
    assert what.reason(12.9) is None
    assert face(what, "1", 13.0) == Face()
    assert hands(what, 13.0) == dict.fromkeys(rules.HANDS, 0)
    assert (what.reason(13.0), what.since(14.5)) == ("no beat for 3 s", 1.5)


def test_no_beat_vouches_for_a_board_that_nobody_told() -> None:
    """As after an answer of another kind."""
    assert not after(Known(), BEAT, 0.0).live(0.0)


def test_an_ended_stream_takes_everything_at_once_until_a_beat_comes() -> None:
    what = without(known(slot("1", "pass")), "the station has ended", 1.0)
    assert (face(what, "1", 1.0), what.reason(1.0)) == (Face(), "the station has ended")
    again = without(what, "connection refused", 5.0)
    assert (again.reason(6.0), again.since(6.0)) == ("connection refused", 5.0)
    told = after(again, Event("slot", slot("1", "fail", "flash.mismatch").model_dump_json(), "b-2"), 6.0)
    assert face(told, "1", 6.0) == Face()
    assert face(after(told, BEAT, 6.0), "1", 6.0).state == "fail"


def test_events_change_what_they_tell_of() -> None:
    door = FakeDoor([slot("1")])
    what = known(door=door)
    for name, model in {"line": paused("pki.unavailable"), "lot": door.counts}.items():
        assert model is not None
        what = after(what, Event(name, model.model_dump_json(), "b-2"), 1.0)
    what = after(what, Event("plans", '{"provision": [{"step": "confirm", "seconds": 1.5}]}', "b-3"), 1.0)
    what = after(what, Event("of a newer station", "[]"), 1.0)
    assert what.board is not None
    assert (what.board.line.fault, what.line_at, what.board.lot) == ("pki.unavailable", 1.0, door.counts)
    assert what.board.plans["provision"][0].seconds == 1.5
    what = after(what, Event("mes", '{"late": 12}', "b-4"), 1.0)
    assert what.board is not None
    assert what.board.mes == 12
    assert after(what, Event("lot", "{}", "b-4"), 1.0).board != what.board
    what = after(what, Event("shared", '{"away": true, "left": 7}', "b-5"), 1.0)
    assert what.board is not None
    assert what.board.shared.left == 7


@pytest.mark.parametrize("name", ["snapshot", "slot", "line", "lot", "last", "plans", "mes", "shared"])
@pytest.mark.parametrize("data", ["", "[1]", '{"slot": 1}', "nonsense"])
def test_what_no_station_sends_is_refused(name: str, data: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        after(known(slot("1")), Event(name, data), 0.0)


def test_a_board_of_another_version_is_noticed() -> None:
    """The words and rules of this program may be older than that station's."""
    what = known(slot("1"))
    assert not after(what, snapshot(FakeDoor([slot("2")])), 1.0).outdated
    other = after(what, snapshot(FakeDoor([slot("2")]), version="v2"), 1.0)
    assert (other.outdated, list(other.slots)) == (True, ["2"])


def test_hands_are_counted_by_state() -> None:
    assert hands(known(*mixed(12)), 0.0) == {"pass": 2, "fail": 1, "void": 1, "out": 1}


def test_the_rules_are_the_pages() -> None:
    """The page and the terminal have their rules twice, in two languages."""
    board, stream = ((FOLDER / name).read_text() for name in ("board.js", "stream.js"))

    def numbers(name: str, text: str) -> list[float]:
        (found,) = re.findall(rf"^const {name} = (.*?);", text, re.MULTILINE)
        return [float(number) for number in re.findall(r"[\d.]+", found)]

    assert numbers("TAKEN_FOR", board) == [rules.TAKEN_FOR]
    assert numbers("FULL", board) == [rules.FULL]
    assert numbers("SLOW", board) == [rules.SLOW_TIMES, rules.SLOW_SECONDS]
    assert numbers("SILENT_AFTER", stream) == [rules.SILENT_AFTER * 1000] == [follower.SILENT_AFTER * 1000]
    assert numbers("AGAIN_AFTER", stream) == [seconds * 1000 for seconds in follower.AGAIN_AFTER]
    assert str(list(rules.HANDS)).replace("'", '"') in board


def test_every_state_has_a_shape_and_a_style_of_its_own_in_the_pages_colours() -> None:
    states = {"out" if state is SlotState.OUT_OF_SERVICE else state.value for state in SlotState} | {"unknown"}
    assert STYLES.keys() == states == {*rules.STATES, "unknown"}
    css = (FOLDER / "page.css").read_text()
    assert {
        colour for style in STYLES.values() for colour in re.findall("#[0-9a-f]{6}", style) if colour not in css
    } == set()
    for shapes in (SHAPES, ASCII_SHAPES):
        assert len({shapes[state] for state in states}) == len(states)
    assert "".join(ASCII_SHAPES.values()).isascii()
    assert [state for state, style in STYLES.items() if "#27c780" in style] == ["pass"]
