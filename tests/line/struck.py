# SPDX-License-Identifier: Apache-2.0
"""`station`, which kills itself with SIGKILL at a moment: `python -m tests.line.struck run --config …`, with the moment's name in a file.

The moments lie around commits of the ledger and bytes for others, and are seen at the libraries that make them: SQLAlchemy, asyncio,
aiohttp, and paho and aiomqtt. Each moment that is passed is written down, so that none is missing from `tests/line/kills.py`.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import aiohttp
import aiomqtt
from paho.mqtt.client import Client as PahoClient
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor

from station import __main__ as station
from station.adapters.outbox import pump
from station.domain.labelling import LabelEvent

FOLDER = "STRUCK_FOLDER"
STRIKE, PASSED = "strike", "passed"
BEGIN_OF_LABEL = b"^XA"
_one = threading.Lock()


def passing(folder: Path, moment: str, strike: Callable[[], None]) -> None:
    """Writes the moment down, and strikes if it is the one."""
    with _one:
        with (folder / PASSED).open("a", encoding="ascii") as passed:
            passed.write(f"{moment}\n")
        if not is_next(folder, moment):
            return
        (folder / STRIKE).unlink()
    strike()


def is_next(folder: Path, moment: str) -> bool:
    """Whether this is the moment to strike at."""
    try:
        return (folder / STRIKE).read_text(encoding="ascii") == moment
    except FileNotFoundError:
        return False


def _watch_commits(at: Callable[[str], None]) -> None:
    """What a transaction of the ledger writes about labels and messages, by the names in the table of moments."""
    written: list[str] = []

    @event.listens_for(Engine, "before_cursor_execute")
    def execute(
        _connection: Connection, cursor: DBAPICursor, statement: str, parameters: object, _context: object, many: object
    ) -> None:
        rows = parameters if many and isinstance(parameters, list) else [parameters]
        for row in rows:
            values = tuple(row) if isinstance(row, tuple | list) else ()
            if statement.startswith("INSERT INTO outbox "):
                written.append("the verdict")
            elif statement.startswith("INSERT INTO label_event "):
                written.extend(str(value) for value in values if value in set(LabelEvent))
            elif statement.startswith("UPDATE outbox SET ") and "tries=(" in statement:
                written.append(f"{_deed(statement)} {_sink(cursor, values[-1])}")

    def taken(_: DBAPIConnection) -> list[str]:
        now = list(dict.fromkeys(written))
        written.clear()
        return now

    watch_commits(taken, at)


def watch_commits(added: Callable[[DBAPIConnection], list[str]], at: Callable[[str], None]) -> None:
    """Passes the moments before and after each commit of what a transaction has `added`."""
    commit = SQLiteDialect_pysqlite.do_commit

    def do_commit(dialect: SQLiteDialect_pysqlite, connection: DBAPIConnection) -> None:
        now = added(connection)
        for each in now:
            at(f"before {each}")
        commit(dialect, connection)  # type: ignore[no-untyped-call]  # the library has no type for it
        for each in now:
            at(f"after {each}")

    patch.object(SQLiteDialect_pysqlite, "do_commit", do_commit).start()


def _deed(statement: str) -> str:
    if "sent_at=" in statement:
        return "delivered to"
    return "given up at" if "dead_at=" in statement else "postponed at"


def _sink(cursor: DBAPICursor, number: object) -> str:
    found = cursor.connection.execute("SELECT sink FROM outbox WHERE id = ?", (number,)).fetchone()
    return str(found[0])


def _watch_labels(folder: Path, at: Callable[[str], None]) -> None:
    """The bytes of a label, which a killed daemon has sent in part or as a whole."""
    write = asyncio.StreamWriter.write

    def watched(writer: asyncio.StreamWriter, data: bytes) -> None:
        if not data.startswith(BEGIN_OF_LABEL):
            write(writer, data)
            return
        at("before the label")
        for moment, part in (("half of the label", data[: len(data) // 2]), ("after the label", data)):
            if is_next(folder, moment):  # at once: the loop would send it only later
                os.write(writer.get_extra_info("socket").fileno(), part)
            at(moment)
        write(writer, data)

    patch.object(asyncio.StreamWriter, "write", watched).start()


def _watch_receivers(at: Callable[[str], None]) -> None:
    request, publish = aiohttp.ClientSession._request, aiomqtt.Client.publish  # noqa: SLF001  all requests go through it
    confirmed = PahoClient._handle_pubackcomp  # noqa: SLF001  before it the broker has the message, and nobody knows
    under_way: set[bool] = set()

    async def requested(session: aiohttp.ClientSession, method: str, *args: object, **more: object) -> object:
        if method != "POST" or "webhook-id" not in {str(name).lower() for name in dict(more.get("headers") or {})}:  # type: ignore[call-overload]
            return await request(session, method, *args, **more)  # type: ignore[arg-type]
        at("before the webhook's POST")
        answer = await request(session, method, *args, **more)  # type: ignore[arg-type]
        at("after the webhook's answer")
        return answer

    async def published(client: aiomqtt.Client, topic: str, *args: object, **more: object) -> None:
        if not topic.endswith("/attempt"):
            await publish(client, topic, *args, **more)  # type: ignore[arg-type]
            return
        at("before the PUBLISH")
        under_way.add(True)
        try:
            await publish(client, topic, *args, **more)  # type: ignore[arg-type]
        finally:
            under_way.clear()
        at("after the PUBACK")

    def acknowledged(client: PahoClient, kind: Literal["PUBACK", "PUBCOMP"]) -> object:
        if under_way:
            at("in the broker's hands")
        return confirmed(client, kind)

    patch.object(aiohttp.ClientSession, "_request", requested).start()
    patch.object(aiomqtt.Client, "publish", published).start()
    patch.object(PahoClient, "_handle_pubackcomp", acknowledged).start()


def watch(folder: Path, at: Callable[[str], None]) -> None:
    """Has all moments of this process told from now on."""
    _watch_commits(at)
    _watch_labels(folder, at)
    _watch_receivers(at)


def main() -> None:
    folder = Path(os.environ[FOLDER])

    def at(moment: str) -> None:
        passing(folder, moment, lambda: os.kill(os.getpid(), signal.SIGKILL))

    pump.MOST_REFUSALS = 1  # ten of them take nine minutes
    watch(folder, at)
    station.main()


if __name__ == "__main__":
    main()
