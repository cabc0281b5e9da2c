# SPDX-License-Identifier: Apache-2.0
"""How wide text is at the most: in Helvetica Bold, or in Zebra's font 0, which is narrower but for its hyphen. Pure."""

# Adobe's metrics of U+0020 to U+007E and of U+00A1 to U+00FF, in thousandths of the height.
_ASCII = (
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556, 333, 611,
    611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
)  # fmt: skip
_LATIN = (
    333, 556, 556, 556, 556, 280, 556, 333, 737, 370, 556, 584, 333, 737, 333, 400, 584, 333, 333, 333, 611, 556, 278, 333,
    333, 365, 556, 834, 834, 834, 611, 722, 722, 722, 722, 722, 722, 1000, 722, 667, 667, 667, 667, 278, 278, 278, 278, 722,
    722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611, 556, 556, 556, 556, 556, 556, 889, 556, 556,
    556, 556, 556, 278, 278, 278, 278, 611, 611, 611, 611, 611, 611, 611, 584, 611, 611, 611, 611, 611, 556, 611, 556,
)  # fmt: skip
_WIDTHS = {
    **{chr(code): width for code, width in enumerate(_ASCII, 0x20)},
    **{chr(code): width for code, width in enumerate(_LATIN, 0xA1) if code != 0xAD},  # a soft hyphen is no letter
    "-": 600,  # Zebra's is a dash
}


def unknown(text: str) -> str:
    """The characters of this text that no label can show."""
    return "".join(dict.fromkeys(letter for letter in text if letter not in _WIDTHS))


def known(text: str) -> str:
    """The text with a question mark for each letter that no label can show."""
    return "".join(letter if letter in _WIDTHS else "?" for letter in text)


def width(text: str, height: float) -> float:
    """The width of this text in letters of this height; raises `ValueError` for letters that no label can show."""
    if missing := unknown(text):
        raise ValueError(f"no label can show {missing!a}")
    return sum(_WIDTHS[letter] for letter in text) * height / 1000
