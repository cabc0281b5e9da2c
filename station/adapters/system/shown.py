# SPDX-License-Identifier: Apache-2.0
"""Makes text from outside (boards, partners, programmers, PKIs, people) safe for a screen. Pure.

The code that prints a line makes the whole line safe, so its fields may be raw.
"""

LONGEST = 1200  # characters: a fault's sentence with two fields of evidence, each as long as may be

FORMULA = ("=", "+", "-", "@")  # tabs and line ends, which some spreadsheets skip, are escaped


def shown(text: object, longest: int = LONGEST) -> str:
    r"""The text as one line that a terminal shows and does not obey: characters without a glyph are escaped, as `\x1b`.

    These are control characters, including line ends, characters that change the writing direction, and lone surrogates.
    """
    given = str(text)
    cut = given if len(given) <= longest else f"{given[: longest - 1]}…"
    return cut if cut.isprintable() else "".join(map(_glyph, cut))


def shown_lines(text: str, longest: int = LONGEST) -> str:
    """Like `shown`, for text of several lines: keeps its line ends."""
    return "\n".join(shown(line, longest) for line in text.split("\n"))


def in_cell(value: object) -> object:
    """The value for a cell of CSV. A text that a spreadsheet would take for a formula gets an apostrophe before it, as people write it there."""
    if not isinstance(value, str):
        return value
    text = shown(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _glyph(char: str) -> str:
    return char if char.isprintable() else ascii(char)[1:-1]
