# SPDX-License-Identifier: Apache-2.0
"""Draws a line's live display into a terminal of any size, line by line. Pure."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from station.adapters.system.shown import shown
from station.cli.consoles import coloured, styled
from station.cli.demo.view import Ending, Row, View, pace, spoken, totals

TO_DO = {"fail": "put the board into the reject bin", "void": "plug it in again"}
HEADER = f"{'slot':<4} {'board':<24} {'state':<14} {'step':<17} {'progress':<8} {'seconds':>7}"
BAR = 8
CELL = 26  # of a slot in the table of several columns
GAP = 1
LONGEST_NOTE = 3  # lines
FEWEST_NOTES = 4  # lines: what to do, and the newest note or how many there are
_WRAPPER = Console(width=80, color_system=None)  # `Text.wrap` needs one; it prints nothing


def picture(view: View, width: int, height: int) -> list[Text]:
    """At most `height` lines, none wider than `width`: totals, slots, and the sentences of the attempts that ended badly.

    If not every slot has room for a line of its own, they stand side by side; if that does not fit either, only those in
    work are shown, and the others are counted.
    """
    head = _head(view, width)
    notes = _notes(view.bad, width)
    room = height - len(head)
    wanted = sum(map(len, notes)) + 1 if notes else 0
    table = _table(view.rows, width, room, wanted)
    if notes:
        table.append(styled((to_do(view.bad), "bold")))
    lines = [*head, *table, *_newest(notes, room - len(table))]
    return [_cut(line, width) for line in lines[:height]]


def note(ending: Ending) -> Text:
    """Slot and verdict of an attempt, and its fault's sentence."""
    why = f" {spoken(ending)}" if ending.verdict != "pass" else ""
    return Text.assemble(f"slot {shown(ending.slot)} ", coloured(ending.verdict), styled(why))


def to_do(bad: Sequence[Ending]) -> str:
    """What an operator does after each verdict among these."""
    return "; ".join(
        f"{verdict}: {words}" for verdict, words in TO_DO.items() if any(e.verdict == verdict for e in bad)
    )


def _head(view: View, width: int) -> list[Text]:
    head = [styled((f"{totals(view)}; {view.count('running')} running", "bold")), styled(pace(view))]
    if view.trouble:
        head += _wrapped(styled(("The line is paused: ", "red"), view.trouble), width)[:LONGEST_NOTE]
    return head


def _table(rows: Sequence[Row], width: int, room: int, wanted: int) -> list[Text]:
    """The slots in at most `room` lines, some of which it leaves to the `wanted` lines of notes."""
    if len(rows) + 1 <= room - min(wanted, room // 3) and width >= len(HEADER):
        return [styled((HEADER, "bold")), *map(_full, rows)]
    side_by_side = _columns(rows, width)
    left = room - min(wanted, FEWEST_NOTES)
    if len(side_by_side) <= left:
        return side_by_side
    columns = _column_count(width)
    shown = [row for row in rows if row.state == "running"][: max(left - 1, 0) * columns]
    others = [row for row in rows if row not in shown]
    counts = {state: sum(row.state == state for row in others) for state in dict.fromkeys(row.state for row in others)}
    told = f"{len(others)} other slots: " + ", ".join(f"{count} {state}" for state, count in counts.items())
    return [*_columns(shown, width), styled((told, "dim"))]


def _full(row: Row) -> Text:
    filled = round(row.done * BAR)
    seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
    return Text.assemble(
        _padded(styled(row.slot), 4), " ",
        _padded(styled(row.board), 24), " ",
        _padded(coloured(row.state), 14), " ",
        _padded(styled((row.step or "").replace("_", " ")), 17), " ",
        ("━" * filled, "cyan"), ("·" * (BAR - filled), "dim"), " ",
        seconds.rjust(7),
    )  # fmt: skip


def _columns(rows: Sequence[Row], width: int) -> list[Text]:
    """The slots in columns, read downwards."""
    count = -(-len(rows) // _column_count(width))
    lines = []
    for first in range(count):
        cells = [_cell(row) for row in rows[first::count]]
        lines.append(Text(" " * GAP).join(cells))
    return lines


def _column_count(width: int) -> int:
    return max(1, (width + GAP) // (CELL + GAP))


def _cell(row: Row) -> Text:
    seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
    words = coloured(row.state, (row.step or row.state).replace("_", " "))
    return Text.assemble(_padded(styled(row.slot), 3), " ", _padded(words, 17), " ", seconds.rjust(4))


def _notes(bad: Sequence[Ending], width: int) -> list[list[Text]]:
    notes = []
    for ending in bad:
        lines = _wrapped(note(ending), width)
        if len(lines) > LONGEST_NOTE:
            lines = [*lines[: LONGEST_NOTE - 1], Text.assemble(_cut(lines[LONGEST_NOTE - 1], max(width - 1, 0)), "…")]
        notes.append(lines)
    return notes


def _newest(notes: Sequence[Sequence[Text]], room: int) -> list[Text]:
    """The newest notes that have room, oldest first, under a line that counts those before them."""
    chosen: list[Text] = []
    for number, lines in enumerate(reversed(notes)):
        left = len(notes) - number
        free = room - len(chosen) - (left > 1)  # a line for those before it
        if len(lines) > free and chosen:
            return [styled((f"{left} earlier: see the report at the end", "dim")), *chosen]
        chosen = [*lines[: max(free, 0)], *chosen]
    return chosen


def _wrapped(text: Text, width: int) -> list[Text]:
    return list(text.wrap(_WRAPPER, max(width, 1)))


def _padded(text: Text, width: int) -> Text:
    """Exactly `width` cells."""
    short = _cut(text, width)
    short.append(" " * (width - cell_len(short.plain)))
    return short


def _cut(text: Text, width: int) -> Text:
    cut = text.copy()
    cut.truncate(max(width, 0), overflow="ellipsis" if width > 1 else "crop")
    return cut
