# SPDX-License-Identifier: Apache-2.0
"""Takes out of the ledger's files what was deleted or overwritten: SQLite leaves old content in pages and write-ahead log."""

import sqlite3
import time
from pathlib import Path

import structlog
from sqlalchemy import Connection, inspect, select, update

from station.adapters.ledger import tables

log = structlog.get_logger()

BUSY_MS = 20

_state = tables.secrets_state


def finish(connection: Connection, path: Path) -> None:
    """Writes the whole file anew if a migration left secrets in its pages, also if an earlier run was killed meanwhile.

    Called at the opening, before anybody else reads the file.
    """
    with connection.begin():
        due = inspect(connection).has_table(_state.name) and connection.scalar(select(_state.c.scrub))
    if not due:
        truncate(connection)  # a daemon that was killed leaves its log behind
        return
    log.info("ledger.scrubbing", file=str(path))
    began = time.monotonic()
    _all_written_anew(connection)
    with connection.begin():
        connection.execute(update(_state).values(scrub=False))
    truncate(connection)
    log.info("ledger.scrubbed", file=str(path), seconds=round(time.monotonic() - began, 3))


def truncate(connection: Connection) -> bool:
    """Empties the write-ahead log, with the earlier content of every page in it. False while a reader still needs it."""
    driver = _driver(connection)
    (before,) = driver.execute("PRAGMA busy_timeout").fetchone()
    driver.execute(f"PRAGMA busy_timeout={BUSY_MS}")  # the line's writes wait meanwhile
    try:
        busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        driver.execute(f"PRAGMA busy_timeout={before}")
    return not busy


def _all_written_anew(connection: Connection) -> None:
    driver = _driver(connection)
    # The copy that VACUUM makes meanwhile is as large as the ledger, and holds only what may stay.
    driver.execute("PRAGMA temp_store=FILE")
    try:
        driver.execute("VACUUM")
    finally:
        driver.execute("PRAGMA temp_store=MEMORY")
    truncate(connection)


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
