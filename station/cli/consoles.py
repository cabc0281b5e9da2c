# SPDX-License-Identifier: Apache-2.0
"""The only way in which commands print: a terminal shows text from outside, and never obeys it.

Each state has one colour, the same on every screen.
"""

import errno
import json
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import typer
from rich.console import Console, HighlighterType, JustifyMethod, OverflowMethod
from rich.style import Style
from rich.text import Text

from station.adapters.system.shown import shown
from station.cli.endings import LONGEST_LINE

COLOURS = {
    "empty": "dim",
    "waiting": "white",
    "running": "cyan",
    "pass": "green",
    "fail": "red",
    "void": "yellow",
    "pending": "blue",
    "out of service": "magenta",
}

UNWATCHED_WIDTH = 140


class Screen(Console):
    """Prints every string as one line of data, in sentences and in table cells: no markup, no control characters."""

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        emoji: bool | None = None,  # noqa: ARG002  `:name:` is data, too
        markup: bool | None = None,  # noqa: ARG002  so is `[text]`
        highlight: bool | None = None,  # noqa: ARG002
        highlighter: HighlighterType | None = None,  # noqa: ARG002
    ) -> Text:
        return Text(shown(text), style, justify=justify, overflow=overflow)


def wide_console() -> Screen:
    """Standard output. In a pipe or a file it is as wide as the tables need."""
    console = Screen()
    return console if console.is_terminal else Screen(width=UNWATCHED_WIDTH)


def styled(*parts: str | tuple[object, str]) -> Text:
    """A sentence or a cell with some styled parts: `styled("line ", ("open", "green"))`."""
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((shown(text), style) for text, style in pairs))


def coloured(state: str, words: str = "") -> Text:
    """A slot's state or an attempt's verdict in its colour; an unknown word has none."""
    return styled((words or state, COLOURS.get(state or "empty", "")))


def say(*lines: object, err: bool = False) -> None:
    """Prints each value on one line of standard output or standard error, unwrapped, so that paths stay whole."""
    for line in lines:
        typer.echo(shown(line, LONGEST_LINE), err=err)


def say_bytes(content: bytes) -> None:
    """Writes a file's content to standard output as it is; the station made it, and no text from outside is in it unescaped."""
    typer.echo(content, nl=False)


def standard_output() -> TextIO:
    """Standard output, for rows; raises `OSError` if the caller has closed it (`>&-`), where Python has None instead."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    return sys.stdout


def document(members: Mapping[str, object], schema: int = 1) -> dict[str, object]:
    """What `--json` prints: the version of the document's keys as `schema`, then its members.

    The version is the command's own; it grows when a key changes its meaning or goes.
    """
    return {"schema": schema, **members}


def say_json_rows(members: Mapping[str, object]) -> None:
    """Prints one JSON document with one line for each member."""
    rows = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in document(members).items())
    typer.echo("{\n" + ",\n".join(rows) + "\n}")


def say_json(members: Mapping[str, object], indent: Literal[1, 2] = 2) -> None:
    """Prints one JSON document in ASCII, so that no terminal obeys its content."""
    typer.echo(json.dumps(document(members), indent=indent))
