# SPDX-License-Identifier: Apache-2.0
"""Server-sent events are read from bytes, however they are cut."""

import pytest

from station.web.event_reader import LARGEST, Event, EventReader
from station.web.stream import framed

STREAM = framed("slot", {"slot": "Ä"}, "b-1") + framed("beat", {}) + b": a comment\n\n" + framed("bye", {})
EVENTS = [Event("slot", '{"slot":"\\u00c4"}', "b-1"), Event("beat", "{}"), Event("bye", "{}")]


@pytest.mark.parametrize("size", [1, 2, 7, len(STREAM)])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_events_are_the_same_however_the_bytes_are_cut(size: int, end: bytes) -> None:
    reader, stream = EventReader(), STREAM.replace(b"\n", end)
    found = [event for at in range(0, len(stream), size) for event in reader.feed(stream[at : at + size])]
    assert found == EVENTS


def test_an_event_of_several_lines_and_without_a_name() -> None:
    assert EventReader().feed(b"data: one\ndata:two\n\n") == [Event("message", "one\ntwo")]


@pytest.mark.parametrize("nonsense", [b"x" * (LARGEST + 1), b"data: \xff\n\n"])
def test_what_no_station_sends_is_refused(nonsense: bytes) -> None:
    """However long it goes on, it takes no more memory."""
    with pytest.raises(ValueError, match=r"."):
        EventReader().feed(nonsense)
