# SPDX-License-Identifier: Apache-2.0
"""Shows a board that changes: a picture on a terminal, drawn anew for its present size; elsewhere lines of text.

The picture asks the clock whenever it is drawn, by a thread of its own: it has no colour even if nothing else goes on.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from station.cli.watch.known import Known, after, without
from station.cli.watch.picture import Pen, picture
from station.cli.watch.sayings import Sayings
from station.cli.watch.words import FEW_COLOURS
from station.web.event_reader import Event

DRAWN_A_SECOND = 5
_NO_UNICODE = ("linux", "dumb", "vt100", "vt220")  # consoles whose fonts have none of the shapes


def speaks_unicode(console: Console, terminal: str) -> bool:
    """Whether this terminal can show the shapes."""
    return console.encoding.lower().startswith("utf") and not terminal.startswith(_NO_UNICODE)


def in_few_colours(line: Text) -> Text:
    """The line for a terminal with sixteen colours or eight, such as the console of Linux."""
    line.spans = [span._replace(style=FEW_COLOURS.get(str(span.style), span.style)) for span in line.spans]
    line.style = FEW_COLOURS.get(str(line.style), line.style)
    return line


def time_of_day() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")


Shows = Literal["picture", "lines", "nothing"]


class Display:
    """Listens to a `web.follower.Follower`. A picture needs a terminal, and becomes lines without one."""

    def __init__(
        self,
        console: Console,
        pen: Pen,
        shows: Shows = "picture",
        *,
        clock: Callable[[], float] = time.monotonic,
        day: Callable[[], str] = time_of_day,
    ) -> None:
        self.known = Known()
        self.pen = pen
        self._console = console
        self._clock, self._day = clock, day
        self._sayings = Sayings(pen.words)
        drawn = shows == "picture" and console.is_terminal and not console.is_dumb_terminal
        self._live = Live(self, console=console, screen=True, refresh_per_second=DRAWN_A_SECOND) if drawn else None
        self._lines: list[str] = []
        self._says = shows != "nothing" and not drawn

    def __enter__(self) -> None:
        self.show()

    def __exit__(self, *_: object) -> None:
        self.hide()

    def show(self) -> None:
        if self._live is not None:
            self._live.start()

    def hide(self) -> None:
        """Leaves the terminal as it was before."""
        if self._live is not None:
            self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.drawn(options.max_width, options.height or console.height)

    def drawn(self, width: int, height: int, *, full: bool = True) -> list[Text]:
        """The picture at this moment."""
        pen = replace(self.pen, clock=self._day())
        lines = picture(self.known, pen, self._clock(), width, height, full=full)
        return [in_few_colours(line) for line in lines] if self._console.color_system == "standard" else lines

    @property
    def is_live(self) -> bool:
        return self.known.live(self._clock())

    def hear(self, event: Event) -> None:
        """Takes an event of the stream; raises `ValueError` for one that no station sends."""
        self.known = after(self.known, event, self._clock())
        self._note()

    def lose(self, reason: str) -> None:
        """The stream has ended."""
        self.known = without(self.known, reason, self._clock())
        self._note()

    def look(self) -> None:
        """Prints what has changed, where there is no picture. To be called now and then: nobody tells of a beat that does not come."""
        self._note()
        lines, self._lines = self._lines, []
        for line in lines:
            self._console.print(line, soft_wrap=True)  # no colour: nobody can take it back

    def _note(self) -> None:
        if self._says:
            self._lines += [f"{self._day()}  {line}" for line in self._sayings.new(self.known, self._clock())]
