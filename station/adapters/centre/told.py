# SPDX-License-Identifier: Apache-2.0
"""What the lines of a station's journal tell the centre: facts, out of a line's JSON. Pure."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TypeVar, get_args, get_type_hints

from station.domain.facts import Fact, IdentityAdvanced, IntermediateSeen
from station.domain.shared import Line, Rank
from station.domain.target import UID

F = TypeVar("F", bound=Fact)

_HEXADECIMAL = frozenset({"key", "dac_serial_number", "pai"})  # texts that the centre keeps as bytes
_CLASSES: tuple[type[Fact], ...] = get_args(Fact)
TYPES: Mapping[str, type[Fact]] = {fact.on_disk.name: fact for fact in _CLASSES}
_NAMES = frozenset(name.encode() for name in TYPES)


class Unreadable(ValueError):
    """A line is no JSON of a journal, or its fact does not have the fields that the centre knows."""


@dataclass(frozen=True, slots=True)
class Told:
    """A fact, and the number and the moment of the line that tells it."""

    number: int
    at: datetime
    fact: Fact


def told(line: Line) -> Told | None:
    """The fact that a line tells; None for an event of an attempt, and for what only later versions know.

    Raises `Unreadable`.
    """
    if _tells_nothing(line):
        return None
    number, at, name, body = _parsed(line.text)
    if number != line.number:
        raise Unreadable(f"the line says that it is number {number}")
    kind = TYPES.get(name)
    if kind is None:
        return None
    return Told(line.number, at, _fact(kind, body))


def moment(line: Line) -> datetime | None:
    """When the line was written, by the station's clock; None if it does not say."""
    try:
        return _parsed(line.text)[1]
    except Unreadable:
        return None


def of(kind: type[F], facts: Sequence[Told]) -> Iterator[tuple[Told, F]]:
    """The facts of one class, in order."""
    for each in facts:
        if isinstance(each.fact, kind):
            yield each, each.fact


def _tells_nothing(line: Line) -> bool:
    """Whether the line is seen to be another than a fact, without reading its JSON: most lines are events of attempts."""
    begin, _, _, name, *_ = [*line.text.split(b'"', 4), b"", b"", b""]
    return begin == b"[%d," % line.number and name != b"" and name not in _NAMES


def _parsed(text: bytes) -> tuple[int, datetime, str, Mapping[str, object]]:
    try:
        line: object = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise Unreadable("the line is no JSON") from exc
    match line:
        case [int(number), str(at), str(name), _, dict(body)]:
            try:
                return number, _moment(at), name, body
            except ValueError as exc:
                raise Unreadable(f"the line's moment: {exc}") from exc
    raise Unreadable("the line is no array of number, moment, type, attempt and body")


def _fact(kind: type[Fact], body: Mapping[str, object]) -> Fact:
    made: Callable[..., Fact] = kind  # type: ignore[explicit-any]  # each has fields of its own
    values = {}
    for name, (key, read) in _READ[kind].items():
        if key not in body:
            raise Unreadable(f"{kind.on_disk.name} has no {key}")
        try:
            values[name] = read(body[key])
            if key in _HEXADECIMAL:
                bytes.fromhex(str(values[name]))
        except (TypeError, ValueError) as exc:
            raise Unreadable(f"{key} of {kind.on_disk.name}: {exc}") from exc
    fact = made(**values)
    _check(fact)
    return fact


def _check(fact: Fact) -> None:
    match fact:
        case IdentityAdvanced(rank=rank) if rank not in set(Rank) - {Rank.SEEN}:
            raise Unreadable(f"there is no rank {rank}")
        case IntermediateSeen(pai=pai, content=content) if hashlib.sha256(content).hexdigest() != pai:
            raise Unreadable("the intermediate certificate has another name than the SHA-256 of its content")
        case _:
            pass


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    if "\0" in value:
        raise ValueError("a text with a NUL, which PostgreSQL does not keep")
    value.encode()  # UnicodeEncodeError is a ValueError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("no whole number")
    return value


def _real(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("no number")
    return float(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def _raw(value: object) -> bytes:
    return bytes.fromhex(_text(value))


def _uid(value: object) -> UID:
    return UID.parse(_text(value))


def _moment(value: object) -> datetime:
    read = datetime.fromisoformat(_text(value))
    if read.tzinfo is None:
        raise ValueError("a moment without a time zone")
    try:
        return read.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("a moment before all time") from exc


def _perhaps(read: Callable[[object], object]) -> Callable[[object], object]:
    return lambda value: None if value is None else read(value)


_BY_HINT: Mapping[object, Callable[[object], object]] = {
    str: _text,
    int: _whole,
    float: _real,
    bool: _truth,
    bytes: _raw,
    UID: _uid,
    datetime: _moment,
    str | None: _perhaps(_text),
    UID | None: _perhaps(_uid),
}


def _readers(kind: type[Fact]) -> Mapping[str, tuple[str, Callable[[object], object]]]:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    return {name: (key, _BY_HINT[hints[name]]) for name, key in zip(names, kind.on_disk.keys, strict=True)}


# By class and name in Python: the key on disk, and what reads its value.
_READ: Mapping[type[Fact], Mapping[str, tuple[str, Callable[[object], object]]]] = {
    kind: _readers(kind) for kind in _CLASSES
}
