# SPDX-License-Identifier: Apache-2.0
"""Errors in writing the ledger's file: whether a further try may help, which process holds the file, and the fault."""

import os
import sqlite3
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from station.adapters.ledger import soundness
from station.faults import LineFault
from station.faults.line import LedgerDamaged, LedgerUnavailable

LOCKS = Path("/proc/locks")

# SQLite's primary codes (sqlite.org/rescode.html) after which a further try may succeed. After all others none can.
_HELD = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_MENDING = _HELD | {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_CANTOPEN,  # one of its companions, for want of a descriptor
    sqlite3.SQLITE_READONLY,  # a file system that was mounted again after an error
    sqlite3.SQLITE_PROTOCOL,  # too many collisions with the locks of other connections
}


def mends_itself(exc: Exception) -> bool:
    """Whether the same statements may succeed later."""
    return isinstance(exc, OSError) or _code(exc) in _MENDING


def is_held(exc: Exception) -> bool:
    """Whether another program has the file."""
    return _code(exc) in _HELD


def unavailable(path: Path, exc: Exception) -> LineFault:
    """The fault, with the file, the reason and, if the kernel shows it, the program that holds the file."""
    reason = exc.orig if isinstance(exc, DBAPIError) else exc
    if soundness.is_damage(exc):
        return LedgerDamaged(str(path), str(reason))
    holder = _holder(path) if is_held(exc) else None
    return LedgerUnavailable(f"{path}: {reason}{f' by {holder}' if holder else ''}")


def _code(exc: Exception) -> int | None:
    """SQLite's primary result code; None for an error that is not SQLite's."""
    original = exc.orig if isinstance(exc, DBAPIError) else exc
    code = getattr(original, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def _holder(path: Path) -> str | None:
    """The process that holds a lock to write on the file or on the shared memory beside it, as the kernel lists it.

    Does not open the file: closing it would release the locks that SQLite has on it in this process.
    """
    try:
        # a program that has the whole ledger for itself needs no shared memory
        beside = path.with_name(f"{path.name}-shm")
        files = {_as_listed(file) for file in (path, beside) if file.exists()}
        for line in LOCKS.read_text(encoding="ascii").splitlines():
            match line.split():  # proc(5): number, class, mode, type, process, file, from, to
                case [_, "POSIX", _, "WRITE", process, locked, *_] if locked in files and process != str(os.getpid()):
                    return f"process {process} ({Path('/proc', process, 'comm').read_text(encoding='utf-8').strip()})"
    except OSError:  # the system is not Linux, or the process has ended
        return None
    return None


def _as_listed(file: Path) -> str:
    found = file.stat()
    return f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
