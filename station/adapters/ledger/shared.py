# SPDX-License-Identifier: Apache-2.0
"""A ledger's side of the replication: enrolments, the journal's lines, and the answers of the centre, durable when a call returns."""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from station.adapters.ledger import chain, joining, leases, shared_state, sqlite, tables
from station.adapters.ledger.chain import Broken
from station.adapters.ledger.custody import Custody
from station.adapters.ledger.joining import Hashes
from station.adapters.ledger.leases import Leases, Pair
from station.adapters.ledger.shared_state import Standing, Stopped
from station.adapters.ledger.sharing import Shared
from station.adapters.ledger.vault import Vault
from station.domain.facts import Checkpoint
from station.domain.shared import GRID, Enrolment, Grant, Line, Request
from station.matter.onboarding.passcode import Discriminator, Passcode

PAIRS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class JournalReader:
    """The ledger's lines through a connection that only reads, for a thread of its own."""

    connection: Connection

    def standing(self) -> Standing:
        with self.connection.begin():
            return shared_state.standing(self.connection)

    def unsent(self, incarnation: int, after: int, most: int) -> list[Line]:
        """The incarnation's lines after this number, at most so many."""
        with self.connection.begin():
            return chain.unsent(self.connection, incarnation, after, most)

    def hash_at(self, incarnation: int, number: int) -> bytes | None:
        """The hash of this line; None for one that is not there, or was pruned with those before it."""
        with self.connection.begin():
            return chain.hash_at(self.connection, incarnation, number)

    def busiest_hour(self, now: datetime) -> int:
        """The most boards that attempts have ended for in one hour of the last seven days."""
        with self.connection.begin():
            return _busiest_hour(self.connection, now)

    def verify(self) -> Broken | None:
        """Recomputes every hash; returns the first line that is not as it was written."""
        with self.connection.begin():
            return chain.verify(self.connection)


@contextmanager
def reading(path: Path) -> Iterator[JournalReader]:
    """Reads the journal of the ledger at `path` beside its daemon; raises `LedgerUnavailable`."""
    with sqlite.reading(path) as connection:
        yield JournalReader(connection)


__all__ = ["JournalReader", "SharedLedger", "Standing", "Stopped", "reading"]


class SharedLedger:
    """What the replication does with the ledger."""

    def __init__(self, custody: Custody, shared: Shared, opened: Vault) -> None:
        self._custody = custody
        self._vault = opened
        self.shared = shared
        self._stock = deque[Pair]()
        self._last = 0

    async def standing(self) -> Standing:
        return await self._custody.do(shared_state.standing)

    async def begin_enrolment(self, place: str) -> tuple[str, bytes]:
        """The id under which the ledger asks to be enrolled, and the hash that its new journal will go on from.

        The same id until the answer has come, unless the ledger has another place by then.
        """
        work = partial(shared_state.begin_enrolment, place=place, new=secrets.token_hex(16))
        return await self._custody.do_once(work)

    async def enrolled(self, enrolment: Enrolment, ledger: str) -> None:
        """Begins the incarnation that the centre has given: what earlier ones have left is burned."""
        work = partial(shared_state.enrolled, enrolment=enrolment, ledger=ledger, at=datetime.now(UTC))
        await self._custody.do_once(work)
        self._stock.clear()  # they were burned
        self._last = 0

    async def unsent(self, after: int, most: int) -> list[Line]:
        """The present incarnation's lines after this number, at most so many."""

        def lines(connection: Connection) -> list[Line]:
            return chain.unsent(connection, chain.head(connection).incarnation, after, most)

        return await self._custody.do(lines)

    async def hash_at(self, number: int) -> bytes | None:
        """The hash of the present incarnation's line with this number."""

        def hashed(connection: Connection) -> bytes | None:
            return chain.hash_at(connection, chain.head(connection).incarnation, number)

        return await self._custody.do(hashed)

    async def acknowledged(self, number: int) -> None:
        """The centre has the lines up to this one."""

        def note(connection: Connection) -> None:
            chain.acknowledged(connection, chain.head(connection).incarnation, number)

        await self._custody.do(note)

    async def prune(self, keep_days: int) -> int:
        """Removes old lines that the centre has, some thousands a call. Returns how many."""

        def some(connection: Connection) -> int:
            return chain.prune(connection, chain.head(connection).incarnation, keep_days, datetime.now(UTC))

        return await self._custody.do(some)

    async def checkpoint(self, sign: Callable[[int, bytes], bytes]) -> None:
        """Tells a signature over the newest line's number and hash."""

        def told(connection: Connection) -> None:
            head = chain.head(connection)
            signature = sign(head.number, head.hash)
            chain.tell(connection, datetime.now(UTC), Checkpoint(head.number, head.hash, signature))

        await self._custody.do(told)

    async def stopped(self, why: Stopped) -> None:
        """The ledger gives out nothing any more, until a person has decided."""
        await self._custody.do(partial(shared_state.stop, why=why.value))

    async def leases(self, lot: str, release: str) -> Leases:
        """What is left for this lot and release."""
        return await self._custody.do(partial(leases.count, lot=lot, release=release))

    async def open_request(self) -> Request | None:
        """The request that has no answer yet."""
        return await self._custody.do(leases.open_request)

    async def begin_request(self, lot: str, release: str, blocks: int) -> Request:
        """Draws pairs for so many blocks, and records the request before it is sent; the open one if there is one."""
        wanted = blocks * GRID + leases.SPARE_PAIRS
        candidates = await asyncio.to_thread(leases.drawn, self.shared.fleet, wanted)
        work = partial(leases.begin_request, lot=lot, release=release, blocks=blocks, candidates=candidates)
        return await self._custody.do(work)

    async def granted(self, request: Request, grant: Grant) -> None:
        """Records the centre's answer; the numbers and pairs are this station's for ever."""
        await self._custody.do_once(partial(leases.granted, request=request, grant=grant, at=datetime.now(UTC)))

    async def drop_request(self) -> None:
        """Gives up the open request, and whatever the centre may have given for it."""
        await self._custody.do(leases.drop_request)

    async def give_back(self, lot: str) -> list[int]:
        """Gives up the lot's untouched blocks durably. Returns the numbers that the centre is to be told."""
        return await self._custody.do_once(partial(leases.give_back, lot=lot, at=datetime.now(UTC)))

    async def give_up(self, lot: str | None, release: str) -> Mapping[str, Sequence[int]]:
        """Gives up the untouched blocks of other lots and releases durably. Returns their numbers by lot."""
        work = partial(leases.give_up, lot=lot, release=release, at=datetime.now(UTC))
        return await self._custody.do_once(work)

    async def hashes(self, most: int = 500) -> AsyncIterator[Hashes]:
        """The pairs of every unit of a standalone past, some at a time: to be registered at the centre before `join`."""
        after = 0
        while True:
            work = partial(joining.hashes, opened=self._vault, fleet=self.shared.fleet, after=after, most=most)
            some = await self._custody.do(work)
            if some is None:
                return
            after = some.last
            yield some

    async def join(self, most: int = 500) -> int:
        """Tells of the next units of a standalone past. Returns how many are left; 0: the ledger is one of many now."""
        return await self._custody.do(partial(joining.tell, opened=self._vault, at=datetime.now(UTC), most=most))

    async def pair(self) -> tuple[Passcode, Discriminator] | None:
        """A pair of the stock for the verifier that is made next; None if none is left.

        It leaves the stock only with the unit that gets it: after a restart it is free again.
        """
        if not self._stock:
            await self._refill()
        if not self._stock:
            return None
        pair = self._stock.popleft()
        return self.shared.fleet.unseal_pair(pair.hash, pair.sealed)

    async def _refill(self) -> None:
        """Goes through the stock in its order, and then from its beginning, where attempts that were cancelled have left some."""
        for after in dict.fromkeys((self._last, 0)):
            found = await self._custody.do(partial(leases.free_pairs, after=after, most=PAIRS_AT_ONCE))
            if found:
                if not self._stock:
                    self._stock.extend(found)
                    self._last = found[-1].id
                return


def _busiest_hour(connection: Connection, now: datetime) -> int:
    since = tables.milliseconds(now - timedelta(days=7))
    query = "SELECT count(DISTINCT uid) AS units FROM figure WHERE began >= ? GROUP BY began / 3600000 ORDER BY units DESC LIMIT 1"
    row = chain.driver(connection).execute(query, (since,)).fetchone()
    return 0 if row is None else int(row[0])
