# SPDX-License-Identifier: Apache-2.0
"""The samples of a line in the ledger: the boards, how their attempts ended, and whether they are due."""

from datetime import UTC, datetime
from functools import partial

from station.adapters.ledger import samples
from station.adapters.ledger.custody import Custody
from station.adapters.ledger.writer import UnitOfWork
from station.domain.intervention import Decision
from station.domain.samples import Expected, SampleEvent
from station.domain.target import UID


class SampleLedger:
    """A call waits while the file cannot be written, as the ledger's own."""

    def __init__(self, custody: Custody) -> None:
        self._custody = custody
        self._state: samples.State | None = None
        self._changes = 0  # a look that began before the newest is not remembered

    async def state(self) -> samples.State:
        """The samples, and whether they are due. Every board asks, and it changes a few times a day: so it is remembered."""
        if self._state is not None:
            return self._state
        changes = self._changes
        state = await self._custody.do(samples.state)
        if changes == self._changes:
            self._state = state
        return state

    async def _change(self, work: UnitOfWork[None]) -> None:
        self._state, self._changes = None, self._changes + 1
        await self._custody.do(work)

    async def first_probes(self, since: datetime) -> dict[str, str]:
        """The probe with which each slot was first used since then."""
        return await self._custody.do(partial(samples.first_probes, since=since))

    async def record(self, event: SampleEvent, uid: UID | None = None) -> None:
        """Records what the line has found about its samples."""
        await self._change(partial(samples.record, event=event, at=datetime.now(UTC), uid=uid))

    async def add(self, uid: UID, expected: Expected, decision: Decision) -> None:
        """Makes a board a sample; raises `DecisionRefused`."""
        at = datetime.now(UTC)
        await self._change(partial(samples.add, uid=uid, expected=expected, decision=decision, at=at))

    async def remove(self, uid: UID, decision: Decision) -> None:
        """Takes a board off the list of samples; raises `DecisionRefused`."""
        await self._change(partial(samples.remove, uid=uid, decision=decision, at=datetime.now(UTC)))
