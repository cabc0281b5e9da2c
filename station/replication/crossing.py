# SPDX-License-Identifier: Apache-2.0
"""The station's ledger as another thread's loop uses it: each write is carried out on the ledger's own loop."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TypeVar

from station.adapters.ledger.shared import Stopped
from station.domain.shared import Enrolment, Grant, Request
from station.replication.interfaces import SharedLedger

T = TypeVar("T")


class Crossing:
    """A `SharedLedger` for a loop other than `home`, on which `ledger` lives and which must go on running."""

    def __init__(self, ledger: SharedLedger, home: asyncio.AbstractEventLoop) -> None:
        self._ledger = ledger
        self._home = home

    async def begin_enrolment(self, place: str) -> tuple[str, bytes]:
        return await self._there(self._ledger.begin_enrolment(place))

    async def enrolled(self, enrolment: Enrolment, ledger: str) -> None:
        await self._there(self._ledger.enrolled(enrolment, ledger))

    async def acknowledged(self, number: int) -> None:
        await self._there(self._ledger.acknowledged(number))

    async def stopped(self, why: Stopped) -> None:
        await self._there(self._ledger.stopped(why))

    async def begin_request(self, lot: str, release: str, blocks: int) -> Request:
        return await self._there(self._ledger.begin_request(lot, release, blocks))

    async def granted(self, request: Request, grant: Grant) -> None:
        await self._there(self._ledger.granted(request, grant))

    async def drop_request(self) -> None:
        await self._there(self._ledger.drop_request())

    async def give_up(self, lot: str | None, release: str) -> Mapping[str, Sequence[int]]:
        return await self._there(self._ledger.give_up(lot, release))

    async def checkpoint(self, sign: Callable[[int, bytes], bytes]) -> None:
        await self._there(self._ledger.checkpoint(sign))

    async def prune(self, keep_days: int) -> int:
        return await self._there(self._ledger.prune(keep_days))

    async def _there(self, work: Coroutine[object, object, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home))
