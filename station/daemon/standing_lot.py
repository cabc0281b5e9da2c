# SPDX-License-Identifier: Apache-2.0
"""The lot that new units come from, as the status shows it: read again once the ledger has changed."""

import asyncio
from pathlib import Path

from station.adapters.ledger import Ledger, lot_reader
from station.adapters.ledger.lot_reader import Standing
from station.faults.line import LedgerUnavailable
from station.line.status import LotStatus


class StandingLot:
    def __init__(self, path: Path, ledger: Ledger) -> None:
        self._path = path
        self._ledger = ledger
        self._read: tuple[int, LotStatus | None] | None = None

    async def status(self) -> LotStatus | None:
        """None if the ledger never had a work order, or could not be read since it changed."""
        commits = self._ledger.commits  # before it is read, since the ledger may change meanwhile
        if self._read is None or self._read[0] != commits:
            try:
                standing = await asyncio.to_thread(lot_reader.standing, self._path)
            except LedgerUnavailable:
                return None
            self._read = commits, None if standing is None else _status(standing)
        return self._read[1]


def _status(standing: Standing) -> LotStatus:
    lot = standing.lot
    return LotStatus(
        lot=lot.name,
        work_order=lot.work_order,
        state=lot.state.value if lot.state else "closed",
        planned=standing.left.planned,
        passed=lot.passed,
        unbound=lot.unbound,
        in_work=lot.in_work,
        units_left=standing.left.units,
        numbers_left=standing.left.numbers,
        warning=standing.warning,
    )
