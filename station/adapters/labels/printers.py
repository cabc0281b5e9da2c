# SPDX-License-Identifier: Apache-2.0
"""Printers of labels: one that reads ZPL at a TCP port and answers there, a queue of CUPS, and a folder of files.

A printer is ready, or it is a fault, before anything of a label is sent. Afterwards it is asked again: what it does not
say is not proven, and counts as printed all the same.
"""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from station.adapters.system import environment
from station.adapters.system.child import Child, Patience
from station.faults.line import PrinterNotReady
from station.label import host_status, pdf, zpl
from station.label.extras import LibraryMissing
from station.label.host_status import HostStatus, HostStatusReader
from station.label.layout import Drawing
from station.label.plan import Folder, Printer, Queue, TCPPrinter

ANSWERS_WITHIN = 2.0  # seconds: a printer without media, ribbon or with an open head may say nothing at all
PRINTED_WITHIN = 15.0  # seconds for one label
ASKED_EVERY = 0.1
QUEUED_WITHIN = 10.0
READ_AT_ONCE = 4096
LP = "lp"


class Device(Protocol):
    """A printer that is ready now."""

    async def send(self, drawing: Drawing, name: str) -> str | None:
        """Prints one label. Returns None if the printer says that it is done, otherwise why that is not proven."""
        ...


def shown(printer: Printer) -> str:
    """The printer as the recipe names it."""
    match printer:
        case TCPPrinter(host, port):
            return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
        case Queue(name):
            return f"cups:{name}"
        case Folder(path):
            return f"file:{path}"


@asynccontextmanager
async def ready(printer: Printer) -> AsyncIterator[Device]:
    """The printer, for one label; raises `PrinterNotReady`. Nothing of a label was sent before the block."""
    match printer:
        case TCPPrinter():
            async with _connected(printer) as device:
                yield device
        case Queue():
            yield _Queued(printer)
        case Folder():
            yield _Filed(printer)


@asynccontextmanager
async def _connected(printer: TCPPrinter) -> AsyncIterator["_OverTCP"]:
    name = shown(printer)
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            reader, writer = await asyncio.open_connection(printer.host, printer.port)
    except TimeoutError as exc:
        raise PrinterNotReady(name, "nobody answers there") from exc
    except OSError as exc:
        raise PrinterNotReady(name, exc.strerror or "it cannot be reached") from exc
    device = _OverTCP(reader, writer)
    try:
        if (trouble := (await device.status()).trouble) is not None:
            raise PrinterNotReady(name, trouble)
        yield device
    finally:
        writer.close()


class _OverTCP:
    """A connection to a printer's raw port. A Zebra answers `~HS` out of turn, also while it prints."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def status(self) -> HostStatus:
        """The printer's answer; its silence is trouble, too."""
        answers = HostStatusReader()
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                self._writer.write(host_status.QUESTION)
                await self._writer.drain()
                while data := await self._reader.read(READ_AT_ONCE):
                    if found := answers.feed(data):
                        return found[-1]
        except TimeoutError:
            return HostStatus(f"it has not answered within {ANSWERS_WITHIN:.0f} s: media, ribbon and head", 0)
        except OSError as exc:
            return HostStatus(exc.strerror or "the connection broke", 0)
        return HostStatus("it closed the connection", 0)

    async def send(self, drawing: Drawing, name: str) -> str | None:  # noqa: ARG002  the label says whose it is
        """Sends the ZPL, then asks until nothing is left to print."""
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                self._writer.write(zpl.of(drawing))
                await self._writer.drain()
        except OSError as exc:  # a TimeoutError is one
            return exc.strerror or "it has not taken the label"
        until = time.monotonic() + PRINTED_WITHIN
        while (status := await self.status()).trouble is None:
            if status.left == 0:
                return None
            if time.monotonic() > until:
                return f"it has not printed within {PRINTED_WITHIN:.0f} s"
            await asyncio.sleep(ASKED_EVERY)
        return status.trouble


class _Queued:
    """CUPS takes the label and prints when it can: whether it has printed is not known here."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        if shutil.which(LP) is None:
            raise PrinterNotReady(shown(queue), "there is no program lp: install cups-client")
        if not pdf.available():
            raise PrinterNotReady(shown(queue), str(LibraryMissing("reportlab")))

    async def send(self, drawing: Drawing, name: str) -> str | None:
        """The PDF goes over standard input, from memory: it is in no file of ours."""
        content = await asyncio.to_thread(pdf.of, drawing)
        memory = os.memfd_create("label")
        try:
            os.write(memory, content)
            os.lseek(memory, 0, os.SEEK_SET)
            command = (LP, "-d", self._queue.name, "-t", name, "-")
            return await _run(command, memory)
        finally:
            os.close(memory)


async def _run(command: tuple[str, ...], reads: int) -> str | None:
    running = Child.started(
        command,
        environment=environment.for_others("USER", "CUPS_SERVER"),
        gone=asyncio.Event(),
        patience=Patience(1.0, 1.0),
        reads=reads,
    )
    try:
        async with asyncio.timeout(QUEUED_WITHIN), running as child:
            said = [line async for line in child.lines()]
            status = await child.ended()
    except TimeoutError:
        return f"lp has not ended within {QUEUED_WITHIN:.0f} s"
    except OSError as exc:
        return exc.strerror or "lp cannot be started"
    return None if status == 0 else f"lp ended with {status}: {' '.join(said)[:200]}"


class _Filed:
    """A folder: the file is there as a whole or not at all."""

    def __init__(self, folder: Folder) -> None:
        self._folder = Path(folder.path)
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise PrinterNotReady(shown(folder), "there is no such folder that the station may write to")

    async def send(self, drawing: Drawing, name: str) -> str | None:
        try:
            await asyncio.to_thread(self._write, name, zpl.of(drawing))
        except OSError as exc:
            return exc.strerror or "the file cannot be written"
        return None

    def _write(self, name: str, content: bytes) -> None:
        begun = self._folder / f".{name}.part"
        descriptor = os.open(begun, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        begun.rename(self._folder / f"{name}.zpl")
