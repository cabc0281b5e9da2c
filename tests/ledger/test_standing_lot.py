# SPDX-License-Identifier: Apache-2.0
"""The lot in the status, which is read again only once the ledger has changed."""

from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, lot_reader
from station.daemon.standing_lot import StandingLot
from station.domain.work_order import LotClosed
from station.faults.line import LedgerUnavailable
from tests.builders.bench import Secrets
from tests.ledger.test_lots import ANNA, lot, unit


async def test_it_follows_the_ledger(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    standing = StandingLot(path, ledger)
    assert await standing.status() is None
    await ledger.open_lot(lot(planned=3, size=10), ANNA)
    seen = await standing.status()
    assert seen is not None
    assert (seen.state, seen.in_work, seen.units_left, seen.numbers_left) == ("open", 0, 3, 10)
    await unit(ledger, secrets, 1)
    seen = await standing.status()
    assert seen is not None
    assert (seen.state, seen.in_work, seen.units_left, seen.numbers_left) == ("open", 1, 2, 9)
    await ledger.change_lot(LotClosed("W1"), ANNA)
    seen = await standing.status()
    assert seen is not None
    assert seen.state == "closed"


async def test_it_is_read_once_between_two_changes(ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that fails is no answer, and is not kept."""
    await ledger.open_lot(lot(), ANNA)
    standing, read, looks = StandingLot(path, ledger), lot_reader.standing, []

    def look(path: Path) -> lot_reader.Standing | None:
        looks.append(path)
        if len(looks) == 1:
            raise LedgerUnavailable("the disk is away")
        return read(path)

    monkeypatch.setattr(lot_reader, "standing", look)
    assert await standing.status() is None
    assert await standing.status() == await standing.status() is not None
    assert len(looks) == 2
