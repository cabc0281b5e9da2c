# SPDX-License-Identifier: Apache-2.0
"""The network between stations and a PostgreSQL server, which fails as it is told. A thread with its own loop.

Each station has its own way: a unix socket, whose mode a test may change at any moment.
"""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.builders.postgresql import OWNER, PORT, Server

AT_ONCE = 1 << 16  # bytes
WITHIN = 120.0  # seconds, on a slow machine


class Mode(Enum):
    """What a way does with bytes and connections."""

    OK = "ok"
    REFUSE = "refuse"
    """Connections are cut, and new ones refused."""
    HOLE = "hole"
    """Nothing passes, not even the end of a connection."""
    DEAF = "deaf"
    """The server hears the station; what it answers is lost."""
    COMMIT = "commit"
    """The server carries a COMMIT out; its answer is lost and the connection is cut. All else passes."""


CARRIES_QUESTIONS = frozenset({Mode.OK, Mode.DEAF, Mode.COMMIT})
CARRIES_ANSWERS = frozenset({Mode.OK, Mode.COMMIT})


class Answers:
    """Cuts what a server says into messages: a letter, four bytes of length that count themselves, content.

    https://www.postgresql.org/docs/15/protocol-message-formats.html
    """

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Takes bytes, in pieces of any size, and returns the messages that have become whole."""
        self._partial += data
        whole = []
        while len(self._partial) >= 5 and len(self._partial) >= (end := 1 + int.from_bytes(self._partial[1:5])):
            whole.append(bytes(self._partial[:end]))
            del self._partial[:end]
        return whole


def commits(answer: bytes) -> bool:
    """Whether a message is the CommandComplete of a COMMIT, whether it was asked as a query or in the extended protocol."""
    return answer[:1] == b"C" and answer[5:] == b"COMMIT\0"


class Connection:
    """One connection of a station, carried to the server. A connection that has lost bytes carries nothing any more."""

    def __init__(self, way: "Way", station: asyncio.StreamWriter) -> None:
        self._way = way
        self._station = station
        self._server: asyncio.StreamWriter | None = None
        self._ended = asyncio.Event()
        self.questions_lost = False
        self.answers_lost = False

    async def carry(self, questions: asyncio.StreamReader) -> None:
        """Carries bytes until an end of the connection has passed, or until it is cut."""
        try:
            if self._way.mode in CARRIES_QUESTIONS:
                answers, self._server = await asyncio.open_unix_connection(self._way.server)
                async with asyncio.TaskGroup() as group:
                    carrying = [
                        group.create_task(self._questions(questions, self._server)),
                        group.create_task(self._answers(answers)),
                    ]
                    await self._ended.wait()
                    for task in carrying:
                        task.cancel()
            else:
                self.questions_lost = True
                await self._ended.wait()
        except OSError:  # the server is away
            self.cut()
        finally:
            for writer in (self._station, self._server):
                if writer is not None:
                    writer.close()

    async def _questions(self, questions: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await _read(questions):
            self.questions_lost |= self._way.mode not in CARRIES_QUESTIONS
            if self.questions_lost:
                self._way.counts["questions lost"] += 1
            else:
                self._way.counts["questions"] += 1
                await _write(server, data)
        self.questions_lost |= self._way.mode not in CARRIES_QUESTIONS
        self._end(lost=self.questions_lost)

    async def _answers(self, answers: asyncio.StreamReader) -> None:
        cutter = Answers()
        while data := await _read(answers):
            for message in cutter.feed(data):
                await self._answer(message)
        self.answers_lost |= self.questions_lost or self._way.mode not in CARRIES_ANSWERS
        self._end(lost=self.answers_lost)

    async def _answer(self, message: bytes) -> None:
        self.answers_lost |= self.questions_lost or self._way.mode not in CARRIES_ANSWERS
        if self.answers_lost:
            self._way.counts["answers lost"] += 1
        elif self._way.mode is Mode.COMMIT and commits(message):
            self.answers_lost = True
            self._way.counts["commits lost"] += 1
            self._ended.set()
        else:
            self._way.counts["answers"] += 1
            await _write(self._station, message)

    def _end(self, *, lost: bool) -> None:
        if lost:
            self._way.counts["ends lost"] += 1
        else:
            self._ended.set()

    @property
    def lossy(self) -> bool:
        return self.questions_lost or self.answers_lost

    def cut(self) -> None:
        """Ends the connection for both sides, and drops what is still on its way."""
        for writer in (self._station, self._server):
            if writer is not None:
                writer.transport.abort()
        self._ended.set()


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Reads what has come; nothing at the end of the connection, however it ended."""
    try:
        return await reader.read(AT_ONCE)
    except ConnectionError:
        return b""


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Writes; the side that has gone is noticed where its bytes are read."""
    if writer.is_closing():
        return
    writer.write(data)
    with suppress(ConnectionError):
        await writer.drain()


class Way:
    """One station's way to the server, at first a good one.

    `counts` has what has passed and what was lost: `connections`; `questions`, pieces of any size, and `questions lost`;
    `answers`, messages of the server, and `answers lost`; `ends lost`, `commits lost`.
    """

    def __init__(self, network: "Network", folder: Path, server: Path) -> None:
        self.server = server
        self.mode = Mode.OK
        self.counts: Counter[str] = Counter()
        self._network = network
        self._folder = folder
        self._socket = folder / f".s.PGSQL.{PORT}"
        self._listener: asyncio.Server | None = None
        self._refusing: socket.socket | None = None
        self._connections: set[Connection] = set()

    def dsn(self, database: str = OWNER, user: str = OWNER) -> str:
        """The connection string of libpq for one database, by this way."""
        return f"host={self._folder} port={PORT} dbname={database} user={user}"

    def become(self, mode: Mode) -> None:
        """Changes the mode. Connections that have lost bytes are cut when answers can pass again."""
        self._network.do(lambda: self._become(mode))

    async def until(self, count: str, least: int = 1) -> None:
        """Returns when a count has been reached."""
        async with asyncio.timeout(WITHIN):
            while self.counts[count] < least:
                await asyncio.sleep(0.005)

    async def _become(self, mode: Mode) -> None:
        self.mode = mode
        for connection in tuple(self._connections):
            if mode is Mode.REFUSE or (mode in CARRIES_ANSWERS and connection.lossy):
                connection.cut()
        if mode is Mode.REFUSE:
            self.close()
            self._socket.unlink()
            self._refusing = socket.socket(socket.AF_UNIX)  # bound, so the file is there, and nobody listens
            self._refusing.bind(str(self._socket))
        elif self._listener is None:
            await self.open()

    async def open(self) -> None:
        """Listens for the station."""
        self.close()
        self._socket.unlink(missing_ok=True)
        self._listener = await asyncio.start_unix_server(self._accept, self._socket)

    def close(self) -> None:
        """Listens no more; connections stay."""
        for listener in (self._listener, self._refusing):
            if listener is not None:
                listener.close()
        self._listener = self._refusing = None

    async def end(self) -> None:
        """Cuts all connections, and returns when none is left."""
        self.close()
        while self._connections:
            for connection in self._connections:
                connection.cut()
            await asyncio.sleep(0.005)

    async def _accept(self, questions: asyncio.StreamReader, station: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        connection = Connection(self, station)
        self._connections.add(connection)
        try:
            await connection.carry(questions)
        finally:
            self._connections.remove(connection)


class Network:
    """The ways of any number of stations to one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ways: dict[str, Way] = {}
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="network")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.result().call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def way(self, station: str) -> Way:
        """Opens a way for one more station. Its name becomes a part of a socket's name, so it is short."""
        folder = self._server.folder / "net" / station
        folder.mkdir(parents=True)
        way = self._ways[station] = Way(self, folder, self._server.socket)
        self.do(way.open)
        return way

    def do(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Does something on the network's loop; returns when it is done."""
        asyncio.run_coroutine_threadsafe(work(), self._loop.result(WITHIN)).result(WITHIN)

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._loop.set_result(asyncio.get_running_loop())
        await self._stop.wait()
        for way in self._ways.values():
            await way.end()
