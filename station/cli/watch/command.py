# SPDX-License-Identifier: Apache-2.0
"""`station watch`: the operator's page in a terminal."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from station.cli.consoles import Screen
from station.cli.exit_codes import DONE, FAILED, INTERRUPTED
from station.cli.places import ConfigOption, config_path
from station.cli.watch import source
from station.cli.watch.display import Display, speaks_unicode
from station.cli.watch.following import end_in_order, follow
from station.cli.watch.picture import Pen
from station.cli.watch.words import Words
from station.config import line as configuration
from station.web.follower import Follower

UNWATCHED = 140, 100  # columns and lines in a pipe or a file


def watch(
    config: ConfigOption = None,
    url: Annotated[
        str | None, typer.Option(help="The page's address; without it the configuration's line.", show_default=False)
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="A file with a token, for a page that other PCs reach.", show_default=False),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="The CA of the page's certificate, in PEM.", show_default=False)
    ] = None,
    language: Annotated[
        Literal["en", "de", "zh"] | None,
        typer.Option(help="Language of the words (default: the page's, else en).", show_default=False),
    ] = None,
    *,
    plain: Annotated[bool, typer.Option("--plain", help="Print a line of text for each change.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Print the board once.")] = False,
) -> None:
    """Show the line live, as the operator's page does: one colour, one word and one shape a slot.

    With --once it exits 0 if the line is open and every slot in service, and 1 if not, or if nobody tells.
    Without it, Ctrl-C ends it with 130.
    """
    if url is None:
        line = configuration.load(config_path(config))
        address, spoken = source.of_line(line), line.web.language
    else:
        address, spoken = source.at(url), "en"
        if token_file is not None:
            source.check_safe(url)
    console = Screen()
    pen = Pen(Words.of(language or spoken), speaks_unicode(console, os.environ.get("TERM", "")), url or "")
    display = Display(console, pen, "nothing" if once else "lines" if plain else "picture")
    follower = Follower(address, display, headers=source.bearer(token_file), trust=source.trusting(ca))
    end_in_order()
    try:
        if once:
            follow(display, follower, lambda: display.is_live or display.known.lost is not None)
            _print(console, display)
            raise typer.Exit(DONE if _is_fine(display) else FAILED)
        follow(display, follower, lambda: display.known.outdated)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  the station is another version now


def _print(console: Console, display: Display) -> None:
    width, height = console.size if console.is_terminal else UNWATCHED
    for line in display.drawn(width, height - 1, full=False):
        line.rstrip()
        console.print(line, soft_wrap=True)


def _is_fine(display: Display) -> bool:
    """Whether the line is open and all of its slots are in service, or on trial."""
    board, slots = display.known.board, display.known.slots.values()
    return (
        display.is_live and board is not None and board.line.state == "open" and all(s.service != "out" for s in slots)
    )
