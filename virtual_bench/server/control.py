# SPDX-License-Identifier: Apache-2.0
"""The control socket: each request and each answer is one line of JSON. Server and the command line's client."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

from virtual_bench.bench.bench import Bench
from virtual_bench.board.board import Board
from virtual_bench.board.stack_image import version_text
from virtual_bench.faults.fault_file import FaultsInvalid, check_beside, read
from virtual_bench.hardware.radio_core import RadioCore
from virtual_bench.hub.hub import Hub, HubError

ANSWERED_WITHIN = 30.0
READY = "bench.json"


class BenchAbsent(Exception):
    """No bench serves that directory; the text says what to do."""


class Refused(Exception):
    """The bench did not carry out the whole request; the text says why."""


def ask(directory: Path, command: str, **arguments: object) -> list[dict[str, object]]:
    """Asks the bench that serves a directory. Raises BenchAbsent or Refused."""
    try:
        address = json.loads((directory / READY).read_text())["socket"]
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWERED_WITHIN)
            connection.connect(address)
            with connection.makefile("rw") as file:
                file.write(json.dumps({"command": command, **arguments}) + "\n")
                file.flush()
                answer = json.loads(file.readline())
    except (OSError, ValueError) as exc:
        raise BenchAbsent(
            f"no virtual bench serves {directory}: start one with `virtual-bench serve --dir {directory}`"
        ) from exc
    if "refused" in answer:
        raise Refused(answer["refused"])
    return [dict(entry) for entry in answer["done"]]


class Control(asyncio.Protocol):
    """The server's end of one client's connection."""

    def __init__(self, bench: Bench, hub: Hub) -> None:
        self._bench = bench
        self._hub = hub
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    # A stream socket always has a WriteTransport; isinstance cannot check it, since uvloop's are not subclasses.
    def connection_made(self, transport: asyncio.WriteTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._transport.write(json.dumps(self._answer(line)).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            return {"done": list(self._done(json.loads(line)))}
        except (HubError, FaultsInvalid, OSError) as exc:
            return {"refused": str(exc)}
        except (KeyError, TypeError, ValueError) as exc:
            return {"refused": f"the question makes no sense: {exc!r}"}

    def _done(self, question: dict[str, object]) -> Iterator[dict[str, object]]:  # noqa: C901, PLR0912  a case a command
        hub = self._hub
        match question:
            case {"command": "plug", "ports": list(ports), "new": bool(new), "radio": dict(radio)}:
                for port in ports or [port for port in hub.ports if not _is_plugged(hub.board(port))]:
                    yield _described(port, hub.plug(port, new=new, radio=self._radio(radio)))
            case {"command": "unplug", "ports": list(ports)}:
                for port in ports or [port for port, _ in hub.plugged()]:
                    yield _described(port, hub.unplug(port))
            case {"command": "move", "port": int(port), "to": int(to)}:
                yield _described(to, hub.move(port, to))
            case {"command": "fault", "fault": dict(fault)}:
                added = read(fault)
                check_beside([("a fault that is armed", other) for other in self._bench.armed], added)
                self._bench.armed.append(added)
            case {"command": "brown_out", "ports": list(ports)}:
                for port in ports or [port for port, _ in hub.plugged()]:
                    yield _described(port, hub.brown_out(port))
            case {"command": "dump", "ports": list(ports), "to": str(to)}:
                for port in ports or [port for port in hub.ports if hub.board(port) is not None]:
                    yield _dumped(port, hub.board(port), Path(to))
            case {"command": "status"}:
                for port in hub.ports:
                    yield {"path": hub.path(port)} | _described(port, hub.board(port))
            case _:
                raise ValueError(question)

    def _radio(self, asked: dict[str, object]) -> RadioCore | None:
        """The requested coprocessor of a fresh board; None for the bench's default."""
        if not asked:
            return None
        fus, stack = asked.get("fus", self._bench.fus), asked.get("stack", self._bench.stack)
        if not isinstance(fus, int) or not isinstance(stack, int | None):
            raise ValueError(asked)  # noqa: TRY004  as every question that makes no sense
        return RadioCore(fus, stack)


def _is_plugged(board: Board | None) -> bool:
    return board is not None and board.plugged


def _dumped(port: int, board: Board | None, to: Path) -> dict[str, object]:
    """Writes the board's memories, as a debugger reads them, into a folder with the probe's name."""
    if board is None:
        raise HubError(f"there is no board at port {port}")
    folder = to / (board.probe or board.nameplate.probe)
    folder.mkdir(parents=True, exist_ok=True)
    memories = {
        "internal.bin": board.internal.read(board.internal.base, board.internal.size),
        "qspi.bin": board.external.read(board.external.base, board.external.size),
        "ram.bin": board.core.ram(),
    }
    for name, content in memories.items():
        (folder / name).write_bytes(content)
    return {**_described(port, board), "folder": str(folder)}


def _described(port: int, board: Board | None) -> dict[str, object]:
    if board is None:
        return {"port": port, "plugged": False}
    holder = board.holder
    return {
        "port": port,
        "plugged": board.plugged,
        "board": board.nameplate.number,
        "probe": board.probe,
        "uid": board.nameplate.uid.hex(),
        "tty": board.tty if board.announced else None,
        "firmware": board.core.state() if board.plugged else None,
        "phase": board.faults.phase,
        "fus": version_text(board.radio.fus),
        "stack": None if board.radio.stack is None else version_text(board.radio.stack),
        "stack_runs": board.radio.stack_runs and board.plugged,
        "probe_state": "wedged" if board.wedged else f"held by process {holder.pid}" if holder else "free",
    }
