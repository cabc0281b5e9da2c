# SPDX-License-Identifier: Apache-2.0
"""A webhook's receiver and an MQTT broker in a thread, for a line of processes that a test starts and stops."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from station.config.mes import MQTT, WEBHOOK
from tests.mes.broker import Ear, brokered, hearing
from tests.mes.receiver import Receiver, receiving

TOPIC = "/attempt"
WITHIN = 300.0


@dataclass
class Abroad:
    """The receivers, in a thread of their own."""

    folder: Path
    receiver: Receiver = field(default_factory=Receiver)
    ear: Ear | None = None
    urls: dict[str, str] = field(default_factory=dict)
    _ready: threading.Event = field(default_factory=threading.Event)
    _wishes: "asyncio.Queue[str | None]" = field(default_factory=asyncio.Queue)
    _granted: threading.Event = field(default_factory=threading.Event)
    _loop: asyncio.AbstractEventLoop | None = None
    heard: list[dict[str, object]] = field(default_factory=list)
    """By subscribers of the broker, of which one follows another when it was started again."""

    @contextmanager
    def running(self) -> Iterator["Abroad"]:
        thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        thread.start()
        try:
            assert self._ready.wait(WITHIN)
            yield self
        finally:
            self._wish(None)
            thread.join()

    def broker(self, *, up: bool) -> None:
        self._granted.clear()
        self._wish("up" if up else "down")
        assert self._granted.wait(WITHIN)

    def events(self, sink: str) -> list[dict[str, object]]:
        """What this receiver was told, repetitions included."""
        if sink == WEBHOOK:
            return list(self.receiver.taken)
        now = [] if self.ear is None else list(self.ear.messages)
        return self.heard + [json.loads(bytes(each.payload)) for each in now if str(each.topic).endswith(TOPIC)]

    def _wish(self, wish: str | None) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._wishes.put_nowait, wish)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with receiving(self.receiver), brokered(self.folder) as broker:
            self.urls = {WEBHOOK: self.receiver.url, MQTT: f"mqtt://127.0.0.1:{broker.port}"}
            wish: str | None = "up"
            while wish is not None:
                async with hearing(broker) as self.ear:
                    self._ready.set()
                    self._granted.set()
                    wish = await self._wishes.get()
                self.heard, self.ear = self.events(MQTT), None
                if wish == "down":
                    await broker.stop()
                    self._granted.set()
                    wish = await self._wishes.get()
                    await broker.start()
