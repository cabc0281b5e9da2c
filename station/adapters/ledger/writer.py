"""The one thread that writes. Units of work queue up and are committed in groups, in which each has a savepoint.

A caller gets its result when the group is durable. Once queued, a unit is carried out, whether or not its caller still waits.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, Self, TypeVar

from sqlalchemy import Connection, Transaction
from sqlalchemy.exc import DBAPIError

from station.adapters.ledger import soundness
from station.faults.line import LedgerUnavailable

T = TypeVar("T")

Work = Callable[[Connection], T]


class _Unit(Generic[T]):
    """A unit of work and who waits for it. Runs in the thread; is settled in the loop."""

    def __init__(self, work: Work[T]) -> None:
        self.answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work = work
        self._settle: Callable[[], object] = self.answer.cancel

    def run(self, connection: Connection, transaction: Transaction) -> None:
        """Ends the transaction, which is durable then, or a savepoint in that of its group."""
        try:
            result = self._work(connection)
        except Exception as exc:  # it is raised where the unit was asked for
            if soundness.is_databases_own(exc):
                raise
            transaction.rollback()
            self._settle = partial(self.answer.set_exception, exc)
        else:
            transaction.commit()
            self._settle = partial(self.answer.set_result, result)

    def settle(self, failure: str | None) -> None:
        if self.answer.done():
            return  # its caller was cancelled
        if failure is not None:
            self.answer.set_exception(LedgerUnavailable(failure))
        else:
            self._settle()


class _Waiting(Protocol):
    def run(self, connection: Connection, transaction: Transaction) -> None: ...
    def settle(self, failure: str | None) -> None: ...


class Writer:
    """Carries out units of work. When a commit fails it is closed for good: without a journal there is no production."""

    def __init__(self, connection: Connection) -> None:
        self.commits = 0
        self.failure: str | None = None
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        # Not bounded: everybody waits for what it put here, so there is at most one unit a task.
        self._queue = SimpleQueue[_Waiting | None]()

    @classmethod
    @contextmanager
    def running(cls, connection: Connection) -> Iterator[Self]:
        """A writer that owns the connection for the block. What is queued when the block ends is still committed."""
        writer = cls(connection)
        thread = threading.Thread(target=writer._write, name="ledger")
        thread.start()
        try:
            yield writer
        finally:
            writer._queue.put(None)
            thread.join()  # as long as one commit takes
            writer.failure = writer.failure or "it is closed"

    async def do(self, work: Work[T]) -> T:
        """What `work` returns, once it is durable. What it raises undoes its own statements only.

        Raises `LedgerUnavailable` when its group cannot be committed, and ever after.
        """
        if self.failure is not None:
            raise LedgerUnavailable(self.failure)
        unit = _Unit(work)
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
                self._loop.call_soon_threadsafe(_settle, group, self.failure)

    def _take(self) -> list[_Waiting | None]:
        """Everything that waits, at least one."""
        queued = [self._queue.get()]
        while True:
            try:
                queued.append(self._queue.get_nowait())
            except Empty:
                return queued

    def _commit(self, group: Sequence[_Waiting]) -> None:
        if self.failure is not None:
            return
        try:
            with self._connection.begin() as transaction:
                if len(group) == 1:
                    group[0].run(self._connection, transaction)
                else:
                    for unit in group:
                        unit.run(self._connection, self._connection.begin_nested())
        except Exception as exc:  # noqa: BLE001  everybody in the group is told, and nothing is written any more
            self.failure = str(exc.orig) if isinstance(exc, DBAPIError) else str(exc)
        else:
            self.commits += 1


def _settle(group: Sequence[_Waiting], failure: str | None) -> None:
    for unit in group:
        unit.settle(failure)
