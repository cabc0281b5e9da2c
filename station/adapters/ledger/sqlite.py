"""The ledger as an SQLite file: who may write it, and how it is opened.

SQLite before 3.51.3 can corrupt a file that two connections write (sqlite.org/wal.html, "WAL-reset bug"): there is one.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import structlog
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from station.adapters.ledger.troubles import is_held, unavailable
from station.adapters.system import file_lock
from station.faults.line import LedgerUnavailable

log = structlog.get_logger()

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000", "trusted_schema=OFF")


class Gate(Protocol):
    """Who may refuse a ledger before anything is written into it."""

    def before(self) -> None:
        """Before the file is made where there is none."""

    def opened(self, connection: Connection) -> None:
        """Before its tables are made or brought up to date."""


@contextmanager
def writing(path: Path, gate: Gate | None = None) -> Iterator[Connection]:
    """The only writing connection, its tables up to date; raises `LedgerUnavailable`, also while another process has it.

    Raises `LedgerDamaged`, and what the gate raises.
    """
    from station.adapters.ledger import migrations  # Alembic takes a quarter of a second, which readers need not spend

    with ExitStack() as stack:
        try:
            stack.enter_context(_held(path))
            if gate is not None:
                gate.before()
            stack.enter_context(_held_itself(path))
            engine = _engine(path, "rw", begin="BEGIN IMMEDIATE", pragmas=_PRAGMAS)

            def prepare(opened: Connection) -> None:
                if gate is not None:
                    gate.opened(opened)
                migrations.upgrade(opened)

            connection = stack.enter_context(_waited_for(path, engine, prepare))
        except (OSError, SQLAlchemyError, migrations.Refused) as exc:
            raise unavailable(path, exc) from exc
        yield connection


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keeps every other process from writing this ledger, which must be there, for the block; raises `LedgerUnavailable`."""
    try:
        with _held(path), _held_itself(path):
            yield
    except OSError as exc:
        raise unavailable(path, exc) from exc


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A connection that cannot write and sees one state of the ledger; raises `LedgerUnavailable`."""
    if not path.is_file():
        raise LedgerUnavailable(f"there is no ledger at {path}")
    engine = _engine(path, "ro", begin="BEGIN", pragmas=("busy_timeout=5000", "trusted_schema=OFF"))
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as exc:
        raise unavailable(path, exc) from exc


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raises what the database says in the block as `LedgerUnavailable` or `LedgerDamaged`."""
    try:
        yield
    except SQLAlchemyError as exc:
        raise unavailable(path, exc) from exc


def _engine(path: Path, mode: str, *, begin: str, pragmas: tuple[str, ...]) -> Engine:
    def connect() -> sqlite3.Connection:
        address = f"file:{quote(str(path.absolute()))}?mode={mode}"
        # It is opened in one thread and then used in another, never in two at once. Without an isolation level the
        # module leaves BEGIN to us.
        return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)

    # What a statement was executed with may be secret and stays out of messages.
    engine = create_engine(URL.create("sqlite"), creator=connect, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _(connection: DBAPIConnection, _record: object) -> None:
        with closing(connection.cursor()) as cursor:
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _waited_for(path: Path, engine: Engine, prepare: Callable[[Connection], None]) -> Connection:
    """A prepared connection; when another program has held the file for as long as SQLite waits, one more such time."""
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
    """The ledger's own file, locked for the block: over whatever name another process comes to it.

    SQLite's locks are of another kind (fcntl), and a process loses them when it closes any descriptor of the file: this one
    is opened before SQLite opens the file and closed after SQLite has closed it. Where there is no file it is made, for this
    account only; SQLite gives its companions the same mode.
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
    """Keeps every other process from writing this ledger for the block."""
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
