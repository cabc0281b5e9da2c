# SPDX-License-Identifier: Apache-2.0
"""A document on A4, read back by pdfium: all of its text is there, on as many pages as it needs."""

import re

import pypdfium2
import pytest

from station.label import document
from station.label.document import Document, Figures, Notice, Signatures, Table
from station.label.fonts import Fonts

WORDS = "word " * 200


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page."""
    opened = pypdfium2.PdfDocument(pdf)
    return [page.get_textpage().get_text_range() for page in opened]


def made(*parts: Figures | Notice | Table | Signatures, subject: str = "W1") -> list[str]:
    return pages_of(document.of(Document("Lot report", subject, parts, "foot of the page")))


def test_a_page_is_a4_and_has_its_number() -> None:
    pdf = document.of(Document("Lot report", "W1", [Table("Lot", (1, 1), [("a", "b")])], "foot"))
    (page,) = pypdfium2.PdfDocument(pdf)
    assert [round(size * 25.4 / 72) for size in page.get_size()] == [210, 297]
    (text,) = pages_of(pdf)
    assert "page 1 of 1" in text


def test_a_long_table_goes_over_pages_with_its_heading_and_every_row_once() -> None:
    """Each page has its number, the pages' count and the columns' names."""
    rows = [(f"SN{number:06d}", f"{number:024X}") for number in range(500)]
    pages = made(Table("Units", (1, 2), rows, ("serial number", "UID")))
    assert len(pages) > 5
    for number, text in enumerate(pages, 1):
        assert f"page {number} of {len(pages)}" in text
        assert "foot of the page" in text
        assert "serial number" in text
        assert ("Units (continued)" in text) == (number > 1)
    assert re.findall(r"SN\d{6}", "".join(pages)) == [name for name, _ in rows]


@pytest.mark.parametrize("long", [WORDS, "x" * 1200, "长" * 1200, "é" * 500 + " " + "y" * 700])
def test_long_text_wraps_and_is_whole(long: str) -> None:
    """At spaces, and within words that are longer than a line. Nothing is beside the page."""
    pdf = document.of(Document("Lot report", "W1", [Table("Exceptions", (1, 1.6), [("x", long)] * 12)], ""))
    pages = pages_of(pdf)
    assert len(pages) > 1
    letter = long[-2]
    assert "".join(pages).count(letter) >= 12 * long.count(letter)
    for page in pypdfium2.PdfDocument(pdf):
        text = page.get_textpage()
        boxes = [text.get_charbox(index) for index in range(0, text.count_chars(), 7)]
        assert max(right for _, _, right, _ in boxes) <= document.RIGHT + 1
        assert min(bottom for _, bottom, _, _ in boxes) > 20


def test_a_row_that_is_higher_than_a_page_goes_over_pages() -> None:
    pages = made(Table("Exceptions", (1, 1), [("x", "word " * 2000)]))
    assert "".join(pages).count("word") == 2000


@pytest.mark.parametrize(
    "text",
    ["Jörg Müller, 100 €", "Łukasz Źródło", "王小明、返工", "さくら", "홍길동", "Борис", "Ελένη", "½ §3 „so“"],
)
def test_names_of_all_countries_are_in_it(text: str) -> None:
    """As text that a reader finds and copies."""
    (page,) = made(Table("Exceptions", (1, 1), [("who", text)]), subject=text)
    assert text.replace(" ", "") in page.replace(" ", "")


def test_a_letter_without_a_font_is_escaped() -> None:
    (page,) = made(Table("Exceptions", (1, 1), [("who", "a \U0001f9a9 b")]))
    assert r"a \U0001f9a9 b" in page


def test_figures_notices_and_places_to_sign_are_there() -> None:
    (page,) = made(
        Figures([("6 of 20", "passed"), ("123456789 of 1000000000", "a long one")]),
        Notice(["It does not add up."], good=False),
        Signatures(["Production", "Quality"]),
    )
    for text in ("6 of 20", "123456789 of 1000000000", "It does not add up.", "Production", "Quality", "Signature"):
        assert text in page
    assert page.count("Date") == 2


def test_lines_are_no_wider_than_their_room() -> None:
    fonts = Fonts()
    for text in ("", "a", WORDS, "é" * 90, "王" * 90):
        lines = fonts.lines(text, 100)
        assert all(fonts.width(line, 8.5) <= 100 for line in lines)
        assert " ".join(lines).replace(" ", "") == text.replace(" ", "")
