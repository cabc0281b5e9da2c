# SPDX-License-Identifier: Apache-2.0
"""The one thread that writes. Units of work queue up and are committed in groups, in which each has a savepoint.

A caller gets its result when the group is durable. Once queued, a unit is carried out, whether or not its caller still
waits.
"""

import asyncio
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, Self, TypeVar

from sqlalchemy import Connection

from station.adapters.ledger import recording, scrubbing, soundness
from station.adapters.ledger.commit_times import CommitTimes
from station.adapters.ledger.driver import Savepoint, Transaction
from station.adapters.ledger.troubles import mends_itself, unavailable
from station.faults import LineFault
from station.faults.line import LedgerUnavailable

T = TypeVar("T")

UnitOfWork = Callable[[Connection], T]

TRIED_EVERY = 0.5  # seconds between two tries; SQLite itself waits five more for a lock
EMPTIED_EVERY = 2.0  # seconds between two tries to empty the write-ahead log


class Part(Protocol):
    """What a unit of work commits or rolls back."""

    def commit(self) -> None: ...
    def rollback(self) -> None: ...


class _Queued(Generic[T]):
    """A unit of work and its waiting caller. Runs in the thread; is settled in the loop."""

    def __init__(self, work: UnitOfWork[T], once_durable: Callable[[T], None] | None) -> None:
        self.answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work = work
        self._once_durable = once_durable
        self._last: Callable[[], None] | None = None
        self._settle: Callable[[], object] = self.answer.cancel

    def run(self, connection: Connection, part: Part) -> None:
        """Commits its part: the transaction, which is durable then, or a savepoint in the group's transaction."""
        try:
            result = self._work(connection)
        except Exception as exc:  # the unit's caller gets the exception
            if soundness.is_databases_own(exc):
                raise
            part.rollback()
            self._last = None
            self._settle = partial(self.answer.set_exception, exc)
        else:
            part.commit()
            self._last = None if self._once_durable is None else partial(self._once_durable, result)
            self._settle = partial(self.answer.set_result, result)

    def conclude(self) -> None:
        """What is to be done once the group is durable, and before the caller goes on, who gets its fault."""
        if self._last is not None:
            try:
                self._last()
            except Exception as exc:  # noqa: BLE001  the same
                self._settle = partial(self.answer.set_exception, exc)

    def settle(self, failure: LineFault | None) -> None:
        if self.answer.done():
            return  # its caller was cancelled
        if failure is not None:
            # a new exception for each caller, since each has its own traceback
            self.answer.set_exception(copy(failure))
        else:
            self._settle()


class _Waiting(Protocol):
    def run(self, connection: Connection, part: Part) -> None: ...
    def conclude(self) -> None: ...
    def settle(self, failure: LineFault | None) -> None: ...


class Writer:
    """Carries out units of work. Keeps a group that cannot be committed and tries it again, while its callers wait.

    If no further try can help, the writer closes for good: without a journal there is no production.
    """

    def __init__(self, connection: Connection, path: Path, patience: float) -> None:
        self.commits = 0
        self.commit_times = CommitTimes()
        """From the first try until the group is durable."""
        self.trouble: LineFault | None = None
        """The reason why the present group is not committed yet."""
        self.failure: LineFault | None = None
        """The reason why the writer has closed for good."""
        self.news = asyncio.Event()
        """Set when `trouble` or `failure` has changed."""
        self._connection = connection
        self._path = path
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        # Not bounded: every task waits for the unit that it has queued, so there is at most one for each task, and one for
        # each deed of a person whose command did not wait any longer.
        self._queue = SimpleQueue[_Waiting | None]()
        self._closing = threading.Event()
        self.log_to_empty = False  # set by a unit of work whose earlier content must leave the write-ahead log

    @classmethod
    @contextmanager
    def running(cls, connection: Connection, path: Path, patience: float = math.inf) -> Iterator[Self]:
        """A writer that owns the connection to the file at `path` for the block.

        It tries a failed group for `patience` seconds. Units queued when the block ends are still committed, if the
        first try succeeds.
        """
        writer = cls(connection, path, patience)
        thread = threading.Thread(target=writer._write, name="ledger")
        thread.start()
        try:
            yield writer
        finally:
            writer._closing.set()
            writer._queue.put(None)
            thread.join()  # as long as one commit takes
            writer.failure = writer.failure or LedgerUnavailable(f"{path}: it is closed")

    async def do(self, work: UnitOfWork[T], once_durable: Callable[[T], None] | None = None) -> T:
        """What `work` returns, once it is durable. What it raises undoes its own statements only.

        `work` may be called several times, each time in a new transaction. Raises the fault that has closed the writer, or
        that of `once_durable`, which gets the result before the caller does, of a group the newest first.
        """
        if self.failure is not None:
            raise copy(self.failure)
        unit = _Queued(work, once_durable)
        self._queue.put(unit)
        return await unit.answer

    def _write(self) -> None:
        closing = False
        while not closing:
            queued = self._take()
            group = [unit for unit in queued if unit is not None]
            closing = len(group) < len(queued)
            if group:
                self._commit(group)
                if self.failure is None:
                    for unit in reversed(group):
                        unit.conclude()
                self._loop.call_soon_threadsafe(_settle, group, self.failure)

    def _take(self) -> list[_Waiting | None]:
        """All waiting units, at least one."""
        queued = [self._first()]
        while True:
            try:
                queued.append(self._queue.get_nowait())
            except Empty:
                return queued

    def _first(self) -> _Waiting | None:
        """The next unit. While there is none, the log is emptied where a reader needed it before."""
        while self.log_to_empty:
            try:
                return self._queue.get(timeout=EMPTIED_EVERY)
            except Empty:
                self._empty_log()
        return self._queue.get()

    def _empty_log(self) -> None:
        """What is in the log is durable: a disk that takes no more of it is told by the next commit, and tried again until then."""
        try:
            self.log_to_empty = not scrubbing.truncate(self._connection)
        except sqlite3.Error:
            self.log_to_empty = True

    def _commit(self, group: Sequence[_Waiting]) -> None:
        """Tries until the group is durable, no further try can help, the patience is over, or the block ends."""
        began = time.monotonic()
        while self.failure is None:
            try:
                self._carry_out(group)
            except Exception as exc:  # noqa: BLE001  reported as trouble; raised to the callers if it lasts
                self._undo()
                late = time.monotonic() - began >= self._patience
                hopeless = late or self._closing.is_set() or not mends_itself(exc)
                self._tell(unavailable(self._path, exc), hopeless=hopeless)
                if not hopeless:
                    self._closing.wait(TRIED_EVERY)
            else:
                self.commits += 1
                self.commit_times.add(time.monotonic() - began)
                self._tell(None, hopeless=False)
                if self.log_to_empty:
                    self._empty_log()
                return

    def _carry_out(self, group: Sequence[_Waiting]) -> None:
        transaction = Transaction(self._connection, recording.follow)
        if len(group) == 1:
            group[0].run(self._connection, transaction)
        else:
            for unit in group:
                unit.run(self._connection, Savepoint(self._connection))
            transaction.commit()

    def _undo(self) -> None:
        """Rolls back after a failed COMMIT, since SQLAlchemy does not, and goes on with the old transaction."""
        if (transaction := self._connection.get_transaction()) is not None:
            transaction.rollback()
        self._connection.connection.rollback()  # does nothing if SQLite has already rolled back, as after a full disk

    def _tell(self, fault: LineFault | None, *, hopeless: bool) -> None:
        """Wakes the watcher if the reason has changed."""
        before = str(self.trouble)
        self.trouble = fault
        if hopeless:
            self.failure = fault
        if hopeless or before != str(fault):
            self._loop.call_soon_threadsafe(self.news.set)


def _settle(group: Sequence[_Waiting], failure: LineFault | None) -> None:
    for unit in group:
        unit.settle(failure)
