# SPDX-License-Identifier: Apache-2.0
"""`station`, which stands still at a moment until it is told to go on: `python -m tests.line.held run --config …`.

The moments are those of `tests/line/struck.py`, those around each commit of an attempt, by the rows that it adds, and those around each
commit of a centre. While the daemon stands still, others kill it or what it works with.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection
from sqlalchemy import PoolProxiedConnection
from sqlalchemy.engine.interfaces import DBAPIConnection

from station import __main__ as station
from tests.line import struck

REACHED, GO = "reached", "go"
WITHIN = 600.0  # of somebody who tells it to go on; nobody does if the run has died
LOOKED_EVERY = 0.005
VERDICTS = frozenset({"Passed", "Failed", "Voided"})
ROWS = {
    "the attempt": "SELECT count(*) FROM attempt",
    "the identity": "SELECT count(*) FROM identity",
    "the request": "SELECT count(*) FROM pki_request",
    "the certificate": "SELECT count(*) FROM certificate",
}
EXCHANGE = {
    "the request for numbers": "SELECT count(*) FROM pair",
    "the numbers": "SELECT count(*) FROM block",
    "the acknowledgement": "SELECT coalesce(sum(acked), 0) FROM chain_base",
}
AT_CENTRE = {
    "INSERT INTO segment ": "the lines at the centre",
    "INSERT INTO block ": "the numbers at the centre",
    "INSERT INTO unit ": "the claim at the centre",
}
"""What a transaction of the centre is, by the first of these that it asks for."""
NEWEST, ADDED = "SELECT max(id) FROM event", "SELECT type, body ->> 'step' FROM event WHERE id > ? ORDER BY id"


def hold(folder: Path) -> None:
    """Says that the moment has come, and returns when somebody has told to go on."""
    (folder / REACHED).touch()
    over = time.monotonic() + WITHIN
    while not (folder / GO).exists():
        if time.monotonic() > over:
            os._exit(1)
        time.sleep(LOOKED_EVERY)
    (folder / GO).unlink()


def passing(folder: Path, moment: str) -> None:
    """Writes the moment down, and stands still if it is the one."""
    struck.passing(folder, moment, lambda: hold(folder))


def added(connection: sqlite3.Connection) -> Iterator[str]:
    """What the open transaction adds to the ledger that a kill may lose, by names."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as committed:
        for name, count in (ROWS | EXCHANGE).items():
            if connection.execute(count).fetchone() != committed.execute(count).fetchone():
                yield name
        (newest,) = committed.execute(NEWEST).fetchone()
    for event, step in connection.execute(ADDED, (newest or 0,)):
        if event == "StepStarted":
            yield str(step)
        elif event == "FactoryDataWritten":
            yield "the factory data"
        elif event in VERDICTS:
            yield "the verdict"


def _added(connection: DBAPIConnection) -> list[str]:
    """Nothing of a connection that only reads, or before the ledger has its tables."""
    assert isinstance(connection, PoolProxiedConnection)
    driver = connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    if not driver.total_changes:
        return []
    try:
        return list(added(driver))
    except sqlite3.OperationalError:
        return []


def watch_centre(at: Callable[[str], None]) -> None:
    """Passes the moments before and after each commit of a centre, which a station may hear of or not."""
    execute, commit = AsyncConnection.execute, AsyncConnection.commit
    under_way = WeakKeyDictionary[object, str]()

    async def executed(connection: object, query: object, *args: object, **more: object) -> object:
        what = next((name for words, name in AT_CENTRE.items() if words in str(query)), None)
        if what is not None:
            under_way.setdefault(connection, what)
        return await execute(connection, query, *args, **more)  # type: ignore[call-overload]  # as it was called

    async def committed(connection: AsyncConnection) -> None:
        what = under_way.pop(connection, None)
        if what is not None:
            at(f"before {what}")
        await commit(connection)
        if what is not None:
            at(f"after {what}")

    patch.object(AsyncConnection, "execute", executed).start()
    patch.object(AsyncConnection, "commit", committed).start()


def main() -> None:
    folder = Path(os.environ[struck.FOLDER])

    def at(moment: str) -> None:
        passing(folder, moment)

    struck.watch(folder, at)
    struck.watch_commits(_added, at)
    watch_centre(at)
    station.main()


if __name__ == "__main__":
    main()
