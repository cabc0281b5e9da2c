# SPDX-License-Identifier: Apache-2.0
"""A backup of a ledger: one file and its key, of one moment, while the daemon goes on writing."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from station.adapters.ledger import durable, incarnations, soundness, sqlite
from station.adapters.ledger.pairing import PairingKey, key_file
from station.adapters.ledger.register import Backup, Register
from station.adapters.ledger.tables import iso
from station.faults.line import LedgerUnavailable


@dataclass(frozen=True, slots=True)
class Written:
    """The files of a backup, and their content."""

    path: Path
    key: Path
    identities: int
    size: int


def write(path: Path, destination: Path, register: Register) -> Written:
    """Copies the ledger at `path` and its key to a place where no file exists yet.

    Raises `FileExistsError`, `LedgerUnavailable`, or `LedgerDamaged` if the copy is damaged; then leaves no file
    behind.
    """
    key = key_file(destination)
    with sqlite.reading(path) as connection, _claimed(destination), _claimed(key):
        PairingKey.beside(path, connection, make=False)  # the copy's key is this ledger's key
        new = destination.with_name(f"{destination.name}.copy")
        with _claimed(new):
            _copy(connection, new)
            identities, ledger = _checked(new)
            durable.write(key, key_file(path).read_bytes())
            new.replace(destination)
            durable.settle(destination.parent)
    if ledger is not None:
        register.backed_up(ledger, Backup(iso(datetime.now(UTC)), os.path.realpath(destination), identities))
    return Written(destination, key, identities, destination.stat().st_size)


@contextmanager
def _claimed(file: Path) -> Iterator[None]:
    """A new file of this name that only this account may read; removed again if the block fails."""
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _copy(connection: Connection, new: Path) -> None:
    """SQLite's online backup, in one read transaction. The copy has a rollback journal, so that it is one file."""
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as exc:
        raise LedgerUnavailable(f"{new}: {exc}") from exc
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checked(new: Path) -> tuple[int, str | None]:
    """The number of identities in the copy, and the id of its ledger; raises `LedgerDamaged`."""
    with sqlite.reading(new) as connection:
        soundness.check(connection, new)
        with connection.begin():
            standing = incarnations.standing(connection)
            return incarnations.given_out(connection), None if standing is None else standing.ledger
