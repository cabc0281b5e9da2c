# SPDX-License-Identifier: Apache-2.0
"""Sentences about text that is not TOML: the place, the line as it was found, and the remedy. Pure."""

import re
import tomllib
from collections.abc import Callable, Sequence

from station.config.sentences import shown

_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")
_HEADING = re.compile(r"\s*\[\[?\s*([^\[\]]*?)\s*\]")

# What a line looks like, and what its writer probably meant; the first that fits is told.
_REMEDIES: tuple[tuple[Callable[[str], object], str], ...] = (
    (re.compile(r"^\0").search, "the file has no text: put a copy of it back"),
    (re.compile(r"^(<{7}|={7}|>{7})").search, "this is the mark of an unfinished merge: decide for one side"),
    (
        re.compile("[\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb]").search,
        'text stands in straight quotes, ", which a word processor replaces',
    ),
    (re.compile("[\u00a0\u2007\u202f\u200b]").search, "this line has a blank that is none: type the blanks anew"),
    (re.compile(r"\r.").search, "the lines end as on an old Macintosh: save the file with ends of line LF or CR LF"),
    (re.compile(r"^\s*(//|;|--)").search, "a comment begins with #"),
    (re.compile(r"^\s*[{]").search, "this looks like JSON: a table begins with [name], and a setting is name = value"),
    (re.compile(r"^\s*[\w.-]+\s*:").search, "between name and value stands =, not a colon"),
    (
        re.compile(r'^[^"]*"[^"]*\\').search,
        "in straight quotes \\ begins a special character: write /, or the text in single quotes",
    ),
    (
        re.compile(r"=\s*(True|False|TRUE|FALSE|yes|no|on|off)\b").search,
        "the two values are true and false, in small letters",
    ),
    (re.compile(r"=\s*(#|$)").search, "there is no value behind ="),
    (re.compile(r"=\s*-?\d+,\d").search, "a number has a decimal point, and _ between thousands, but no comma"),
    (
        re.compile(r"=\s*-?[\d.]+\s*[a-zA-Z%\u00b5]+\s*(#|$)").search,
        "a number stands without a unit; docs/configuration.md has the unit of each",
    ),
    (re.compile(r"=\s*0\d").search, "a decimal number has no zeros in front, and a hexadecimal one begins with 0x"),
    (re.compile(r"=\s*(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{2,8}\s*(#|$)").search, "a hexadecimal number begins with 0x"),
    (re.compile(r'^[^"#]*"[^"]*$').search, "the closing quote is missing"),
    (re.compile(r"^\s*\[[^\]]*$").search, "the closing bracket is missing"),
    (re.compile(r"=\s*[A-Za-z_./~]").search, "text stands in quotes"),
)
_TWICE = "this name stands above already: keep one of both"
_TABLE_TWICE = (
    "this table stands above already: join the two; several tables of one name each have a heading in double brackets"
)


def sentence(text: str, error: tomllib.TOMLDecodeError) -> str:
    """Why this text is not TOML."""
    lines = text.split("\n")
    place = _PLACE.search(str(error))
    if place is None:
        return f"is not TOML: the last line, {len(lines)}, is not complete: found {shown(lines[-1].strip())}"
    number, column = int(place[1]), int(place[2])
    line = lines[number - 1] if number <= len(lines) else ""
    return (
        f"is not TOML: line {number}, column {column}: found {shown(line.strip())}{_remedy(line, lines[: number - 1])}"
    )


def _remedy(line: str, above: Sequence[str]) -> str:
    for fits, remedy in _REMEDIES:
        if fits(line):
            return f"; {remedy}"
    if heading := _HEADING.match(line):
        return f"; {_TABLE_TWICE}" if any(_named(each, heading[1]) for each in above) else ""
    name = line.partition("=")[0].strip()
    for each in reversed(above):
        if _HEADING.match(each):
            return ""
        if each.partition("=")[0].strip() == name:
            return f"; {_TWICE}"
    return ""


def _named(line: str, name: str) -> bool:
    heading = _HEADING.match(line)
    return heading is not None and heading[1] == name
