# SPDX-License-Identifier: Apache-2.0
"""Visits of boards to slots, and the register of units that are present: no unit can be in two slots at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from station.domain.attempt import Attempt, Phase, Record, UnitIdentified
from station.domain.credentials import Credentials
from station.domain.identity import Draft, Identity
from station.domain.past import Past
from station.domain.target import UID, Target
from station.faults import LineFault
from station.faults.line import UnitTwice
from station.faults.slot import BoardRemoved
from station.interfaces import AttemptLedger, BoardArrived


class Visit:
    """One board's stay in a slot, from being plugged in to being pulled."""

    def __init__(self, arrival: BoardArrived, *, first: bool = False) -> None:
        self.arrival = arrival
        self.first = first
        """Whether no board has left the slot since the station's start, so that this one may have been here before."""
        self.gone = asyncio.Event()
        self.at_relay: UID | None = None
        """The board, if its last attempt here ended at the PKI and its provisioning firmware still runs."""
        self._scope: asyncio.Timeout | None = None
        self._stopped_by: LineFault | None = None

    def leave(self) -> None:
        """Ends the block under `while_here`, because the board was pulled."""
        self.gone.set()
        self._end()

    def stop(self, fault: LineFault) -> None:
        """Ends the block under `while_here` with this fault; the board stays in the slot."""
        self._stopped_by = fault
        self._end()

    @asynccontextmanager
    async def while_here(self) -> AsyncIterator[None]:
        """Cancels its block when the board leaves, and raises `BoardRemoved`; after `stop` it raises that fault."""
        if self.gone.is_set():
            raise BoardRemoved
        self._stopped_by = None
        try:
            async with asyncio.timeout(None) as self._scope:
                yield
        except TimeoutError as exc:
            raise self._reason() from exc
        finally:
            self._scope = None
        if self._stopped_by is not None:  # the block had ended before its cancellation came
            raise self._stopped_by

    def _end(self) -> None:
        if self._scope is not None:
            self._scope.reschedule(0)  # a moment long past: the block is cancelled at once

    def _reason(self) -> BoardRemoved | LineFault:
        return BoardRemoved() if self._stopped_by is None else self._stopped_by


class PresentUnits:
    """The units in all slots, by visit. A pulled board is not present, although its attempt may still be ending."""

    def __init__(self, pause: Callable[[LineFault], None]) -> None:
        self._pause = pause
        self._here: dict[Visit, tuple[str, UID]] = {}

    def identified(self, visit: Visit, slot: str, uid: UID) -> None:
        """Registers the unit of this visit. If it is in another slot too, stops that attempt, pauses the line and raises `UnitTwice`."""
        self._here = {other: entry for other, entry in self._here.items() if not other.gone.is_set()}
        self._here[visit] = (slot, uid)
        others = [other for other, (_, its) in self._here.items() if its == uid and other is not visit]
        if not others:
            return
        slots = sorted({slot, *(self._here[other][0] for other in others)})
        fault = UnitTwice(str(uid), " and ".join(slots))
        self._pause(fault)
        for other in others:
            other.stop(fault)
        raise fault


class AnnouncedAttempt:
    """An attempt's ledger (`interfaces.AttemptLedger`) that reports the unit as soon as its identification is recorded."""

    def __init__(self, ledger: AttemptLedger, identified: Callable[[UID], None]) -> None:
        self._ledger = ledger
        self._identified = identified

    @property
    def attempt(self) -> Attempt:
        return self._ledger.attempt

    def step(self, phase: Phase, *intents: Record) -> AbstractAsyncContextManager[None]:
        return self._ledger.step(phase, *intents)

    async def record(self, event: Record) -> None:
        await self._ledger.record(event)
        if isinstance(event, UnitIdentified):
            self._identified(event.uid)

    async def claim(self, target: Target) -> bool:
        return await self._ledger.claim(target)

    async def past_of(self, uid: UID) -> Past:
        return await self._ledger.past_of(uid)

    async def find_identity(self, uid: UID) -> Identity | None:
        return await self._ledger.find_identity(uid)

    async def reserve_identity(self, draft: Draft) -> Identity:
        return await self._ledger.reserve_identity(draft)

    async def sample_identity(self, draft: Draft) -> Identity:
        return await self._ledger.sample_identity(draft)

    async def adopt(self, credentials: Credentials, uid: UID) -> None:
        await self._ledger.adopt(credentials, uid)
