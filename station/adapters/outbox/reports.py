# SPDX-License-Identifier: Apache-2.0
"""Makes the messages of this line for all of its receivers (`interfaces.Reports`), and wakes their pumps."""

import asyncio
from collections.abc import Sequence

from station.domain.attempt import Event
from station.mes import cfx, cloudevents
from station.mes.message import Facts, Message


class LineReports:
    """`sinks`: the names of the receivers."""

    def __init__(self, sinks: Sequence[str], *, as_cfx: bool = False) -> None:
        self.sinks = tuple(sinks)
        self.as_cfx = as_cfx
        self._events: list[asyncio.Event] = []
        self.wanted: frozenset[type[Event]] = (
            (cfx.WANTED if as_cfx else cloudevents.WANTED) if self.sinks else frozenset()
        )

    @property
    def content_type(self) -> str:
        return cfx.CONTENT_TYPE if self.as_cfx else cloudevents.CONTENT_TYPE

    def of(self, facts: Facts) -> list[Message]:
        make = cfx.messages if self.as_cfx else cloudevents.messages
        return [message for sink in self.sinks for message in make(facts, sink)]

    def news(self) -> asyncio.Event:
        """An event that is set whenever messages are durable."""
        event = asyncio.Event()
        self._events.append(event)
        return event

    def written(self) -> None:
        for event in self._events:
            event.set()
