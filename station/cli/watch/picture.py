# SPDX-License-Identifier: Apache-2.0
"""Draws the board into a terminal of any size, line by line. Pure.

Nothing here has a colour unless `known.live(now)`: `_tinted` alone gives colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from station.adapters.system.shown import shown
from station.cli.watch.known import HANDS, Face, Known, face, hands, progress
from station.cli.watch.words import ASCII_SHAPES, SHAPES, STYLES, Words

TILE_WIDTH, TILE_HEIGHT = 24, 4  # the least that shows what to do beside the state, with a line between two rows
TALLEST = 7
WIDTH_FOR_HEIGHT = 5  # columns of a terminal for a line of a tile
CELL = 7  # columns of a slot where only its name and shape have room
NAMED_CELL = 14  # those with its word
GAP = 1
LONGEST_SENTENCE = 3  # lines
_SIGNS = str.maketrans("…·→", ".->")
_WRAPPER = Console(width=80, color_system=None)  # `Text.wrap` needs one; it prints nothing


@dataclass(frozen=True, slots=True)
class Pen:
    """What a picture needs besides the board: words, shapes for this terminal, the page's address, and the time of day."""

    words: Words
    unicode: bool = True
    address: str = ""
    clock: str = ""

    def shape(self, state: str, done: float = 0.0) -> str:
        shape = (SHAPES if self.unicode else ASCII_SHAPES)[state]
        return shape[min(int(done * len(shape)), len(shape) - 1)]

    def mark(self, unicode: str, plain: str) -> str:
        return unicode if self.unicode else plain


def picture(known: Known, pen: Pen, now: float, width: int, height: int, *, full: bool = True) -> list[Text]:
    """At most `height` lines, if it is `full` so many, none wider than `width`.

    The line and its lot, a tile for each slot, the fault that came last, and the counts.
    """
    head, foot = _head(known, pen, now, width), _foot(known, pen, now, width)
    if height < len(head) + len(foot) + 2:  # too small for all: what the line does, and the slots
        head, foot = head[:1], []
    room = height - len(head) - len(foot)
    slots = _slots(known, pen, now, width, room)
    lines = [*head, *slots, *[Text()] * (room - len(slots) if full else 0), *foot]
    cut = [_cut(line, width) for line in lines[:height]]
    return cut if pen.unicode else [_in_letters(line) for line in cut]


def _tinted(known: Known, now: float, state: str) -> str:
    """The style of a state: a colour only while a beat vouches for the board."""
    return STYLES[state if known.live(now) else "unknown"]


def minutes(seconds: float) -> str:
    """Minutes and seconds, such as 0:07 or 75:00."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def line_words(known: Known, words: Words, now: float) -> tuple[str, str, str]:
    """What the line does: its state, the word for it, and a sentence, which may be empty."""
    if not known.live(now) or known.board is None:
        reason = known.reason(now)
        return "unknown", words.line("unknown"), words.line("say") + (f" ({reason})" if reason else "")
    line = known.board.line
    sentence = {
        "paused": f"{words.fault(line.fault, line.sentence or line.reason)} {to_do(words, line.act)}".strip(),
        "draining": words.line("drains"),
    }.get(line.state, "")
    return line.state, words.line(line.state), sentence


def to_do(words: Words, act: str | None) -> str:
    """Who does what, after an arrow."""
    return f"→ {words.act(act)}" if act else ""


def _head(known: Known, pen: Pen, now: float, width: int) -> list[Text]:
    state, word, sentence = line_words(known, pen.words, now)
    since = known.since(now) if state == "unknown" else now - known.line_at if state == "paused" else None
    about = f"{known.board.station} · {known.board.product or known.board.recipe}" if known.board else ""
    title = f" {pen.shape(state) if state in SHAPES else '?'} {word}{'' if since is None else ' ' + minutes(since)} "
    style = "bold" if state == "open" else "bold reverse"
    first = _sides(Text.assemble((shown(title), style), f" {shown(about)}"), Text(pen.clock), width)
    address = Text(shown(pen.address), "dim")
    if state == "open":
        return [first, _sides(_lot(known, pen), address, width), Text()]
    said = _wrapped(Text(shown(sentence), "bold"), width)[:LONGEST_SENTENCE]
    return [first, *said, Text()]


def _lot(known: Known, pen: Pen) -> Text:
    lot = known.board.lot if known.board else None
    if lot is None or not lot.name:
        return Text()
    words, planned = pen.words, lot.planned
    of = "" if planned is None else f" {words.lot('of')} {planned}"
    parts = [
        Text(f" {words.lot('order' if lot.work_order else 'lot')} {shown(lot.work_order or lot.name)}"),
        Text(f"{words.word('pass')} {lot.passed}{of}"),
        Text(f"{words.word('fail')} {lot.failed}"),
    ]
    if planned is not None:
        parts.append(Text(f"{words.lot('left')} {max(0, planned - lot.passed)}"))
    return Text("   ").join(parts)


def _foot(known: Known, pen: Pen, now: float, width: int) -> list[Text]:
    """The fault that came last, and the numbers of slots that want somebody's hands."""
    live, last = known.live(now), known.board.last if known.board else None
    lines = [Text()]
    if live and last is not None and last.verdict in STYLES:
        where = f" {pen.shape(last.verdict)} {last.slot} {pen.words.word(last.verdict)} "
        said = f" {pen.words.fault(last.fault, last.sentence)} {to_do(pen.words, last.act)}"
        told = Text.assemble((shown(where), _tinted(known, now, last.verdict)), shown(said))
        lines += _wrapped(told, width)[:LONGEST_SENTENCE]
    counts = hands(known, now)
    parts = [
        Text(
            f" {pen.shape(state)} {counts[state]} {pen.words.word(state)} ",
            _tinted(known, now, state) if counts[state] else "dim",
        )
        for state in HANDS
    ]
    if known.board and (stock := pen.words.stock(known.board.shared)):
        parts.append(Text(f" {stock} ", _tinted(known, now, "void")))
    if known.board and known.board.mes:
        parts.append(Text(f" MES {known.board.mes} ", _tinted(known, now, "void")))
    return [*lines, Text(" ").join(parts)] if live else [Text()]


def _slots(known: Known, pen: Pen, now: float, width: int, room: int) -> list[Text]:
    """The slots in at most `room` lines: tiles, else one line each in as few columns as may be, else as many as have room."""
    names = list(known.slots)
    if not names or room < 1:
        return []
    grid = _mirrored(known, width, room)
    if grid is None:
        columns = _columns(len(names), width, room)
        grid = [names[at : at + columns] for at in range(0, len(names), columns)]
    across = max(map(len, grid))
    each = (width + GAP) // across - GAP
    if len(grid) * TILE_HEIGHT <= room + 1 and each >= TILE_WIDTH:  # the last row needs no gap
        tall = min((room + 1) // len(grid), TALLEST) - 1
        rows = [[_tile(known, pen, now, name, each, tall) for name in row] for row in grid]
        return [line for row in rows for line in [*_beside(row), Text()]][:-1]
    left = len(grid) > room
    lines = [Text(" " * GAP).join(_cell(known, pen, now, name, each) for name in row) for row in grid[: room - left]]
    return [*lines, _rest(known, pen, now, [name for row in grid[room - 1 :] for name in row])] if left else lines


def _mirrored(known: Known, width: int, room: int) -> list[list[str]] | None:
    """The grid that the configuration wants, if it has room; an empty name is a place without a slot."""
    board, slots = known.board, known.slots
    if board is None:
        return None
    places = {slot.place: name for name, slot in slots.items() if slot.place}
    if len(places) == len(slots):
        down, across = (max(place[axis] for place in places) for axis in (0, 1))
        grid = [[places.get((row, column), "") for column in range(1, across + 1)] for row in range(1, down + 1)]
    elif board.columns:
        names, across = list(slots), board.columns
        grid = [names[at : at + across] for at in range(0, len(names), across)]
    else:
        return None
    return grid if len(grid) <= room and (width + GAP) // across - GAP >= CELL else None


def _columns(count: int, width: int, room: int) -> int:
    """As many columns as make the largest tiles; else as few as give each slot a line; else as many as there are."""
    best, largest = 0, 0.0
    for columns in range(1, (width + GAP) // (TILE_WIDTH + GAP) + 1):
        rows = -(-count // columns)
        tall = min((room + 1) // rows, TALLEST)
        holes = 1.0 if rows * columns == count else 0.7  # a grid without holes is read faster
        size = holes * min(tall, (width + GAP) / columns / WIDTH_FOR_HEIGHT)
        if tall >= TILE_HEIGHT and size >= largest:
            best, largest = columns, size
    most = max(1, (width + GAP) // (CELL + GAP))
    return best or next((columns for columns in range(1, most + 1) if -(-count // columns) <= room), most)


def _beside(tiles: Sequence[Sequence[Text]]) -> list[Text]:
    return [Text(" " * GAP).join(lines) for lines in zip(*tiles, strict=True)]


def _tile(known: Known, pen: Pen, now: float, name: str, width: int, tall: int) -> list[Text]:
    """State, act, and as much of the sentence as has room, filled with the state's colour."""
    if not name:
        return [Text(" " * width)] * tall
    seen = face(known, name, now)
    style, edge = _tinted(known, now, seen.state), pen.mark("▌", "|")
    lines = [f"{_titled(known, pen, now, name, seen)}  {_left(known, pen, now, name, seen)}"]
    lines += [f" {part}" for part in _fitted(_said(pen, known, name, seen), width - 3, tall - 1)]
    if seen.state == "running":
        lines.append(f" {_bar(known, pen, now, name, width - 4)}")
    sentence = pen.words.fault(seen.fault, known.slots[name].sentence)
    lines += [f" {part}" for part in _fitted(sentence, width - 3, tall - len(lines))]
    if seen.state == "out":
        lines += [pen.mark("╲", "/") * (width - 1)] * (tall - len(lines))  # striped, as on the page
    padded = [*lines, *[""] * tall][:tall]
    return [_padded(Text(shown(edge + line), style), width) for line in padded]


def _cell(known: Known, pen: Pen, now: float, name: str, width: int) -> Text:
    """One slot on one line."""
    if not name:
        return Text(" " * width)
    seen = face(known, name, now)
    left = _left(known, pen, now, name, seen)
    line = _titled(known, pen, now, name, seen)
    if width >= NAMED_CELL * 2:
        line = f"{_filled(line, NAMED_CELL)} {f'{left}  ' if left else ''}{_said(pen, known, name, seen)}"
    elif left:  # shape and colour say that it runs
        line = f"{name:>3} {pen.shape('running', progress(known, name, now).done)} {left}"
    elif (verdict := seen.taken or seen.inside) and verdict in STYLES:
        line += f" {pen.shape(verdict)}"  # of the board that was pulled out, or should be
    return _padded(Text(shown(line), _tinted(known, now, seen.state)), width)


def _filled(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _titled(known: Known, pen: Pen, now: float, name: str, seen: Face) -> str:
    """Name, shape and word."""
    done = progress(known, name, now).done if seen.state == "running" else 0.0
    trial = f" ({pen.words.one('trial')})" if seen.trial else ""
    return f"{name:>3} {pen.shape(seen.state, done)} {pen.words.word(seen.state).upper()}{trial}"


def _left(known: Known, pen: Pen, now: float, name: str, seen: Face) -> str:
    """The seconds that a running board still needs."""
    if seen.state != "running":
        return ""
    how = progress(known, name, now)
    return pen.words.one("slow") if how.slow else "" if how.left is None else f"{how.left} s"


def _said(pen: Pen, known: Known, name: str, seen: Face) -> str:
    """The step, what became of the board, or what is to be done."""
    if seen.taken:
        return f"{pen.words.one('taken')}: {pen.words.word(seen.taken)}. {pen.words.act(seen.act)}"
    if seen.inside:
        return f"{pen.words.inside(seen.inside)} {pen.words.call(seen.act)}"
    return pen.words.step(known.slots[name].step) if seen.state == "running" else pen.words.act(seen.act)


def _fitted(sentence: str, width: int, room: int) -> list[str]:
    """A sentence in at most so many lines, of which the last is cut."""
    lines = [line.plain.rstrip() for line in _wrapped(Text(shown(sentence)), width)] if sentence else []
    if len(lines) <= room or room < 1:
        return lines[: max(room, 0)]
    return [*lines[: room - 1], _cut(Text(" ".join(lines[room - 1 :])), width).plain]


def _bar(known: Known, pen: Pen, now: float, name: str, width: int) -> str:
    filled = round(progress(known, name, now).done * max(width, 0))
    return pen.mark("━", "=") * filled + pen.mark("·", ".") * (width - filled)


def _rest(known: Known, pen: Pen, now: float, names: Sequence[str]) -> Text:
    """How many slots have no room, by state."""
    states = [face(known, name, now).state for name in names if name]
    counts = ", ".join(f"{states.count(state)} {pen.words.word(state)}" for state in dict.fromkeys(states))
    return Text(f"+ {len(states)}: {counts}", "dim")


def _in_letters(line: Text) -> Text:
    """The line for a terminal that has no more than ASCII of the signs that are used here."""
    line.plain = line.plain.translate(_SIGNS)  # one for one, so that the colours stay where they are
    return line


def _sides(left: Text, right: Text, width: int) -> Text:
    """Both on one line, if they have room."""
    free = width - left.cell_len - right.cell_len - 1
    return Text.assemble(left, " " * free, right) if free > 0 else left


def _wrapped(text: Text, width: int) -> list[Text]:
    return list(text.wrap(_WRAPPER, max(width, 1)))


def _padded(text: Text, width: int) -> Text:
    """Exactly `width` columns."""
    short = _cut(text, width)
    short.append(" " * (width - short.cell_len))
    return short


def _cut(text: Text, width: int) -> Text:
    cut = text.copy()
    cut.truncate(max(width, 0), overflow="ellipsis" if width > 1 else "crop")
    return cut
