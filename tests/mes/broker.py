# SPDX-License-Identifier: Apache-2.0
"""Debian's mosquitto at a free port of this PC, and a subscriber that remembers what it hears."""

import asyncio
import os
import shutil
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt

PATHS = f"{os.environ.get('PATH', '')}:/usr/sbin"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Broker:
    """One broker, which may be stopped and started again. `more` are lines of its configuration."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence false", *more]
        if os.getuid() == 0:
            lines.append("user root")  # else it would become an account that cannot read the test's folder
        self._file.write_text("\n".join(lines) + "\n")
        self._process: Process | None = None

    async def start(self) -> None:
        program = shutil.which("mosquitto", path=PATHS)
        assert program is not None, "tools/mosquitto installs it"
        self._process = await asyncio.create_subprocess_exec(program, "-c", str(self._file), stderr=DEVNULL)
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    async def stop(self) -> None:
        """Ends it as a power cut would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None


@asynccontextmanager
async def brokered(folder: Path, *more: str) -> AsyncIterator[Broker]:
    broker = Broker(folder, *more)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


@dataclass
class Ear:
    """What a subscriber has heard."""

    messages: list[aiomqtt.Message] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, done: Callable[[list[aiomqtt.Message]], bool]) -> list[aiomqtt.Message]:
        async with asyncio.timeout(90), self.news:
            await self.news.wait_for(lambda: done(self.messages))
            return list(self.messages)

    def of(self, topic: str) -> list[aiomqtt.Message]:
        return [message for message in self.messages if str(message.topic) == topic]


@asynccontextmanager
async def hearing(broker: Broker, topics: str = "station/#") -> AsyncIterator[Ear]:
    ear = Ear()

    async def hear(client: aiomqtt.Client) -> None:
        with suppress(aiomqtt.MqttError):
            async for message in client.messages:
                async with ear.news:
                    ear.messages.append(message)
                    ear.news.notify_all()

    with suppress(aiomqtt.MqttError):  # the broker may be gone at the end
        async with aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            await client.subscribe(topics, qos=1)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(hear(client))
                try:
                    yield ear
                finally:
                    task.cancel()
