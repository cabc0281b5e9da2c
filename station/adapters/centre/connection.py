# SPDX-License-Identifier: Apache-2.0
"""One station's connection to the centre, whose deadline holds in a dead network, too."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from random import SystemRandom
from typing import Self, TypeVar

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from station.adapters.centre.trouble import CentreUnreachable, trouble
from station.adapters.system.shown import shown

log = structlog.get_logger()

T = TypeVar("T")

DEADLINE = 8.0  # seconds
# Without these limits a session whose station has gone holds its locks for minutes.
SETTINGS = (
    ("lock_timeout", "2s"),
    ("statement_timeout", "6s"),
    ("idle_in_transaction_session_timeout", "6s"),
    ("client_connection_check_interval", "1s"),
    ("synchronous_commit", "on"),
)
CONNECT_WITHIN = 3  # seconds for each host of the DSN, so that a silent one leaves time for the next
# Two transactions met: one could not be serialized, was the victim of a deadlock, or waited too long for a lock.
CLASHES = frozenset({"40001", "40P01", "55P03"})
PAUSES = (0.02, 0.04, 0.08, 0.16, 0.32)  # seconds, before jitter

_chance = SystemRandom()


class _Clash(Exception):
    """The transaction was undone because of another one, and may be repeated."""


class Connection:
    """Connects at the first transaction, and again after the connection was lost.

    `deadline`: the seconds that a transaction may take, connecting and repeating included, from when it is its turn.
    Raises `ValueError` if libpq cannot read the DSN.
    """

    def __init__(self, dsn: str, station: str, *, deadline: float = DEADLINE) -> None:
        self._conninfo = _conninfo(dsn, station)
        self.deadline = deadline
        self._turn = asyncio.Lock()
        self._session: AsyncConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Runs `work` in one transaction and commits it; `work` is called again if another transaction clashed.

        What `work` raises undoes the transaction. Raises `CentreUnreachable` if the outcome is unknown, also when the
        deadline has passed, and `CentreBroken` if the database refuses a statement.
        """
        async with self._turn:
            # A task, since psycopg answers a cancellation by asking the server to cancel, which in a dead network took
            # 13 seconds: its connection is closed first.
            task = asyncio.create_task(self._repeated(work))
            try:
                await asyncio.wait({task}, timeout=self.deadline)
                if task.done():
                    return task.result()
            finally:
                if not task.done():
                    await self._abandon(task)
            raise CentreUnreachable(f"no answer within {self.deadline:g} s")

    async def close(self) -> None:
        """Closes the connection after the transaction that runs; a later transaction would connect again."""
        async with self._turn:
            self._drop()

    async def _abandon(self, task: asyncio.Task[T]) -> None:
        self._drop()
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # else asyncio would log that nobody has asked for it

    async def _repeated(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        for pause in PAUSES:
            try:
                return await self._once(work)
            except _Clash as exc:
                seconds = pause * _chance.uniform(0.5, 1.5)
                log.info("retry.scheduled", reason=str(exc), seconds=round(seconds, 3))
                await asyncio.sleep(seconds)
        try:
            return await self._once(work)
        except _Clash as exc:
            raise CentreUnreachable(str(exc)) from exc

    async def _once(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        try:
            session = await self._connected()
            try:
                result = await work(session)
                await session.commit()
            finally:
                await self._undo(session)
        except psycopg.Error as exc:
            if exc.sqlstate in CLASHES:
                raise _Clash(f"SQLSTATE {exc.sqlstate} from the centre") from exc
            raise trouble(exc) from exc
        except OSError as exc:
            raise CentreUnreachable(shown(exc)) from exc
        return result

    async def _connected(self) -> AsyncConnection:
        if self._session is None or self._session.closed:
            self._session = await AsyncConnection.connect(self._conninfo)
        return self._session

    async def _undo(self, session: AsyncConnection) -> None:
        """Leaves a session without a transaction, or none."""
        status = session.info.transaction_status
        if status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
            try:
                await session.rollback()
            except psycopg.Error:
                self._drop()
        elif status != TransactionStatus.IDLE:
            self._drop()

    def _drop(self) -> None:
        if self._session is not None:
            self._session.pgconn.finish()
            self._session = None


def _conninfo(dsn: str, station: str) -> str:
    """The DSN with what every session of a station has. No error may show a part of the DSN: it may be the password."""
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise ValueError("libpq cannot read the DSN") from None
    if "@" in str(given.get("host", "")) or not re.fullmatch(r"[\d,]*", str(given.get("port", ""))):
        raise ValueError(
            "the DSN's host or port cannot be one: in a URI, write special characters of the password as %XX"
        )
    settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS)
    ours = {
        "connect_timeout": given.get("connect_timeout") or CONNECT_WITHIN,
        "options": f"{given.get('options') or ''} {settings}".strip(),
        "application_name": f"matter-station {station}",
    }
    return make_conninfo("", **{**given, **ours})
