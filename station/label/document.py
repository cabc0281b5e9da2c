# SPDX-License-Identifier: Apache-2.0
"""A document on A4, as PDF (reportlab): headline, key figures, tables, places to sign; every page has its number and the pages' count."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from station.label.fonts import BOLD, REGULAR, SIZE, Fonts

WIDTH, HEIGHT = 595.28, 841.89  # A4 in points
LEFT, RIGHT, TOP, BOTTOM = 54.0, 541.28, 788.0, 62.0
LEADING, PAD = 11.0, 3.0
MOST_LINES = 50  # of one row, which must fit on a page

_INK, _QUIET, _RULE, _TINT = "#17212b", "#5b6875", "#c8d0d8", "#eef2f5"
_GOOD, _BAD = ("#e4f2e7", "#1c5c2e"), ("#fbe6e4", "#8c1d18")


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers that are seen first, each with its words."""

    figures: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Notice:
    """Sentences on a coloured ground."""

    sentences: Sequence[str]
    good: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a heading; `columns` are shares of the width. The columns' names are repeated on each page."""

    heading: str
    columns: Sequence[float]
    rows: Sequence[Sequence[str]]
    names: Sequence[str] = ()
    whole: bool = False
    """Whether it begins on a new page rather than be cut by the end of one."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """A place for each of these to write name, date and signature."""

    who: Sequence[str]


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    subject: str
    parts: Sequence[Figures | Notice | Table | Signatures]
    foot: str
    """At the foot of each page, beside the page's number."""


@dataclass(frozen=True, slots=True)
class _Text:
    x: float
    y: float
    text: str
    size: float = SIZE
    font: str = REGULAR
    colour: str = _INK


@dataclass(frozen=True, slots=True)
class _Bar:
    """A filled rectangle; lines are thin ones."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(slots=True)
class _Pages:
    """Pages as they fill from top to bottom."""

    pages: list[list[_Text | _Bar]] = field(default_factory=lambda: [[]])
    y: float = TOP

    def room(self, height: float) -> bool:
        """Whether the page had it; otherwise the next page begins."""
        if self.y - height >= BOTTOM:
            return True
        self.pages.append([])
        self.y = TOP
        return False

    def put(self, *marks: _Text | _Bar) -> None:
        self.pages[-1].extend(marks)


def of(document: Document) -> bytes:
    """The document's PDF; raises `LibraryMissing`."""
    fonts, pages = Fonts(), _Pages()
    _headline(pages, fonts, document)
    for part in document.parts:
        match part:
            case Figures():
                _figures(pages, fonts, part)
            case Notice():
                _notice(pages, fonts, part)
            case Table():
                _table(pages, fonts, part)
            case Signatures():
                _signatures(pages, part)
    for number, marks in enumerate(pages.pages, 1):
        count = f"page {number} of {len(pages.pages)}"
        marks += [
            _Bar(LEFT, 46, RIGHT - LEFT, 0.5, _RULE),
            _Text(LEFT, 33, fonts.cut(document.foot, 400, 7.5), 7.5, colour=_QUIET),
            _Text(RIGHT - fonts.width(count, 7.5), 33, count, 7.5, colour=_QUIET),
        ]
    return _drawn(pages, fonts, document)


def _drawn(pages: _Pages, fonts: Fonts, document: Document) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(WIDTH, HEIGHT), pageCompression=1)
    canvas.setTitle(f"{document.title} {document.subject}")
    canvas.setSubject(document.foot)
    canvas.setCreator("Matter provisioning station")
    for marks in pages.pages:
        for mark in marks:
            canvas.setFillColor(mark.colour)
            if isinstance(mark, _Bar):
                canvas.rect(mark.x, mark.y, mark.width, mark.height, stroke=0, fill=1)
                continue
            x = mark.x
            for font, run in fonts.runs(mark.text, mark.font):
                canvas.setFont(font, mark.size)
                canvas.drawString(x, mark.y, run)
                x += canvas.stringWidth(run, font, mark.size)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _headline(pages: _Pages, fonts: Fonts, document: Document) -> None:
    pages.put(_Bar(LEFT, TOP + 8, RIGHT - LEFT, 2, _INK))
    pages.put(_Text(LEFT, TOP - 12, document.title.upper(), 9, BOLD, _QUIET))
    for line in fonts.lines(document.subject, RIGHT - LEFT, 22, BOLD):
        pages.y -= 26
        pages.put(_Text(LEFT, pages.y - 10, line, 22, BOLD))
    pages.y -= 28


def _figures(pages: _Pages, fonts: Fonts, part: Figures) -> None:
    gap, height = 7.0, 46.0
    width = (RIGHT - LEFT + gap) / len(part.figures) - gap
    pages.room(height)
    for number, (figure, words) in enumerate(part.figures):
        x = LEFT + number * (width + gap)
        size = next((size for size in (18, 15, 12, 9) if fonts.width(figure, size, BOLD) <= width - 14), 7)
        pages.put(
            _Bar(x, pages.y - height, width, height, _TINT),
            _Text(x + 7, pages.y - 23, figure, size, BOLD),
            _Text(x + 7, pages.y - 38, fonts.cut(words, width - 12, 7.5), 7.5, colour=_QUIET),
        )
    pages.y -= height + 10


def _notice(pages: _Pages, fonts: Fonts, part: Notice) -> None:
    ground, ink = _GOOD if part.good else _BAD
    lines = [line for sentence in part.sentences for line in fonts.lines(sentence, RIGHT - LEFT - 20, 9, BOLD)]
    for chunk in _chunks(lines, MOST_LINES):
        height = 13 * len(chunk) + 8
        pages.room(height)
        pages.put(_Bar(LEFT, pages.y - height, RIGHT - LEFT, height, ground))
        pages.put(*(_Text(LEFT + 10, pages.y - 14 - 13 * n, line, 9, BOLD, ink) for n, line in enumerate(chunk)))
        pages.y -= height + 4


def _table(pages: _Pages, fonts: Fonts, part: Table) -> None:
    whole, total = RIGHT - LEFT, sum(part.columns)
    widths = [whole * share / total for share in part.columns]
    lefts = [LEFT + sum(widths[:number]) for number in range(len(widths))]
    rows = len(part.rows) if part.whole else 1
    pages.room(24 + 16 * bool(part.names) + rows * (LEADING + PAD))
    pages.y -= 18
    pages.put(_Text(LEFT, pages.y, part.heading, 11.5, BOLD), _Bar(LEFT, pages.y - 5, whole, 0.8, _INK))
    pages.y -= 6
    _names(pages, lefts, part)
    for row in part.rows:
        cells = [fonts.lines(cell, width - 8) for cell, width in zip(row, widths, strict=True)]
        for first in range(0, max(map(len, cells)), MOST_LINES):
            some = [lines[first : first + MOST_LINES] for lines in cells]
            height = LEADING * max(map(len, some)) + PAD
            if not pages.room(height):
                pages.put(_Text(LEFT, pages.y, f"{part.heading} (continued)", 9, BOLD, _QUIET))
                pages.put(_Bar(LEFT, pages.y - 5, whole, 0.8, _INK))
                pages.y -= 6
                _names(pages, lefts, part)
            for x, lines in zip(lefts, some, strict=True):
                colour = _QUIET if x == LEFT and len(lefts) == 2 else _INK
                pages.put(
                    *(_Text(x, pages.y - LEADING * (n + 1) + 1, line, colour=colour) for n, line in enumerate(lines))
                )
            pages.y -= height
            pages.put(_Bar(LEFT, pages.y, whole, 0.4, _RULE))


def _names(pages: _Pages, lefts: Sequence[float], part: Table) -> None:
    if part.names:
        pages.put(*(_Text(x, pages.y - 10, name, 7.5, BOLD, _QUIET) for x, name in zip(lefts, part.names, strict=True)))
        pages.y -= 15
        pages.put(_Bar(LEFT, pages.y, RIGHT - LEFT, 0.4, _RULE))


def _signatures(pages: _Pages, part: Signatures) -> None:
    gap, height = 24.0, 118.0
    pages.room(height)
    pages.y -= 18
    pages.put(_Text(LEFT, pages.y, "Signatures", 11.5, BOLD), _Bar(LEFT, pages.y - 5, RIGHT - LEFT, 0.8, _INK))
    width = (RIGHT - LEFT + gap) / len(part.who) - gap
    for number, who in enumerate(part.who):
        x = LEFT + number * (width + gap)
        pages.put(_Text(x, pages.y - 19, who, 9, BOLD))
        for line, words in enumerate(("Name", "Date", "Signature")):
            y = pages.y - 40 - 26 * line
            pages.put(_Text(x, y, words, 7.5, colour=_QUIET), _Bar(x + 46, y - 2, width - 46, 0.5, _INK))
    pages.y -= height - 18


def _chunks(lines: Sequence[str], most: int) -> Iterable[Sequence[str]]:
    return (lines[first : first + most] for first in range(0, len(lines), most))
