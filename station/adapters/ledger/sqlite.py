# SPDX-License-Identifier: Apache-2.0
"""The ledger as an SQLite file: opens it, for one writing process and any number of readers.

SQLite before 3.51.3 can corrupt a file that two connections write (sqlite.org/wal.html, "WAL-reset bug"): there is one.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import structlog
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from station.adapters.ledger import chain, driver, recording, schema, scrubbing
from station.adapters.ledger.register import folder_for
from station.adapters.ledger.station_keys import StationKeys
from station.adapters.ledger.troubles import is_held, unavailable
from station.adapters.system import file_lock
from station.faults.line import LedgerUnavailable

log = structlog.get_logger()

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "trusted_schema=OFF",
    "secure_delete=ON",  # overwrites what is deleted
    "temp_store=MEMORY",  # no page's earlier content in a temporary file
)


class Gate(Protocol):
    """A check that may refuse a ledger before the station writes into it."""

    def before(self) -> None:
        """Called before the file is made, if there is none."""

    def opened(self, connection: Connection) -> None:
        """Called before the tables are made or brought up to date."""


@contextmanager
def writing(path: Path, gate: Gate | None = None, keys: StationKeys | None = None) -> Iterator[Connection]:
    """The only writing connection, its tables up to date; what it writes gets lines of the ledger's chain.

    Raises `LedgerUnavailable`, also while another process has it. Also raises `LedgerDamaged`, and the gate's refusals.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(_held(path))
            if gate is not None:
                gate.before()
            stack.enter_context(_held_itself(path))
            engine = _engine(path, "rw", begin=driver.BEGIN_TO_WRITE, pragmas=_PRAGMAS)

            def prepare(opened: Connection) -> None:
                if gate is not None:
                    gate.opened(opened)
                schema.upgrade(opened, keys or StationKeys.of(folder_for(path, None), path))
                scrubbing.finish(opened, path)
                with opened.begin():
                    recording.begin(opened)

            connection = stack.enter_context(_waited_for(path, engine, prepare))
            recording.listen(connection)
        except (OSError, SQLAlchemyError, schema.Refused) as exc:
            raise unavailable(path, exc) from exc
        yield connection


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Excludes all other writing processes for the block. The ledger must exist; raises `LedgerUnavailable`."""
    try:
        with _held(path), _held_itself(path):
            yield
    except OSError as exc:
        raise unavailable(path, exc) from exc


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A read-only connection that sees one state of the ledger; raises `LedgerUnavailable`."""
    if not path.is_file():
        raise LedgerUnavailable(f"there is no ledger at {path}")
    try:
        with _reader(path.absolute()).connect() as connection:
            yield connection
    except (SQLAlchemyError, sqlite3.Error) as exc:
        raise unavailable(path, exc) from exc


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns database errors of the block into `LedgerUnavailable` or `LedgerDamaged`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as exc:  # of the driver itself: the chain is read without SQLAlchemy
        raise unavailable(path, exc) from exc


@lru_cache(maxsize=8)
def _reader(path: Path) -> Engine:
    """Opens a connection for each use, and keeps the compiled statements: making one takes ten times as long as a look."""
    return _engine(path, "ro", begin="BEGIN", pragmas=("busy_timeout=5000", "trusted_schema=OFF"))


def _engine(path: Path, mode: str, *, begin: str, pragmas: tuple[str, ...]) -> Engine:
    def connect() -> sqlite3.Connection:
        address = f"file:{quote(str(path.absolute()))}?mode={mode}"
        # One thread opens the connection and another uses it, never two at once. Without an isolation level the module
        # leaves BEGIN to us.
        return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)

    # A statement's parameters may be secret and stay out of messages.
    engine = create_engine(URL.create("sqlite"), creator=connect, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _(connection: DBAPIConnection, _record: object) -> None:
        with closing(connection.cursor()) as cursor:
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        if not chain.driver(connection).in_transaction:  # else it joins the writer's
            driver.execute_alone(connection, begin)

    return engine


def _waited_for(path: Path, engine: Engine, prepare: Callable[[Connection], None]) -> Connection:
    """A prepared connection. If another program held the file for as long as SQLite waits, it waits once more."""
    for again in (True, False):
        with ExitStack() as undo:
            try:
                connection = undo.enter_context(engine.connect())
                prepare(connection)
            except OperationalError as exc:
                if not again or not is_held(exc):
                    raise
                log.warning("ledger.awaited", reason=unavailable(path, exc).evidence["reason"])
            else:
                undo.pop_all()
                return connection
    raise AssertionError("the second try returns or raises")


@contextmanager
def _held_itself(path: Path) -> Iterator[None]:
    """Locks the ledger's own file for the block, so that another name of the file is locked, too.

    SQLite's locks are of another kind (fcntl), and a process loses them when it closes any descriptor of the file. So
    this descriptor is opened before SQLite opens the file, and closed after SQLite has closed it. If there is no file,
    it is made, for this account only; SQLite gives its companions the same mode.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        file_lock.lock(descriptor)
    except file_lock.LockHeld as exc:
        raise LedgerUnavailable(f"{exc.holder} is writing it: {path} itself is locked") from exc
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Locks the lock file beside the ledger, for the block."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = file_lock.lock_file(lock, _opened)
    except file_lock.LockHeld as exc:
        raise LedgerUnavailable(f"{exc.holder} is writing it: {lock} is locked") from exc
    try:
        yield
    finally:
        file_lock.give_back(lock, descriptor)


def _opened(lock: Path) -> int:
    return os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
