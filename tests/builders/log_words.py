# SPDX-License-Identifier: Apache-2.0
"""Holds the log of a run against docs/log.md: its events, their keys, the kinds of their values, and their times."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from tests.builders.fault_catalogue import catalogue

DOCUMENT = Path(__file__).parents[2] / "docs" / "log.md"
OF_EVERY_LINE = frozenset({"time", "milliseconds", "level", "event"})
OF_AN_ATTEMPT = frozenset({"slot", "attempt", "uid"})
OF_AN_ERROR = "exception"
TIME = "%Y-%m-%dT%H:%M:%SZ"  # the only form that jq's fromdateiso8601 takes


class WordsUnlisted(AssertionError):
    """A log has words that docs/log.md does not have."""


def rows(heading: str) -> list[list[str]]:
    """The cells of the document's table under this heading."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@cache
def events() -> Mapping[str, frozenset[str]]:
    """Every documented event with its documented keys."""
    return {event.strip("`"): frozenset(re.findall(r"`(\w+)`", keys)) for event, keys, *_ in rows("Events")}


@cache
def kinds() -> Mapping[str, str]:
    """Every documented key with the kind of its values."""
    return {key.strip("`"): kind for key, kind, *_ in rows("Keys")}


@cache
def of_faults() -> Mapping[str, str]:
    """The keys that a fault's fields add to `attempt.finished`, with the kind of their values."""
    names = {name for fault in catalogue() for name in getattr(fault, "__dataclass_fields__", {})}
    added = dict.fromkeys(names - {"within"}, "text") | {"within_seconds": "number"}
    return {f"fault_{name}": kind for name, kind in added.items()} | added


def checked(log: Path) -> list[dict[str, object]]:
    """The lines of a log. Raises `WordsUnlisted` if it has words that the document does not have."""
    lines = list(_lines(log))
    if wrong := sorted({text for line in lines for text in unlisted(line)}):
        raise WordsUnlisted(f"{log} has words that docs/log.md does not have:\n" + "\n".join(wrong))
    return lines


def _lines(log: Path) -> Iterator[dict[str, object]]:
    """Its lines, except those that a full disk or a kill has torn."""
    for text in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line


def unlisted(line: Mapping[str, object]) -> Iterator[str]:
    """What the document does not say of this line."""
    event = str(line.get("event"))
    if event not in events():
        yield f"{event}: no such event"
        return
    for key in sorted(OF_EVERY_LINE - line.keys()):
        yield f"{event}: without {key}"
    for key, value in line.items():
        if (kind := _kind(event, key, str(line.get("level")))) is None:
            yield f"{event}: no such key: {key}"
        elif not _is_of(kind, value):
            yield f"{event}: {key} is no {kind}: {value!r}"


def _kind(event: str, key: str, level: str) -> str | None:
    if key in OF_EVERY_LINE | OF_AN_ATTEMPT | events()[event]:
        return kinds().get(key)
    if event == "attempt.finished" and key in of_faults():
        return of_faults()[key]
    return "list" if key == OF_AN_ERROR and level == "error" else None


def _is_of(kind: str, value: object) -> bool:
    match kind, value:
        case "time", str():
            return _is_time(value)
        case ("text", str()) | ("list", list()) | ("object", dict()):
            return True
        case "number", int() | float():
            return not isinstance(value, bool)
    return False


def _is_time(text: str) -> bool:
    try:
        return datetime.strptime(text, TIME).strftime(TIME) == text  # noqa: DTZ007  `Z` is the zone
    except ValueError:
        return False
