"""Events as the journal stores them: the class is the type, its fields are the body. No event holds a secret. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import get_args

from station.domain.attempt import Event, Phase
from station.domain.target import UID

TYPES: Mapping[str, Callable[..., Event]] = {event.__name__: event for event in get_args(Event)}

_READ: Mapping[str, Callable[[str], object]] = {"step": Phase, "uid": lambda text: UID(bytes.fromhex(text))}


def body(event: Event) -> dict[str, object]:
    """The event's fields, as JSON values."""
    return {field.name: _plain(getattr(event, field.name)) for field in fields(event)}


def event(name: str, body: Mapping[str, object]) -> Event:
    """The event of this type with this body."""
    return TYPES[name](**{key: _READ[key](str(value)) if key in _READ else value for key, value in body.items()})


def _plain(value: object) -> object:
    match value:
        case Phase():
            return value.value
        case UID():
            return str(value)
        case Mapping():
            return dict(value)
        case _:
            return value
