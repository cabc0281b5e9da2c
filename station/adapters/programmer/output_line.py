# SPDX-License-Identifier: Apache-2.0
"""What one line of the programmer's output says by itself. Pure.

All boards print most lines alike, so what those say is remembered. A line that versions word differently is matched by the
words that they share.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from station.adapters.programmer.complaints import is_complaint, redacted
from station.domain.agent_record import RECORD_HEAD
from station.domain.memory_map import UID_ADDRESS, VERSION_WORDS

HEXADECIMAL = re.compile(r"0x([0-9A-F]{1,8})\b", re.IGNORECASE)
REMEMBERED = 512  # lines; a run has about sixty

_BAR = re.compile(r"\[?[█▒圹\N{REPLACEMENT CHARACTER}=]{4,}\]?|\b\d{1,3}%")
_NAME = re.compile(r"[A-Z][\w -]*", re.IGNORECASE)  # characters of a field's name, in front of its first colon
_BEFORE_VALUE = re.compile(r"[\s:]*")
_PLACE = re.compile(r"0x([0-9A-F]{8})\s*:", re.IGNORECASE)
_DUMPED = re.compile(r"[\s0-9A-F]*", re.IGNORECASE)  # also a part of the line that a cut has left
_WORD = re.compile(r"[0-9A-F]{8}", re.IGNORECASE)
_OPTION_BYTE = re.compile(r"\w{1,40} {0,40}: 0x[0-9A-F]{1,3}\b")
# in lower case, for lines in lower case: see `complaints`
_SENTENCE = re.compile(
    r"(?P<version>stm32cubeprogrammer v(?P<number>\S{1,40}))"
    r"|(?P<second_attempt>2nd connect tentative)"
    r"|(?P<erasing>erasing (?P<memory>internal|external) memory sectors? \[?(?P<first>\d{1,9})(?: (?P<last>\d{1,9}))?)"
    r"|(?P<complete>file download complete)"
    r"|(?P<verified>download verified successfully)"
    r"|(?P<uploading>uploading(?! option bytes))"
    r"|(?P<read>data read successfully)"
    r"|(?P<option_bytes_set>option bytes successfully programmed)"
    r"|(?P<fus_idle>^fus_state_idle)"
    r"|(?P<fus_started>^start ?fus (?:command )?execution finished)"
    r"|(?P<upgraded>^firmware upgrade success)"
    r"|(?P<stack_started>^fusstartws activated successfully)"
    r"|(?P<started>^start operation achieved successfully)"
    r"|(?P<reset>(?:software|hard) reset is performed|mcu reset)",
)
_SHOWN = frozenset({UID_ADDRESS, VERSION_WORDS})


class Line(NamedTuple):
    """One line, by itself."""

    text: str
    """Without the progress bar and the spaces around it; empty for a line that says nothing."""
    field: tuple[str, str] | None
    """Name and value of a line of the form "name : value"."""
    number: int | None
    """The field's value, if that begins with a hexadecimal number."""
    is_complaint: bool
    memory: tuple[int, bytes] | None
    """The address and the memory words that it shows."""
    sentence: re.Match[str] | None
    """The sentence that it has, in lower case."""
    shows_memory: bool
    """Whether it shows memory other than the UID and the version words."""
    kept: str | None
    """What a transcript may keep of it."""


def line_of(raw: str) -> Line:
    """What the line says, without its end."""
    return _read(raw) if _may_show_memory(raw) else _remembered(raw)


def _may_show_memory(raw: str) -> bool:
    """Whether a line may show a board's memory, which is not to be remembered."""
    said = raw.lower()
    numbers = said.count("0x")
    is_option_byte = numbers == 1 and _OPTION_BYTE.match(raw.lstrip()) is not None  # too short for a secret
    return "byte" in said or _WORD.search(raw) is not None or (numbers > 0 and not is_option_byte)


def _read(raw: str) -> Line:
    text = (_BAR.sub("", raw) if _may_have_bar(raw) else raw).strip()
    field = _field_in(text)
    number = HEXADECIMAL.match(field[1]) if field else None
    memory = _memory_in(text)
    shows_memory = is_memory_dump(raw)
    return Line(
        text,
        field,
        int(number[1], 16) if number else None,
        is_complaint(text),
        memory,
        None if memory else _SENTENCE.search(text.lower()),
        shows_memory,
        public_memory(raw) if shows_memory else redacted(raw),
    )


_remembered = lru_cache(REMEMBERED)(_read)


def is_memory_dump(line: str) -> bool:
    """Whether the line shows memory other than the UID and the version words."""
    text = line.strip()
    place = _PLACE.match(text) if text.startswith("0") else None
    return place is not None and int(place[1], 16) not in _SHOWN and _DUMPED.fullmatch(text, place.end()) is not None


def _may_have_bar(line: str) -> bool:
    return "%" in line or "=" in line or not line.isascii()


def public_memory(line: str) -> str | None:
    """Of a line that shows memory, the words of the agent's record up to the end of the public key; None where there are none."""
    address, words = _memory_in(line.strip()) or (0, b"")
    kept = words[: max(0, RECORD_HEAD.end - address)] if address >= RECORD_HEAD.address else b""
    shown = (int.from_bytes(kept[at : at + 4], "little") for at in range(0, len(kept), 4))
    return f"0x{address:08X} : {' '.join(f'{word:08X}' for word in shown)}" if kept else None


def _memory_in(text: str) -> tuple[int, bytes] | None:
    """The address and the memory words that the line shows; None if it shows none."""
    place = _PLACE.match(text)
    words = text[place.end() :].split() if place else []
    if place is None or not words or not all(map(_WORD.fullmatch, words)):
        return None
    return int(place[1], 16), _in_memory_order(words)


def _field_in(text: str) -> tuple[str, str] | None:
    """Name and value of a line of the form "name : value"; None where it is no such line."""
    name, colon, rest = text.partition(":")
    name = name.rstrip()
    if not colon or not _NAME.fullmatch(name):
        return None
    return name, _BEFORE_VALUE.sub("", rest, count=1)


def _in_memory_order(words: list[str]) -> bytes:
    return b"".join(int(word, 16).to_bytes(4, "little") for word in words)
