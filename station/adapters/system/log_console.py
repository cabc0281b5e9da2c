# SPDX-License-Identifier: Apache-2.0
"""The log's form on a terminal: local time, slot, event, then the verdict in its colour; a verdict's line is never wrapped.

A terminal shows text from outside and obeys none of it. Pure, but for the terminal's width and the zone of the local time.
"""

import os
import shutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import datetime

from station.adapters.system.shown import shown, shown_lines

WIDTH = 120  # columns, for a terminal that does not say how many it has
LEAST_WIDTH = 60  # columns; on a narrower terminal a verdict's line is wrapped, since no word of it would be left
LONGEST_VALUE = 2000  # characters

VERDICT_COLOURS = {"pass": 32, "fail": 31, "void": 33}  # green, red and yellow, as on every screen
_LEVEL_COLOURS = {"warning": 33, "error": 31, "critical": 31}

# In front of a line's other keys: uid, label and fault without their names, since nobody mistakes them.
_FIRST = ("uid", "serial_number", "fault", "step", "question", "within_seconds")
_WITHOUT_NAME = frozenset({"uid", "serial_number", "fault", "reason"})
_LAST = ("seconds", "attempt", "lot", "recipe", "probe", "tty", "steps")
_IN_COLUMNS = frozenset({"time", "milliseconds", "level", "event", "slot", "verdict", "exc_info"})
_MARK = "…"
_LEAST_CUT = 8  # characters of a value that are worth showing


def told(event: Mapping[str, object]) -> str:
    """The event's line; an error's traceback follows on lines of its own."""
    verdict = event.get("verdict")
    head, width = _columns(event, coloured=_coloured())
    if verdict is None:
        texts = [head.rstrip(), *(_part(key, event[key]) for key in _in_order(event))]
    else:
        texts = [head.rstrip(), *_fitting(event, _columns_of_terminal() - width)]
    return "\n".join([" ".join(texts), *_traceback(event.get("exc_info"))]) + "\n"


def _coloured() -> bool:
    """Whether colours are wanted: https://no-color.org."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _columns_of_terminal() -> int:
    return max(LEAST_WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns)


def _columns(event: Mapping[str, object], *, coloured: bool) -> tuple[str, int]:
    """Time, slot, event, and verdict or level, padded; with the number of columns that they take."""
    level = str(event.get("level", "info"))
    word = str(event.get("verdict") or ("" if level == "info" else level))
    at = datetime.fromisoformat(str(event["time"])).astimezone().strftime("%H:%M:%S")
    plain = f"{at} {shown(event.get('slot', '')):<3} {shown(event['event']):<16} "
    colour = {**VERDICT_COLOURS, **_LEVEL_COLOURS}.get(word) if coloured else None
    padded = f"{shown(word)} " if word else ""
    painted = f"\x1b[{colour}m{word}\x1b[0m " if colour else padded
    return plain + painted, len(plain) + len(padded)


def _in_order(event: Mapping[str, object]) -> list[str]:
    """The keys behind the columns: those that a person looks for, the fault's own, the sentence, and the rest."""
    special = {*_FIRST, *_LAST, *_IN_COLUMNS, "reason"}
    own = [key for key in event if key not in special]
    if "verdict" in event:
        return [key for key in (*_FIRST, *own, "reason", *_LAST) if key in event]
    # Beside a verdict an attempt's other lines are for who looks for them: their uid is at the end.
    first = [key for key in (*_FIRST[1:], *own, "reason", *_LAST) if key in event]
    return [*first, *(["uid"] if "uid" in event else [])]


def _part(key: str, value: object) -> str:
    text = shown(value if isinstance(value, str) else repr(value), LONGEST_VALUE)
    if key in _WITHOUT_NAME:
        return text
    if isinstance(value, str) and (not text or any(char in text for char in ' "=')):
        text = '"' + text.replace('"', r"\"") + '"'
    return f"{key}={text}"


def _fitting(event: Mapping[str, object], room: int) -> Iterator[str]:
    """As many parts as fit. A mark stands for the missing ones up to the sentence; what follows it may be missing without one."""
    keys = _in_order(event)
    needed = keys[: keys.index("reason") + 1] if "reason" in keys else [key for key in keys if key not in _LAST]
    for place, key in enumerate(keys, start=1):
        part = _part(key, event[key])
        more = len(_MARK) + 1 if place < len(needed) else 0  # room for the mark, should the next part not fit
        if len(part) <= room - more:
            yield part
            room -= len(part) + 1
        elif place <= len(needed):
            yield _cut(part, room) if room > _LEAST_CUT else _MARK
            return


def _cut(part: str, room: int) -> str:
    """At most `room` characters of it, up to a space if there is one, and the mark."""
    whole = part[: room - len(_MARK)]
    words = whole if part[len(whole) :][:1] in {"", " "} else whole.rpartition(" ")[0]
    cut = words.rstrip() if len(words) > _LEAST_CUT else whole
    return _MARK if cut.endswith(("=", '="')) else cut + _MARK


def _traceback(raised: object) -> Iterator[str]:
    """The traceback's lines, without the values of variables."""
    if raised is True:
        raised = sys.exc_info()[1]
    if isinstance(raised, tuple):
        raised = raised[1]
    if isinstance(raised, BaseException):
        yield shown_lines("".join(traceback.format_exception(raised))).rstrip("\n")
