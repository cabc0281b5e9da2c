# SPDX-License-Identifier: Apache-2.0
"""Reads server-sent events from bytes, however they are cut. Pure."""

from dataclasses import dataclass

LARGEST = 4 * 1024 * 1024  # bytes of one event: the board of 128 slots needs fifty thousand


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `number` names it for a stream that goes on after it."""

    name: str
    data: str
    number: str | None = None


class EventReader:
    """Cuts a stream's bytes into events. Raises `ValueError` for what no station sends: an endless event, other bytes than UTF-8."""

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, received: bytes) -> list[Event]:
        *ended, self._partial = (self._partial + received).replace(b"\r\n", b"\n").split(b"\n\n")
        if len(self._partial) > LARGEST:
            raise ValueError("an event without an end")
        return [event for block in ended if (event := _event(block.decode())) is not None]


def _event(block: str) -> Event | None:
    """The event in these lines; None for a comment."""
    fields: dict[str, list[str]] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    if "data" not in fields:
        return None
    number = fields.get("id", [None])[-1]
    return Event(fields.get("event", ["message"])[-1], "\n".join(fields["data"]), number)
