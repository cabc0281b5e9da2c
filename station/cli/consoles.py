# SPDX-License-Identifier: Apache-2.0
"""The only way in which commands print: a terminal shows text from outside, and never obeys it.

Each state has one colour, the same on every screen.
"""

import errno
import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Literal, TextIO

import typer
from rich.cells import cell_len
from rich.console import Console, HighlighterType, JustifyMethod, OverflowMethod
from rich.style import Style
from rich.table import Table
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
ROWS_AT_ONCE = 1000


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


def say_json_list(name: str, rows: Iterable[Mapping[str, object]], rest: Callable[[], Mapping[str, object]]) -> None:
    """Prints the JSON document of `say_json` whose first member is this list, row by row, so that it may be of any length.

    `rest` makes the members behind the list, at least one, after its last row.
    """
    between = "\n"
    typer.echo(json.dumps(document({}), indent=2).removesuffix("\n}") + f",\n  {json.dumps(name)}: [", nl=False)
    for row in rows:
        typer.echo(between + textwrap.indent(json.dumps(row, indent=2), "    "), nl=False)
        between = ",\n"
    end = "]" if between == "\n" else "\n  ]"
    typer.echo(f"{end},{json.dumps(rest(), indent=2).removeprefix('{')}")


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> int:
    """Prints a table, and returns the number of its rows. Of a long one it has some rows in memory at a time."""
    console, printed, widths = wide_console(), 0, [0] * len(columns)
    while page := list(islice(rows, ROWS_AT_ONCE)):
        widths = [max(width, *map(_width, cells)) for width, cells in zip(widths, zip(*page, strict=True), strict=True)]
        table = Table(box=None, header_style="bold", show_header=not printed)
        for column, width in zip(columns, widths, strict=True):
            fits = printed > 0 and sum(widths) + 3 * len(widths) < console.width
            table.add_column(column, min_width=max(width, len(column)) if fits else None)
        for cells in page:
            table.add_row(*cells)
        console.print(table)
        printed += len(page)
    return printed


def _width(cell: str | Text) -> int:
    return cell.cell_len if isinstance(cell, Text) else cell_len(cell)


def say_json(members: Mapping[str, object], indent: Literal[1, 2] = 2) -> None:
    """Prints one JSON document in ASCII, so that no terminal obeys its content."""
    typer.echo(json.dumps(document(members), indent=indent))
