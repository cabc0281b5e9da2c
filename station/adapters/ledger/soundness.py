# SPDX-License-Identifier: Apache-2.0
"""Whether the ledger's file is sound, as SQLite judges it."""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from station.faults.line import LedgerDamaged


def check(connection: Connection, path: Path, *, full: bool = False) -> None:
    """Reads the whole file; raises `LedgerDamaged`.

    `full` also compares every index with its table, which takes longer.
    """
    question = "integrity_check" if full else "quick_check"
    try:
        with connection.begin():
            first = connection.exec_driver_sql(f"PRAGMA {question}(1)").scalar_one()
            strays = connection.exec_driver_sql("PRAGMA foreign_key_check").first() if full else None
    except DBAPIError as exc:
        if is_damage(exc):
            raise LedgerDamaged(str(path), str(exc.orig)) from exc
        raise
    if first != "ok":
        raise LedgerDamaged(str(path), " ".join(str(first).split()))
    if strays is not None:
        raise LedgerDamaged(str(path), f"a row of {strays[0]} belongs to none of {strays[2]}")


def is_databases_own(exc: Exception) -> bool:
    """Whether the database itself failed, such as by a full disk or a damaged page, and not only this statement.

    A damaged page is a `DatabaseError` itself, SQLAlchemy's or the driver's; broken constraints and wrong statements are
    classes under it.
    """
    return isinstance(exc, OperationalError | sqlite3.OperationalError) or type(exc) in {
        DatabaseError,
        sqlite3.DatabaseError,
    }


def is_damage(exc: Exception) -> bool:
    """Whether SQLite found the file malformed or not a database (sqlite.org/rescode.html; the low byte is the primary code)."""
    code = getattr(exc.orig if isinstance(exc, DBAPIError) else exc, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
