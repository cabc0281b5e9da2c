# SPDX-License-Identifier: Apache-2.0
"""The replication's thread, with a loop of its own: a slow or dead network there delays no slot."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol, Self

import structlog

from station.replication.claims import Claims, FarClaims
from station.replication.crossing import Crossing
from station.replication.interfaces import Centre, SharedLedger, SharedReader
from station.replication.replicator import FAILED, Replicator, Terms
from station.replication.seen import Seen, State

log = structlog.get_logger()

LAST_PUSH_WITHIN = 3.0  # seconds at the end, for what the last attempts have journalled


class Closing(Protocol):
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Means:
    """What the thread works with: connections that nobody has used yet, and the ledger's reader, which it opens itself."""

    centre: Centre
    claims: Centre
    """The same centre, over a connection of its own, with the deadline of a claim."""
    connections: Sequence[Closing]
    reader: Callable[[], AbstractContextManager[SharedReader]]


class Replication:
    """The replicator in its thread, as the daemon's loop sees it."""

    def __init__(
        self,
        means: Means,
        ledger: SharedLedger,
        terms: Terms,
        release: str,
        changed: Callable[[], None],
    ) -> None:
        self._means = means
        self._ledger = ledger
        self._terms = terms
        self._release = release
        self._changed = changed
        self._home = asyncio.get_running_loop()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking: Claims | None = None
        self._ready = threading.Event()
        self.seen = Seen()
        self.claims = FarClaims(self._claims)

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        means: Means,
        ledger: SharedLedger,
        terms: Terms,
        release: str,
        changed: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Self]:
        """Runs for the block. `changed` is called on this loop whenever `seen` is another one.

        At the end the journal's rest is pushed, if the centre is there and takes it in time.
        """
        running = cls(means, ledger, terms, release, changed)
        thread = threading.Thread(target=running._run, name="replication")
        thread.start()
        try:
            yield running
        finally:
            # This loop goes on meanwhile: the thread's last writes are carried out here.
            await asyncio.to_thread(running._end, thread)

    def _run(self) -> None:
        try:
            # Not uvloop: libuv aborts the process if a connection is closed at its deadline while the loop waits for it.
            with asyncio.Runner() as runner:
                runner.run(self._serve())
        except Exception:  # our bug, or a ledger that cannot be read: the line goes on with what it holds
            log.exception("shared.failed")
            self._heard(replace(self.seen, state=State.AWAY if self.seen.greeted else State.STARTING, reason=FAILED))
        finally:
            self._ready.set()

    def _end(self, thread: threading.Thread) -> None:
        self._ready.wait()
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # it has failed, and its loop is closed
                self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        ledger = Crossing(self._ledger, self._home)
        try:
            with self._means.reader() as reader:
                replicator = Replicator(self._means.centre, reader, ledger, self._terms, self._release, self._heard)
                self._asking = Claims(self._means.claims, replicator)
                self._ready.set()
                await self._until_stopped(replicator, self._stop)
        finally:
            self._asking = None
            for connection in self._means.connections:
                await connection.close()

    async def _until_stopped(self, replicator: Replicator, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            going_round = group.create_task(_going_round(replicator), name="replicator")
            await stop.wait()
            going_round.cancel()
        self._asking = None
        try:
            async with asyncio.timeout(LAST_PUSH_WITHIN):
                await replicator.last_push()
        except TimeoutError:
            log.info("shared.unpushed", lines=replicator.seen.waiting)

    def _claims(self) -> tuple[Claims, asyncio.AbstractEventLoop] | None:
        asking, loop = self._asking, self._loop
        return None if asking is None or loop is None else (asking, loop)

    def _heard(self, seen: Seen) -> None:
        self.seen = seen
        self._home.call_soon_threadsafe(self._changed)


async def _going_round(replicator: Replicator) -> None:
    """Goes round, whatever happens: no failure here may end a line that needs the centre in hours only."""
    while True:
        try:
            await replicator.run()
        except Exception:  # our bug
            log.exception("shared.failed")
            replicator.failed()
            await asyncio.sleep(replicator.longest_pause)
        else:
            return
