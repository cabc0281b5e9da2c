"""The ledger as an SQLite file: who may write it, and how it is opened.

SQLite before 3.51.3 can corrupt a file that two connections write (sqlite.org/wal.html, "WAL-reset bug"): there is one.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import structlog
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from station.adapters.ledger.troubles import is_held, unavailable
from station.faults.line import LedgerUnavailable

log = structlog.get_logger()

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000", "trusted_schema=OFF")


@contextmanager
def writing(path: Path) -> Iterator[Connection]:
    """The only writing connection, its tables up to date; raises `LedgerUnavailable`, also while another process has it."""
    from station.adapters.ledger import migrations  # Alembic takes a quarter of a second, which readers need not spend

    with ExitStack() as stack:
        try:
            stack.enter_context(_held(path))
            _make_private(path)
            engine = _engine(path, "rw", begin="BEGIN IMMEDIATE", pragmas=_PRAGMAS)
            connection = stack.enter_context(_waited_for(path, engine, migrations.upgrade))
        except (OSError, SQLAlchemyError, migrations.Refused) as exc:
            raise unavailable(path, exc) from exc
        yield connection


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
                log.warning("ledger.awaited", reason=unavailable(path, exc).reason)
            else:
                undo.pop_all()
                return connection
    raise AssertionError("the second try returns or raises")


def _make_private(path: Path) -> None:
    """The file before SQLite makes it, for this account only; SQLite gives its companions the same mode."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keeps every other process from writing this ledger for the block."""
    lock = path.with_name(f"{path.name}.lock")
    descriptor = _locked(lock)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        lock.unlink()
        os.close(descriptor)


def _locked(lock: Path) -> int:
    """The descriptor of the lock file, locked; its end, however it comes, is the end of the lock."""
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = os.read(descriptor, 20).decode() or "unknown"
            os.close(descriptor)
            raise LedgerUnavailable(f"process {holder} is writing it: {lock} is locked") from exc
        if _is(descriptor, lock):
            return descriptor
        os.close(descriptor)  # its holder removed it between our two calls


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
