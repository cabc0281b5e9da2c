# SPDX-License-Identifier: Apache-2.0
"""What `station watch` knows of a line in any state that a test asks for, and the colours in what it draws."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from station.cli.watch.known import Known, after
from station.cli.watch.picture import Pen, picture
from station.cli.watch.words import Words
from station.web.event_reader import Event
from station.web.hub import Hub
from station.web.models import Board, Slot
from tests.web.fake_door import FakeDoor

BEAT = Event("beat", "{}")
PEN = Pen(Words.of("en"), address="http://127.0.0.1:8470/", clock="12:31:05")


@dataclass
class Clock:
    """Goes on when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def board(door: FakeDoor, **changes: object) -> Board:
    """The board as the hub tells it."""
    return Hub(door, "v1").board().model_copy(update={"lot": door.counts, **changes})


def snapshot(door: FakeDoor, **changes: object) -> Event:
    return Event("snapshot", board(door, **changes).model_dump_json(), "b-1")


def known(*slots: Slot, door: FakeDoor | None = None, now: float = 0.0, **changes: object) -> Known:
    """What is known after the whole board and a beat."""
    return after(after(Known(), snapshot(door or FakeDoor(slots), **changes), now), BEAT, now)


def drawn(what: Known, now: float = 0.0, width: int = 80, height: int = 24, pen: Pen = PEN) -> str:
    """The picture without its colours."""
    return "\n".join(line.plain.rstrip() for line in picture(what, pen, now, width, height))


def colours(lines: Sequence[Text]) -> set[str]:
    """Every colour in these lines."""
    styles = [style for line in lines for style in (line.style, *(span.style for span in line.spans))]
    parsed = [style if isinstance(style, Style) else Style.parse(style) for style in styles]
    return {colour.name for style in parsed for colour in (style.color, style.bgcolor) if colour is not None}
