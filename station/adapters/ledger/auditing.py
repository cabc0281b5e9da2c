# SPDX-License-Identifier: Apache-2.0
"""The open ledger's chain, as daemon and commands use it: its checkpoints, and what people accept against one."""

from datetime import datetime
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from station.adapters.ledger import checkpoints
from station.adapters.ledger.custody import Custody
from station.domain.checkpoint import Signed
from station.domain.intervention import Decision


class Audit:
    """Signs the ledger's chain."""

    def __init__(self, custody: Custody, station: str) -> None:
        self._custody = custody
        self._station = station

    async def checkpoint(self, key: Ed25519PrivateKey, at: datetime) -> Signed | None:
        """A signed checkpoint of the newest line, durably recorded; None where nothing was written since the last one."""
        return await self._custody.do(partial(checkpoints.make, station=self._station, key=key, at=at))

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
