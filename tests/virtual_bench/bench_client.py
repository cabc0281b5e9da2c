# SPDX-License-Identifier: Apache-2.0
"""For the virtual bench's tests: images, factory data, certificates, the programmer, and a serial line."""

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.builders.authority import PRODUCT, Authority, factory_data, key_in
from virtual_bench.board import link
from virtual_bench.board.board import Board
from virtual_bench.faults.fault_file import read
from virtual_bench.hub.hub import Hub
from virtual_bench.programmer.standin import EXECUTABLE, LOADER
from virtual_bench.server.server import Settings, opened

DATA_ADDRESS, APPLICATION = 0x901C0000, 0x08000000
DEADLINE = 200.0  # generous, for a machine that is busy with other tests
ASKED_AGAIN_AFTER = 2.0
IMAGES = Path(__file__).parents[2] / "firmware_images"
HELLO, MAKE_CSR, STORE, PROVE, REFUSED = 0x01, 0x02, 0x03, 0x04, 0xFF
AUTHORITY = Authority()


def image(kind: str, size: int = 0) -> bytes:
    """A firmware image, padded to a product's size."""
    return (IMAGES / f"{kind}.bin").read_bytes().ljust(size, b"\x5a")


class Line:
    """The station's end of a board's serial port."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._frames = link.FrameReader()
        self.bodies: list[bytes] = []
        self._number = 0
        self.heard = b""
        self.hung_up = asyncio.Event()
        self._news = asyncio.Event()

    def read(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self.hung_up.set()
        self.heard += data
        self.bodies += self._frames.feed(data)
        self._news.set()

    def say(self, data: bytes) -> None:
        os.write(self._descriptor, data)

    def lock(self) -> None:
        """Takes the port's locks, or raises `BlockingIOError`."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    async def body(self) -> bytes:
        """The next frame's body."""
        async with asyncio.timeout(DEADLINE):
            while not self.bodies:
                self._news.clear()
                await self._news.wait()
        return self.bodies.pop(0)

    async def until(self, text: bytes) -> None:
        """Returns once the text has been received."""
        async with asyncio.timeout(DEADLINE):
            while text not in self.heard:
                self._news.clear()
                await self._news.wait()

    async def ask(self, question: int, payload: bytes = b"") -> bytes:
        """The payload of the answer, which carries the question's number."""
        kind, *answer = await self._answer(question, payload)
        assert kind == question | 0x80, f"refused with status {answer}"
        return bytes(answer[1:])

    async def refusal(self, question: int, payload: bytes = b"") -> int:
        """The status with which the board refuses a question."""
        kind, _, status = await self._answer(question, payload)
        assert kind == REFUSED
        return status

    async def _answer(self, question: int, payload: bytes) -> bytes:
        """Repeats the question after a while, as a station does, since a booting board loses bytes."""
        self._number += 1
        async with asyncio.timeout(DEADLINE):
            while True:
                self.say(link.encode(bytes([question, self._number]) + payload))
                with suppress(TimeoutError):
                    async with asyncio.timeout(ASKED_AGAIN_AFTER):
                        while (body := await self.body())[1] != self._number:
                            pass
                        return body


@dataclass(frozen=True, slots=True)
class Station:
    """A bench in this process, and the parts of a station that its tests need."""

    hub: Hub
    directory: Path

    @asynccontextmanager
    async def line(self, board: Board) -> AsyncIterator[Line]:
        """A board's serial port, through its link."""
        descriptor = os.open(self.directory / "dev" / board.tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        line = Line(descriptor)
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, line.read)
        try:
            yield line
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    @asynccontextmanager
    async def started(self, *argv: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Starts the programmer as a process."""
        process = await asyncio.create_subprocess_exec(
            self.directory / EXECUTABLE,
            *argv,
            cwd=self.directory,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def program(self, *argv: str) -> tuple[int | None, str]:
        """Runs the programmer once; returns exit status and output."""
        async with self.started(*argv) as process, asyncio.timeout(DEADLINE):
            output, _ = await process.communicate()
        return process.returncode, output.decode()

    def connect(self, board: Board, mode: str = "UR") -> list[str]:
        return ["-c", "port=SWD", f"sn={board.nameplate.probe}", f"mode={mode}", "-q"]

    def file(self, name: str, content: bytes) -> str:
        """Writes a new file; returns its path."""
        (self.directory / name).write_bytes(content)
        return name

    def writes(self, kind: str = "provisioning-flash", values: dict[int, bytes] = PRODUCT) -> list[str]:
        """The actions that write factory data and provisioning firmware, and reset."""
        data = self.file("data.bin", factory_data(values))
        firmware = self.file(f"{kind}.bin", image(kind))
        loader = ["-el", str(self.directory / LOADER)]
        return [*loader, "-d", data, hex(DATA_ADDRESS), "-v", "-d", firmware, hex(APPLICATION), "-v", "-rst"]

    async def provisioner(self, board: Board, kind: str = "provisioning-flash") -> None:
        """Flashes the provisioning firmware; the board then waits for its first question."""
        status, output = await self.program(*self.connect(board), *self.writes(kind))
        assert status == 0, output

    async def operational(self, board: Board, kind: str = "operational-stand-in") -> None:
        firmware = self.file(f"{kind}.bin", image(kind))
        status, output = await self.program(*self.connect(board), "-d", firmware, hex(APPLICATION), "-v", "-rst")
        assert status == 0, output

    async def provisioned(self, board: Board, storage: str = "flash") -> bytes:
        """Provisions a board up to the stored DAC, and returns the DAC."""
        await self.provisioner(board, f"provisioning-{storage}")
        async with self.line(board) as line:
            dac = AUTHORITY.dac(key_in(await line.ask(MAKE_CSR)))
            assert await line.ask(STORE, AUTHORITY.certificates(dac)) == b"\0"
        return dac

    async def crash(self, board: Board) -> str:
        """Waits until a board's core has crashed; returns the reason."""
        async with asyncio.timeout(DEADLINE):
            while not board.core.state().startswith("crashed"):
                await asyncio.sleep(0.001)
        return board.core.state()

    def journal(self, event: str) -> list[dict[str, object]]:
        """The entries of bench.jsonl for an event."""
        lines = (self.directory / "bench.jsonl").read_text().splitlines()
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]


@asynccontextmanager
async def station(
    directory: Path, *faults: dict[str, object], settings: Settings | None = None
) -> AsyncIterator[Station]:
    """A bench of two ports at time scale 0, unless settings say otherwise."""
    settings = settings or Settings(directory, probes=2, time_scale=0)
    settings = replace(settings, directory=directory, faults=[read(fault) for fault in faults])
    async with opened(settings) as hub:
        yield Station(hub, directory)
