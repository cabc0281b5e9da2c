# SPDX-License-Identifier: Apache-2.0
"""The open ledger's chain, as daemon and commands use it: its checkpoints, and what people accept against one."""

import asyncio
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from station.adapters.ledger import checkpoints
from station.adapters.ledger.custody import Custody
from station.domain.checkpoint import Signed, SigningKey
from station.domain.intervention import Decision


class Audit:
    """Signs the ledger's chain."""

    def __init__(self, custody: Custody, station: str) -> None:
        self._custody = custody
        self._station = station

    async def checkpoint(self, key: SigningKey, at: datetime) -> Signed | None:
        """A signed checkpoint of the newest line, durably recorded; None where nothing was written since the last one.

        The key may be in a token that takes its time, so it signs between two transactions. Only one call at a time.
        """
        point = await self._custody.do(partial(checkpoints.due, station=self._station, at=at))
        if point is None:
            return None
        signed = await asyncio.to_thread(point.signed, key)
        await self._custody.do(partial(checkpoints.record, signed=signed))
        return signed

    async def difference(self, signed: Signed) -> str | None:
        """The reason why the ledger does not go on from this checkpoint; None if it does, or a person has accepted it."""

        def different(connection: Connection) -> str | None:
            if checkpoints.is_accepted(connection, signed):
                return None
            return checkpoints.difference(connection, signed)

        return await self._custody.do(different)

    async def accept(self, signed: Signed, decision: Decision, at: datetime) -> None:
        """Records that a person goes on without what this checkpoint signs."""
        await self._custody.do(partial(checkpoints.accept, signed=signed, decision=decision, at=at))
