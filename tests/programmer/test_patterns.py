# SPDX-License-Identifier: Apache-2.0
"""Every pattern for a process's output matches in linear time; the tests find the patterns by themselves."""

import re
import time
from collections.abc import Callable, Iterator

import pytest

from station.adapters.partner import script
from station.adapters.programmer import complaints, output, output_line
from station.adapters.system import child
from station.adapters.system.child import LineCutter
from tests.builders.transcripts import heard

MODULES = (child, complaints, output, output_line, script)
SHORT, GROWTH = 1024, 16
MEASURED = 20e-6  # seconds of processor time; less cannot be measured
# For sixteen times the input, quadratic time grows by 256; up to 64 counts as linear.
ALLOWED = 4 * GROWTH

REPEATED = (
    " ",
    "1",
    "A",
    ":",
    "=",
    "%",
    "Error:",
    "error",
    "(byte = ",
    "0x12345678 : ",
    "DEADBEEF ",
    "DEADBEEF   ",
    "\x1b[",
    "\x1b[1;",
)
AROUND = (("", ""), ("A", "B"), ("0x", "X"), ("", "X"), ("0x12345678 :", "X"), ("Error", "X"), ("\x1b[", "\n"))


def strings_in(value: object) -> Iterator[str]:
    """Patterns that are strings in a table."""
    match value:
        case str():
            yield value
        case tuple():
            for each in value:
                yield from strings_in(each)


def patterns() -> list[tuple[str, re.Pattern[str]]]:
    found = []
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                text = value.pattern if isinstance(value.pattern, str) else value.pattern.decode("latin-1")
                found.append(
                    (f"{module.__name__.rpartition('.')[2]}.{name}", re.compile(text, value.flags & re.IGNORECASE))
                )
            elif isinstance(value, tuple):
                where = f"{module.__name__.rpartition('.')[2]}.{name}"
                found += [(f"{where} {text}", re.compile(text, re.IGNORECASE)) for text in strings_in(value)]
    return found


PATTERNS = patterns()


def almost(pattern: str) -> Iterator[str]:
    """Prefixes of the texts that the pattern's alternatives match, roughly."""
    for alternative in pattern.split("|"):
        said = re.sub(r"\(\?P<\w+>|\(\?[:!]|\\b|[()^$]", "", alternative)
        said = re.sub(r"\[[^\]]*\]|\\S|\\w", "A", said).replace("\\d", "1").replace("\\s", " ").replace("\\", "")
        said = re.sub(r"\.?(?:[*+?]+|\{[\d,]+\})", " ", said)
        yield from {said[:-1], said[: 2 * len(said) // 3]} - {""}


def bad_inputs(pattern: str, size: int) -> Iterator[str]:
    for text in REPEATED:
        for before, after in AROUND:
            yield f"{before}{(text * size)[:size]}{after}"
    for text in almost(pattern):
        yield (text * size)[:size]
        yield f"{text}{' ' * size}X"
        yield f"{text}{'1' * size}X"


def seconds(work: Callable[[str], object], text: str) -> float:
    """This thread's processor time, which a busy machine does not increase."""
    began = time.thread_time()
    work(text)
    return time.thread_time() - began


def is_linear(pattern: re.Pattern[str], short: str, long: str) -> bool:
    """Repeats a failed measurement, which may have been disturbed."""
    for work in (pattern.search, pattern.fullmatch, pattern.split):
        if all(
            seconds(work, long) > ALLOWED * max(MEASURED, min(seconds(work, short) for _ in range(3)))
            for _ in range(12)
        ):
            return False
    return True


def costly_input(pattern: re.Pattern[str]) -> str | None:
    for short, long in zip(
        bad_inputs(pattern.pattern, SHORT), bad_inputs(pattern.pattern, SHORT * GROWTH), strict=True
    ):
        if not is_linear(pattern, short, long):
            return short
    return None


@pytest.mark.parametrize(("name", "pattern"), PATTERNS, ids=[name for name, _ in PATTERNS])
def test_a_pattern_takes_a_time_that_grows_with_the_line(name: str, pattern: re.Pattern[str]) -> None:
    """The lines are endless blanks, digits and near matches."""
    assert costly_input(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<name>[A-Z][\w -]*?)\s*:[\s:]*(?P<value>.*)",
        r"\(byte = .*?\)",
        r"connection to device .* is lost",
        r"downloading .* failed",
    ],
)
def test_a_pattern_that_takes_the_square_of_the_line_is_seen(pattern: str) -> None:
    """These patterns were once the driver's."""
    assert costly_input(re.compile(pattern, re.IGNORECASE)) is not None


def test_the_patterns_are_found() -> None:
    """The tests cover the driver's patterns and those of its table of complaints."""
    names = [name for name, _ in PATTERNS]
    assert "output_line._SENTENCE" in names
    assert any(name.startswith("complaints._FAULTS ") for name in names)


def test_a_line_of_blanks_is_read_at_once() -> None:
    """65,000 blanks once took half a minute, while all slots waited."""
    cutter = LineCutter()
    for text in ("A{}B", "Error: A{}B", "0x12345678 :{}B", "Connection to device {}", "(byte = {}"):
        lines = cutter.feed(text.format(" " * 65_000).encode() + b"\n")
        assert seconds(lambda _: heard(*lines), "") < 1  # noqa: B023


def test_lines_that_each_promise_another_are_read_at_once() -> None:
    """The text of a bare `Error:` is on the next line, which may be a bare `Error:` itself."""
    said = ["Error:"] * 10_000
    assert seconds(lambda _: heard(*said).fault("probe", 1), "") < 5
