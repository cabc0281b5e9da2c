# SPDX-License-Identifier: Apache-2.0
"""The station's ledger as another thread's loop uses it: each write is carried out on the ledger's own loop."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from station.domain.shared import Enrolment, Grant, Request, Stopped
from station.replication.interfaces import SharedLedger

T = TypeVar("T")


class Crossing:
    """A `SharedLedger` for a loop other than `home`, on which `ledger` lives and which must go on running."""

    def __init__(self, ledger: SharedLedger, home: asyncio.AbstractEventLoop) -> None:
        self._ledger = ledger
        self._home = home

    async def begin_enrolment(self) -> tuple[str, bytes]:
        return await self._there(self._ledger.begin_enrolment())

    async def enrolled(self, ledger: str, enrolment: Enrolment) -> None:
        await self._there(self._ledger.enrolled(ledger, enrolment))

    async def acknowledged(self, number: int) -> None:
        await self._there(self._ledger.acknowledged(number))

    async def stop(self, why: Stopped) -> None:
        await self._there(self._ledger.stop(why))

    async def begin_request(self, lot: str, release: str, blocks: int) -> Request:
        return await self._there(self._ledger.begin_request(lot, release, blocks))

    async def granted(self, request: Request, grant: Grant) -> None:
        await self._there(self._ledger.granted(request, grant))

    async def drop_request(self) -> None:
        await self._there(self._ledger.drop_request())

    async def give_back(self, lot: str | None, release: str) -> Mapping[str, Sequence[int]]:
        return await self._there(self._ledger.give_back(lot, release))

    async def given_back(self, lot: str, numbers: Sequence[int]) -> None:
        await self._there(self._ledger.given_back(lot, numbers))

    async def checkpoint(self, upto: int, head: bytes, signature: bytes) -> None:
        await self._there(self._ledger.checkpoint(upto, head, signature))

    async def prune(self, before: datetime) -> int:
        return await self._there(self._ledger.prune(before))

    async def _there(self, work: Coroutine[object, object, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home))
