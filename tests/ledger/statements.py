# SPDX-License-Identifier: Apache-2.0
"""Records the SQL statements that run during a test, SQLite's plans for them, their number of steps, and the durable transactions."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

from station.adapters.ledger import driver

WRITER = "ledger"  # the thread's name
# A partial index of the few waiting rows: scanning it visits only the requested rows.
OF_THE_FEW = ("ix_attempt_open", "ix_pki_request_unanswered")


@dataclass
class Statements:
    """Every statement that the writer's thread has executed, with the values of its first execution."""

    executed: dict[str, object] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def collected(cls) -> Iterator["Statements"]:
        found = cls()

        def note(*told: object) -> None:
            _connection, _cursor, statement, parameters, *_ = told
            if threading.current_thread().name == WRITER:
                found.executed.setdefault(str(statement), parameters)

        def noted(connection: Connection, text: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
            note(connection, None, text, tuple(values))
            return driver.execute_alone(connection, text, values)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            with patch.object(driver, "execute", noted):
                yield found
        finally:
            event.remove(Engine, "before_cursor_execute", note)

    def walks(self, path: Path) -> list[str]:
        """The statements that visit all rows of a table or of an index, or sort their result, with SQLite's plan."""
        with closing(sqlite3.connect(path)) as connection:
            plans = {statement: _plan(connection, statement, values) for statement, values in self.executed.items()}
        return [f"{statement}\n{plan}" for statement, plan in plans.items() if any(map(_walks, plan))]


def _plan(connection: sqlite3.Connection, statement: str, values: object) -> list[str]:
    if not statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
        return []
    assert isinstance(values, tuple | dict)
    return [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


def _walks(line: str) -> bool:
    scans = line.startswith("SCAN") and line != "SCAN CONSTANT ROW" and not any(name in line for name in OF_THE_FEW)
    return scans or "TEMP B-TREE" in line


@dataclass
class Work:
    """Counts how often SQLite runs a loop of a statement: the visited rows, not the time."""

    rounds: int = 0

    @classmethod
    @contextmanager
    def counted(cls) -> Iterator["Work"]:
        """Counts on all connections that are opened in the block."""
        found = cls()

        def count() -> int:
            found.rounds += 1
            return 0

        def watch(connection: DBAPIConnection, _record: object) -> None:
            assert isinstance(connection, sqlite3.Connection)
            connection.set_progress_handler(count, 1)

        event.listen(Engine, "connect", watch)
        try:
            yield found
        finally:
            event.remove(Engine, "connect", watch)


@dataclass
class Durable:
    """Counts the transactions that change something, each of which waits for the disk."""

    transactions: int = 0

    @classmethod
    @contextmanager
    def counted(cls) -> Iterator["Durable"]:
        found = cls()
        changes: dict[int, int] = {}

        def count(connection: Connection) -> None:
            file: object = connection.connection.dbapi_connection
            assert isinstance(file, sqlite3.Connection)
            found.transactions += changes.get(id(file), file.total_changes) != file.total_changes
            changes[id(file)] = file.total_changes

        event.listen(Engine, "commit", count)
        try:
            yield found
        finally:
            event.remove(Engine, "commit", count)
