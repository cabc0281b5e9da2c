# SPDX-License-Identifier: Apache-2.0
"""The fonts of a document (reportlab), and where its lines end.

Text is set in Helvetica; letters that it lacks, in the PC's DejaVu Sans, else in the reader's own fonts for Chinese, Japanese and Korean.
"""

from collections.abc import Callable, Iterator
from itertools import groupby

from station.label.extras import LibraryMissing

REGULAR, BOLD = "Helvetica", "Helvetica-Bold"
SIZE = 8.5  # points

_FILE = "DejaVuSans"
_READERS_OWN = (  # fonts that every reader may bring itself, each with the codec that has the same letters
    ("STSong-Light", "gbk"),
    ("HeiseiMin-W3", "cp932"),
    ("HYSMyeongJo-Medium", "cp949"),
    ("MSung-Light", "big5"),
)


class Fonts:
    """Which font has a letter, and how wide text is. Making it raises `LibraryMissing`."""

    def __init__(self) -> None:
        try:
            from reportlab.pdfbase import cidfonts, pdfmetrics, ttfonts
        except ImportError as exc:
            raise LibraryMissing("reportlab") from exc
        self._string_width: Callable[[str, str, float], float] = pdfmetrics.stringWidth
        self._in_file: frozenset[int] = frozenset()
        try:
            file = ttfonts.TTFont(_FILE, f"{_FILE}.ttf")
        except ttfonts.TTFError:  # this PC does not have it
            pass
        else:
            pdfmetrics.registerFont(file)
            self._in_file = frozenset(file.face.charToGlyph)
        for name, _ in _READERS_OWN:
            pdfmetrics.registerFont(cidfonts.UnicodeCIDFont(name))

    def runs(self, text: str, font: str) -> list[tuple[str, str]]:
        r"""The text in pieces of one font each; letters that no font has are escaped, as `\U0001f600`."""
        if text.isascii():
            return [(font, text)]
        found = [self._font(letter, font) for letter in text]
        return [(name, "".join(run for _, run in pairs)) for name, pairs in groupby(found, lambda pair: pair[0])]

    def _font(self, letter: str, font: str) -> tuple[str, str]:
        if _encodes("cp1252", letter):
            return font, letter
        if ord(letter) in self._in_file:
            return _FILE, letter
        for name, codec in _READERS_OWN:
            if _encodes(codec, letter):
                return name, letter
        return font, ascii(letter)[1:-1]

    def width(self, text: str, size: float, font: str = REGULAR) -> float:
        return sum(self._string_width(run, name, size) for name, run in self.runs(text, font))

    def cut(self, text: str, room: float, size: float, font: str = REGULAR) -> str:
        """The text, which ends in an ellipsis if the room is too narrow for it."""
        if self.width(text, size, font) <= room:
            return text
        while text and self.width(f"{text}…", size, font) > room:
            text = text[:-1]
        return f"{text}…"

    def lines(self, text: str, room: float, size: float = SIZE, font: str = REGULAR) -> list[str]:
        """The text in lines of this width: at spaces, and within words that are longer than a line."""
        done, line = list[str](), ""
        for word in text.split(" "):
            longer = f"{line} {word}" if line else word
            if self.width(longer, size, font) <= room:
                line = longer
                continue
            if line:
                done.append(line)
            *whole, line = self._pieces(word, room, size, font)
            done += whole
        return [*done, line]

    def _pieces(self, word: str, room: float, size: float, font: str) -> Iterator[str]:
        piece = ""
        for letter in word:
            if piece and self.width(piece + letter, size, font) > room:
                yield piece
                piece = ""
            piece += letter
        yield piece


def _encodes(codec: str, letter: str) -> bool:
    try:
        letter.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
