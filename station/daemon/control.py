# SPDX-License-Identifier: Apache-2.0
"""The control socket of the running daemon: one JSON object per line, one answer per question.

A socket's path is limited to 107 bytes, so the socket is opened through its folder's descriptor.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog
from pydantic import BaseModel

from station.adapters.system import peer

log = structlog.get_logger()

MAX_LINE = 1 << 20
ANSWERED_WITHIN = 5.0

Answer = Mapping[str, object] | BaseModel
Command = Callable[[Mapping[str, object]], Awaitable[Answer]]
"""Gets the question; its key `who` is the client's account, whatever the client wrote there."""


class DaemonAbsent(Exception):
    """No daemon answers at this control socket."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"no daemon answers at {path}: is `station run` up, with this configuration?")


class DaemonMute(DaemonAbsent):
    """A daemon is running, but ended the connection before it answered."""

    def __init__(self, path: Path) -> None:
        Exception.__init__(
            self, f"the daemon at {path} closes the connection without an answer: it may be out of file descriptors"
        )


class CommandRefused(Exception):
    """The daemon refuses the command; the text gives the reason."""


class SubjectUnknown(CommandRefused):
    """The daemon has nothing of the name that the command gives: wrong usage, and nothing was done."""


@asynccontextmanager
async def serving(path: Path, commands: Mapping[str, Command]) -> AsyncIterator[None]:
    """Serves commands at `path` for the block, to this account only."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            who = peer.account(writer.get_extra_info("socket"))
            while line := await reader.readline():
                answer = await _answer(line, who, commands)
                text = answer.model_dump_json() if isinstance(answer, BaseModel) else json.dumps(answer)
                writer.write(text.encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):  # the client went away, or sent an endless line
            log.info("control.closed")
        finally:
            writer.close()

    path.unlink(missing_ok=True)
    with _short(path) as address:
        server = await asyncio.start_unix_server(converse, address, limit=MAX_LINE)
    try:
        path.chmod(0o600)
        async with server:
            yield
    finally:
        path.unlink(missing_ok=True)


async def _answer(line: bytes, who: str, commands: Mapping[str, Command]) -> Answer:
    try:
        question = {**json.loads(line), "who": who}
        command = commands[question["command"]]
    except (ValueError, TypeError, KeyError, RecursionError):  # endlessly nested brackets
        return {"error": f"not a command; there are {', '.join(sorted(commands))}"}
    try:
        return await command(question)
    except CommandRefused as exc:
        return {"error": str(exc), "unknown": isinstance(exc, SubjectUnknown)}


def ask(path: Path, command: str, **arguments: object) -> dict[str, object]:
    """Sends one command and returns the daemon's answer; raises `DaemonAbsent`, `CommandRefused` or `SubjectUnknown`."""
    return ask_patiently(path, command, ANSWERED_WITHIN, arguments)


def ask_patiently(path: Path, command: str, within: float, arguments: Mapping[str, object]) -> dict[str, object]:
    """`ask`, for an answer that may take so many seconds."""
    try:
        with socket.socket(socket.AF_UNIX) as connection, _short(path) as address:
            connection.settimeout(within)
            connection.connect(address)
            answer = _answered(path, connection, {"command": command, **arguments})
    except (OSError, ValueError) as exc:
        raise DaemonAbsent(path) from exc
    if "error" in answer:
        raise (SubjectUnknown if answer.get("unknown") else CommandRefused)(str(answer["error"]))
    return dict(answer)


def _answered(path: Path, connection: socket.socket, question: Mapping[str, object]) -> dict[str, object]:
    try:
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile("rb") as lines:
            line = lines.readline(MAX_LINE)
    except ConnectionError as exc:
        raise DaemonMute(path) from exc
    if not line:
        raise DaemonMute(path)
    return dict(json.loads(line))


@contextmanager
def _short(path: Path) -> Iterator[str]:
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        with contextlib.suppress(OSError):
            os.close(folder)
