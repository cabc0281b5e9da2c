# SPDX-License-Identifier: Apache-2.0
"""Converts events to and from the journal's form: a type and a body, named as in the event class's `on_disk`. Pure.

No event holds a secret.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import TypeVar, get_args

from station.domain.attempt import Event, Phase, ProcedureName
from station.domain.target import UID
from station.link.messages import KeyStorage

T = TypeVar("T", bound=Event)

_CLASSES: tuple[type[Event], ...] = get_args(Event)
TYPES: Mapping[str, type[Event]] = {event.on_disk.name: event for event in _CLASSES}
# Each event's field names in Python, keyed by their names on disk.
_FIELDS: Mapping[type, Mapping[str, str]] = {
    event: dict(zip(event.on_disk.keys, (field.name for field in fields(event)), strict=True)) for event in _CLASSES
}

# Keyed by names on disk, since a name has the same meaning in all events.
_READ: Mapping[str, Callable[[str], object]] = {
    "step": Phase,
    "uid": lambda text: UID(bytes.fromhex(text)),
    "procedure": ProcedureName,
    "key_storage": KeyStorage,
}


def body(event: Event) -> dict[str, object]:
    """The event's fields as JSON values, by their keys on disk."""
    return {key: _plain(getattr(event, field)) for key, field in _FIELDS[type(event)].items()}


def event(name: str, body: Mapping[str, object]) -> Event:
    """The event of this type with this body."""
    return of(TYPES[name], body)


def of(kind: type[T], body: Mapping[str, object]) -> T:
    """The event of this class with this body."""
    made: Callable[..., T] = kind  # type: ignore[explicit-any]  # each has fields of its own
    names = _FIELDS[kind]
    return made(**{names[key]: _READ[key](str(value)) if key in _READ else value for key, value in body.items()})


def _plain(value: object) -> object:
    match value:
        case StrEnum():
            return value.value
        case UID():
            return str(value)
        case Mapping():
            return dict(value)
        case _:
            return value
