# SPDX-License-Identifier: Apache-2.0
"""The printer: reads formats, prints them into a folder one after another, and says how it is.

A format that comes while it has no media stays in its buffer and is printed later, as a Zebra does. What it printed stands
in the folder as `0001.zpl` and so on; half a label as `0002.half.zpl`.
"""

import asyncio
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Self

MODE_FILE, PORT_FILE = "mode", "port"
PRINTING = 0.02  # seconds a label
LOOKED_EVERY = 0.02
MOST_BUFFERED = 1 << 20  # bytes
STATUS, BEGIN, END = b"~HS", b"^XA", b"^XZ"


class Mode(StrEnum):
    """The printer's state, which a test or a person writes into the file `mode` of its folder."""

    READY = "ready"
    MEDIA_OUT = "media-out"
    HEAD_OPEN = "head-open"
    PAUSED = "paused"
    MUTE = "mute"
    """Takes nothing and says nothing, as some firmware does with an open head."""
    BUSY = "busy"
    """In order, and always about to print: a label stays in the buffer until the printer is ready."""
    HALF = "half"
    """The media ends in the middle of the next label."""


class VirtualPrinter:
    """One printer; several connections share its buffer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buffer: deque[bytes] = deque()
        self._printing = False
        self._count = len(list(folder.glob("*.zpl")))
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def serving(cls, folder: Path, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Self]:
        """Serves for the block; `port` 0 takes a free one."""
        folder.mkdir(parents=True, exist_ok=True)
        printer = cls(folder)
        server = await asyncio.start_server(printer.converse, host, port)
        printer.port = server.sockets[0].getsockname()[1]
        printing = asyncio.create_task(printer._print())
        try:
            yield printer
        finally:
            printing.cancel()
            server.close()

    @property
    def mode(self) -> Mode:
        try:
            return Mode((self._folder / MODE_FILE).read_text(encoding="ascii").strip())
        except (OSError, ValueError):
            return Mode.READY

    def set_mode(self, mode: Mode) -> None:
        begun = self._folder / f".{MODE_FILE}"
        begun.write_text(mode.value, encoding="ascii")
        begun.replace(self._folder / MODE_FILE)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reads one connection to its end. A format without its end is never printed."""
        pending = b""
        try:
            while data := await reader.read(4096):
                pending = self._taken(pending + data, writer)[-MOST_BUFFERED:]
                await writer.drain()
        except OSError:
            return
        finally:
            writer.close()

    def _taken(self, pending: bytes, writer: asyncio.StreamWriter) -> bytes:
        """Carries out what is whole of these bytes; returns the rest."""
        while True:
            asked, begun = pending.find(STATUS), pending.find(BEGIN)
            if asked >= 0 and (begun < 0 or asked < begun):
                pending = pending[asked + len(STATUS) :]
                if self.mode is not Mode.MUTE:
                    writer.write(self.status())
            elif begun >= 0 and (end := pending.find(END, begun)) >= 0:
                whole, pending = pending[begun : end + len(END)], pending[end + len(END) :]
                if self.mode is not Mode.MUTE:
                    self._buffer.append(whole)
            else:
                return pending

    def status(self) -> bytes:
        """The answer to `~HS`, by the ZPL II Programming Guide."""
        mode = self.mode
        media, head, paused = mode is Mode.MEDIA_OUT, mode is Mode.HEAD_OPEN, mode is Mode.PAUSED
        left = len(self._buffer) + self._printing
        lines = (
            f"030,{media:d},{paused:d},0203,{left:03d},0,0,0,000,0,0,0",
            f"000,0,{head:d},0,0,2,4,0,{int(self._printing):08d},1,000",
            "1234,0",
        )
        return b"".join(b"\x02" + line.encode("ascii") + b"\x03\r\n" for line in lines)

    async def _print(self) -> None:
        while True:
            await asyncio.sleep(LOOKED_EVERY)
            while self._buffer and self.mode in {Mode.READY, Mode.HALF}:
                self._printing = True
                await asyncio.sleep(PRINTING)
                self._put(self._buffer.popleft(), half=self.mode is Mode.HALF)
                self._printing = False

    def _put(self, label: bytes, *, half: bool) -> None:
        self._count += 1
        if half:
            (self._folder / f"{self._count:04d}.half.zpl").write_bytes(label[: len(label) // 2])
            self.set_mode(Mode.MEDIA_OUT)
        else:
            (self._folder / f"{self._count:04d}.zpl").write_bytes(label)


async def serve(folder: Path, port: int, tell: Callable[[int], object]) -> None:
    """Serves until SIGINT or SIGTERM. The port stands in the file `port` of the folder."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with VirtualPrinter.serving(folder, port=port) as printer:
        begun = folder / f".{PORT_FILE}"
        begun.write_text(str(printer.port), encoding="ascii")
        begun.replace(folder / PORT_FILE)
        tell(printer.port)
        await stop.wait()
