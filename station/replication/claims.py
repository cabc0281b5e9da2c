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
    """Asks the centre while the replicator reaches it, one question after the other.

    After a question without an answer none is asked until the replicator has reached the centre again, so that not every
    board waits in vain.
    """

    def __init__(self, centre: Centre, replicator: Replicator) -> None:
        self._centre = centre
        self._replicator = replicator
        self._turn = asyncio.Lock()
        self._mute_at: datetime | None = None

    async def claim(self, uid: UID) -> Claim | None:
        """None while the centre is away; raises `CentreUnusable`."""
        async with self._turn:
            seen = self._replicator.seen
            if (
                not seen.up
                or seen.pushed_at == self._mute_at
                or seen.standing is None
                or seen.standing.incarnation is None
            ):
                return None
            try:
                return await self._centre.claim(seen.standing.incarnation, uid)
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

    def _doubt(self) -> None:
        self._mute_at = self._replicator.seen.pushed_at
        self._replicator.doubt()


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
