# SPDX-License-Identifier: Apache-2.0
"""The question whose unit a board is, over a connection of its own: a board waits for the answer, so it must come in haste or not at all."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from station.adapters.centre.trouble import CentreBroken, CentreRefused, CentreUnreachable
from station.domain.shared import Claim, Refusal
from station.domain.target import UID
from station.faults.line import CentreUnusable
from station.replication.interfaces import Centre
from station.replication.replicator import FOR_NOW, Replicator

_AS_AWAY = FOR_NOW | {Refusal.CLOSED}  # of which the replicator finds out more


class Claims:
    """Asks the centre while the replicator reaches it, one question after the other. Boards that wait for their turn share the next.

    After a question without an answer none is asked until the replicator has reached the centre again, so that not every
    board waits in vain.
    """

    def __init__(self, centre: Centre, replicator: Replicator) -> None:
        self._centre = centre
        self._replicator = replicator
        self._turn = asyncio.Lock()
        self._mute_at: datetime | None = None
        self._waiting = dict[UID, bool | None]()
        """Whether the board's unit is new at the centre; None until it was asked for."""

    async def claim(self, uid: UID) -> Claim | None:
        """None while the centre is away; raises `CentreUnusable`."""
        self._waiting[uid] = None
        try:
            return await self._in_turn(uid)
        finally:
            self._waiting.pop(uid, None)  # an answer is true at its moment only

    async def _in_turn(self, uid: UID) -> Claim | None:
        async with self._turn:
            if self._waiting.get(uid):
                return _new(uid)
            seen = self._replicator.seen
            if (
                not seen.up
                or seen.pushed_at == self._mute_at
                or seen.standing is None
                or seen.standing.incarnation is None
            ):
                return None
            try:
                return await self._asked(seen.standing.incarnation, uid)
            except CentreUnreachable:
                self._doubt()
                return None
            except CentreRefused as exc:
                if exc.refusal in _AS_AWAY:
                    self._doubt()
                    return None
                raise CentreUnusable(exc.detail) from exc
            except CentreBroken as exc:
                raise CentreUnusable(str(exc)) from exc

    async def _asked(self, incarnation: int, uid: UID) -> Claim:
        if self._waiting.get(uid) is None:
            asked = {uid, *(each for each, new in self._waiting.items() if new is None)}
            new = await self._centre.enter(incarnation, asked)
            for each in asked & self._waiting.keys():  # some may have left meanwhile
                self._waiting[each] = each in new
            if uid in new:
                return _new(uid)
        return await self._centre.claim(incarnation, uid)

    def _doubt(self) -> None:
        self._mute_at = self._replicator.seen.pushed_at
        self._replicator.doubt()


def _new(uid: UID) -> Claim:
    return Claim(uid, epoch=1, known=None, was_ours=False)


class FarClaims:
    """`Claims` of another loop, for the slots. `claims` is None before it runs, and after it has ended."""

    def __init__(self, claims: Callable[[], tuple[Claims, asyncio.AbstractEventLoop] | None]) -> None:
        self._claims = claims

    async def claim(self, uid: UID) -> Claim | None:
        """None while the centre is away; raises `CentreUnusable`."""
        if (found := self._claims()) is None:
            return None
        claims, loop = found
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(claims.claim(uid), loop))
