# SPDX-License-Identifier: Apache-2.0
"""The executable in place of STM32_Programmer_CLI: a small script that passes its arguments to the bench.

The station starts, reads and kills a real process; the server does the work.
"""

import asyncio
import shlex
import sys
from pathlib import Path

from virtual_bench.bench.bench import Bench
from virtual_bench.board.stop import INTERRUPTED, KILLED, TERMINATED
from virtual_bench.hub.hub import Hub
from virtual_bench.programmer.process import Process
from virtual_bench.programmer.session import Session

EXECUTABLE = Path("STM32CubeProgrammer/bin/STM32_Programmer_CLI")
LOADER = EXECUTABLE.parent / "ExternalLoader" / "S25FL128S_STM32WB5MM-DK.stldr"
# Callers that were written for Windows join folders by backslashes: on Linux, folder and file then make one file name.
# When ST's genFactoryData.py lists, it passes such a name through a shell, which drops the backslash and the arguments.
JOINED = (
    (EXECUTABLE.parents[1] / f"bin\\{EXECUTABLE.name}.exe", EXECUTABLE),
    (EXECUTABLE.parents[1] / f"bin\\ExternalLoader\\{LOADER.name}", LOADER),
    (EXECUTABLE.parent / f"ExternalLoader\\{LOADER.name}", LOADER),
)
LISTING = EXECUTABLE.parents[1] / "binSTM32_Programmer_CLI.exe"
END = b"\0"  # ends the output, which is text; the next byte is the exit status
SIGNALS = {2: INTERRUPTED, 15: TERMINATED}

# Its start-up is part of every cycle time, so it imports only built-in modules, and neither `site` nor encodings.
SCRIPT = """\
#!{interpreter} -IESs
import _signal, _socket, posix, sys
_signal.signal(2, _signal.SIG_DFL)
bench = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
try:
    bench.connect({socket!r})
except OSError:
    sys.exit("Error: the virtual bench of this programmer does not run: start it with virtual-bench serve --dir " + {directory!r})
words = [str(posix.getpid()), posix.getcwd(), *sys.argv[1:]]
request = b"\\0".join(word.encode("utf-8", "surrogateescape") for word in words)
_signal.pthread_sigmask(_signal.SIG_BLOCK, {{2, 15}})  # until the bench can be told, or its end would pass for a kill
bench.sendall(len(request).to_bytes(4, "little") + request, _socket.MSG_NOSIGNAL)
def stop(number, frame):
    try:
        bench.send(bytes([number]), _socket.MSG_NOSIGNAL)
    except OSError:
        pass
_signal.signal(2, stop)
_signal.signal(15, stop)
_signal.pthread_sigmask(_signal.SIG_UNBLOCK, {{2, 15}})
end = b""
while not end:
    try:
        data = bench.recv(65536)
    except OSError:
        data = b""
    if not data:
        sys.exit("Error: the virtual bench of this programmer has ended")
    text, end, status = data.partition(b"\\0")
    while text:
        try:
            text = text[posix.write(1, text):]
        except BrokenPipeError:  # whoever read this has gone; as in the tool, the work goes on
            text = b""
posix._exit((status or bench.recv(1) or b"\\1")[0])
"""


def install(directory: Path, socket: Path) -> Path:
    """Writes executable and loader below the bench's directory, under all their names; returns the executable."""
    executable = directory / EXECUTABLE
    loader = directory / LOADER
    loader.parent.mkdir(parents=True, exist_ok=True)
    loader.write_bytes(b"stands where ST's external loader stands\n")
    # The interpreter itself, since a virtual environment's link to it would first search for that environment.
    interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    script = SCRIPT.format(interpreter=interpreter, socket=str(socket), directory=str(directory))
    executable.write_text(script)
    executable.chmod(0o755)
    for name, target in JOINED:
        (directory / name).unlink(missing_ok=True)
        (directory / name).symlink_to(directory / target)
    listing = directory / LISTING
    listing.write_text(f"#!/bin/sh\nexec {shlex.quote(str(executable))} -l\n")
    listing.chmod(0o755)
    return executable


class Connection(asyncio.Protocol):
    """The server's end of one stand-in: its request, its signals, and its death."""

    def __init__(self, bench: Bench, hub: Hub) -> None:
        self._bench = bench
        self._hub = hub
        self._request = b""
        self._process: Process | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._unsent: list[bytes] = []

    # A stream socket always has a WriteTransport; isinstance cannot check it, since uvloop's are not subclasses.
    def connection_made(self, transport: asyncio.WriteTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._process is not None:
            for number in data:
                self._process.stop(SIGNALS[number])
            return
        self._request += data
        length = 4 + int.from_bytes(self._request[:4], "little")
        if len(self._request) >= length > 4:
            self._start(self._request[4:length].decode("utf-8", "surrogateescape").split("\0"))
            if rest := self._request[length:]:
                self.data_received(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        if self._process is not None:
            self._process.stop(KILLED)

    def _write(self, data: bytes) -> None:
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send)
        self._unsent.append(data)

    def _send(self) -> None:
        """Sends at once what was written at the same moment: the stand-in wakes up for each piece."""
        data, self._unsent = b"".join(self._unsent), []
        if data and self._transport is not None:  # otherwise the stand-in is gone
            self._transport.write(data)

    def _start(self, words: list[str]) -> None:
        pid, directory, *argv = words
        self._process = Process(self._bench, int(pid), Path(directory), self._write)
        self._bench.tasks.create_task(self._serve(self._process, argv), name=f"programmer {pid}")

    async def _serve(self, process: Process, argv: list[str]) -> None:
        status = await Session(self._hub, process, argv).run()
        self._write(END + bytes([status]))
        self._send()
        if self._transport is not None:
            self._transport.close()
