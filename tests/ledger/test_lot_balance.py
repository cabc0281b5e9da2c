# SPDX-License-Identifier: Apache-2.0
"""The balance of a lot, from a ledger in which all kinds of things have happened."""

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, lot_counts, lot_reader, lot_report
from station.adapters.ledger.reader import LedgerReader
from station.adapters.ledger.selection import Selection, attempts
from station.domain.attempt import (
    Confirmed,
    CredentialsChosen,
    CredentialsDelivered,
    CSRReceived,
    FactoryDataWritten,
    Failed,
    LaboratoryUnit,
    Passed,
    Phase,
    UnitIdentified,
)
from station.domain.intervention import Decision
from station.domain.labelling import LabelDeed, LabelEvent
from station.domain.samples import Expected
from station.domain.work_order import LotPaused, LotState
from station.interfaces import RefusedAnswer
from tests.builders.bench import RECIPE, Secrets, begun, credentials, recognised, target
from tests.ledger.test_lots import ANNA, lot


async def unit(
    ledger: Ledger, secrets: Secrets, board: int, fault: str | None = None, *, at: Phase | None = None
) -> None:
    """An attempt with a certificate of its own; `at`: the step in which it fails, of those in which one may."""
    journal = await begun(ledger, secrets)
    await recognised(journal, board)
    if at is Phase.FLASH_DATA:
        await journal.finish(Failed(fault or ""))
        return
    async with journal.step(Phase.FLASH_DATA):
        await journal.record(FactoryDataWritten())
    async with journal.step(Phase.FLASH_PROVISIONER):
        pass
    async with journal.step(Phase.AWAIT_CSR):
        issued = credentials(board + 1)
        await journal.record(CSRReceived(issued.key))
    async with journal.step(Phase.RELAY_TO_PKI):
        await ledger.issuance.submitted(issued.key, b"CSR", target(board).uid)
        if at is Phase.RELAY_TO_PKI:
            refused = RefusedAnswer("not for this product", issued.dac, (issued.dac,))
            await ledger.issuance.record_refused(issued.key, refused)
        else:
            await ledger.issuance.record_issued(issued.key, issued)
            await journal.record(CredentialsChosen(issued.key, issued.dac_serial_number))
    if fault is not None:
        await journal.finish(Failed(fault))
        return
    async with journal.step(Phase.DELIVER):
        await journal.record(CredentialsDelivered(issued.dac_serial_number))
    async with journal.step(Phase.FLASH_OPERATIONAL):
        pass
    async with journal.step(Phase.CONFIRM):
        await journal.record(Confirmed())
    await journal.finish(Passed())


async def test_the_balance_is_that_of_an_independent_count(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Every unit, serial number and certificate is somewhere, and the sum is what was given out."""
    await unit(ledger, secrets, 1)  # in the recipe's own lot
    await ledger.open_lot(lot(planned=20, size=30), ANNA)
    for board in range(10, 16):
        await unit(ledger, secrets, board)
    await unit(ledger, secrets, 20, "flash.mismatch", at=Phase.FLASH_DATA)
    await unit(ledger, secrets, 21, "board.possession_unproven")
    await unit(ledger, secrets, 22, "pki.credentials_invalid", at=Phase.RELAY_TO_PKI)
    await recognised(await begun(ledger, secrets), 23)
    await ledger.issuance.submitted("lost", b"CSR", target(23).uid)
    found = lot_reader.lot(path, "W1")
    assert found is not None
    record, balance = found
    units = [each for each in LedgerReader(path).units() if each.lot == "W1"]
    assert Counter(each.state.value for each in units) == {"passed": 6, "reserved": 2, "certified": 1, "on_board": 1}
    assert {each.work_order for each in units} == {"WO-W1"}
    assert (record.work_order, record.state, record.passed, record.in_work, record.to_do) == (
        "WO-W1",
        LotState.OPEN,
        6,
        4,
        14,
    )
    assert (balance.identities, balance.passed, balance.in_work, balance.failed) == (10, 6, 4, 3)
    assert (balance.dacs_bought, balance.dacs_bound, balance.dacs_waiting, balance.dacs_orphaned) == (8, 7, 0, 1)
    assert (balance.answers_missing, balance.numbers_left, balance.skipped) == (1, 20, 0)
    assert list(balance.mistakes()) == []
    of_recipe = lot_reader.lot(path, RECIPE.lot.name)
    assert of_recipe is not None
    assert (of_recipe[0].work_order, of_recipe[1].passed, list(of_recipe[1].mistakes())) == (None, 1, [])
    assert [each.name for each in lot_reader.lots_of(path)] == [RECIPE.lot.name, "W1"]
    assert lot_reader.lot(path, "W9") is None
    assert {each.work_order for each in attempts(path, Selection(lot="W1"))} == {"WO-W1"}


async def test_a_laboratorys_fail_is_none(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """It says nothing about the unit."""
    await ledger.open_lot(lot(), ANNA)
    await recognised(await begun(ledger, secrets), 1)
    journal = await begun(ledger, secrets)
    async with journal.step(Phase.RECOGNISE):
        await journal.record(UnitIdentified.of(target(1)))
        await journal.record(LaboratoryUnit())
    await journal.finish(Failed("flash.mismatch"))
    found = lot_reader.lot(path, "W1")
    assert found is not None
    assert (found[1].failed, list(found[1].mistakes())) == (0, [])


async def test_what_was_edited_in_the_file_is_told(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """A unit that somebody has taken away, and a certificate."""
    await ledger.open_lot(lot(planned=20, size=30), ANNA)
    for board in range(3):
        await unit(ledger, secrets, board)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM certificate WHERE rowid = 1")
        connection.execute("UPDATE identity SET lot_index = 7 WHERE lot_index = 2")
    found = lot_reader.lot(path, "W1")
    assert found is not None
    assert len(list(found[1].mistakes())) == 3


async def test_the_standing_is_that_of_the_lot_in_force(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """None without an order; a warning while the open one nears its end, and what people did."""
    assert lot_reader.standing(path) is None
    await ledger.open_lot(lot(planned=3, size=10), ANNA)
    found = lot_reader.standing(path)
    assert found is not None
    assert (found.left.units, found.left.numbers, found.warning) == (3, 10, None)
    for board in range(2):
        await unit(ledger, secrets, board)
    found = lot_reader.standing(path)
    assert found is not None
    assert found.warning == "The work order ends: 1 of 3 units have yet to begin."
    await ledger.change_lot(LotPaused("W1"), Decision("ben", "lunch"))
    found = lot_reader.standing(path)
    assert found is not None
    assert (found.lot.state, found.warning) == (LotState.PAUSED, None)
    deeds = [(each.type, each.account, each.reason) for each in lot_reader.deeds(path, "W1")]
    assert deeds == [("LotOpened", "anna", "order of the week"), ("LotPaused", "ben", "lunch")]


async def test_the_log_warns_before_the_end(
    ledger: Ledger, secrets: Secrets, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once, at the unit with which the last part begins."""
    await ledger.open_lot(lot(planned=3, size=10), ANNA)
    for board in range(3):
        await recognised(await begun(ledger, secrets), board)
    warned = [line for line in capsys.readouterr().out.splitlines() if "lot.ends_soon" in line]
    assert len(warned) == 1
    assert "units_left=1" in warned[0]


async def test_an_order_whose_recipe_requires_labels_counts_bound_units_as_done(
    ledger: Ledger, path: Path, secrets: Secrets
) -> None:
    """A later print voids the scan. Without the requirement nothing waits for a label."""
    await ledger.open_lot(lot(planned=5, size=5), ANNA)
    for board in (1, 2, 3):
        await unit(ledger, secrets, board)

    def counted() -> tuple[int, int, int | None, list[str]]:
        found = lot_reader.lot(path, "W1")
        assert found is not None
        record, balance = found
        assert (record.unbound, record.to_do) == (balance.unbound, balance.to_do)
        return balance.bound, balance.unbound, balance.to_do, list(balance.mistakes())

    async def told(board: int, event: LabelEvent, copy: int = 1) -> None:
        await ledger.record_label(LabelDeed(datetime.now(UTC), target(board).uid, event, copy, "anna"))

    for board in (1, 2):
        await told(board, LabelEvent.PRINT_STARTED)
        await told(board, LabelEvent.BOUND)
    assert counted() == (2, 0, 2, [])
    for _ in range(2):
        await ledger.require_labels(RECIPE.sha256)
    assert counted() == (2, 1, 3, [])
    await told(2, LabelEvent.PRINT_STARTED, 2)
    assert counted() == (1, 2, 4, [])
    await told(2, LabelEvent.BOUND, 2)
    assert counted() == (2, 1, 3, [])


async def test_the_prints_of_a_lot_add_up(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Every print is void, bound, waiting, of a burned unit or of a sample; counted by hand."""
    await unit(ledger, secrets, 1)  # in the recipe's own lot
    await ledger.open_lot(lot(planned=9, size=9), ANNA)
    for board in range(10, 17):
        await unit(ledger, secrets, board)

    async def told(board: int, *events: tuple[LabelEvent, int]) -> None:
        for event, copy in events:
            await ledger.record_label(LabelDeed(datetime.now(UTC), target(board).uid, event, copy, "anna", slot="1"))

    started, bound = LabelEvent.PRINT_STARTED, LabelEvent.BOUND
    await told(1, (started, 1))
    await told(10, (started, 1), (LabelEvent.PRINTED, 1), (bound, 1))
    await told(11, (started, 1), (bound, 1), (started, 2), (started, 3), (LabelEvent.MISMATCHED, 3))  # waits again
    await told(12, (started, 1), (LabelEvent.UNPROVEN, 1))  # waits
    await told(13, (started, 1), (started, 2), (bound, 2))
    await told(14, (started, 1), (bound, 1))  # will be scrapped
    await told(15, (started, 1), (started, 2))  # will be a sample; nobody prints the label of 16
    await ledger.scrap(target(14).uid, ANNA)
    await ledger.samples.add(target(15).uid, Expected("pass"), ANNA)

    found = lot_reader.lot(path, "W1")
    assert found is not None
    balance = found[1]
    assert (balance.labels_printed, balance.labels_copies, balance.labels_void) == (10, 4, 4)
    assert (balance.bound, balance.labels_waiting) == (2, 2)
    assert (balance.labels_of_burned, balance.labels_of_samples) == (1, 1)
    assert list(balance.mistakes()) == []
    counts = {each.name: (each.labels, each.labels_void, each.bound) for each in lot_counts.counted(path, {})}
    assert counts == {RECIPE.lot.name: (1, 0, 0), "W1": (10, 4, 2)}
    filed = {each.subject: each.value for each in lot_report.report(path, "W1") or () if each.section == "balance"}
    assert (filed["labels_printed"], filed["labels_void"], filed["bound"]) == ("10", "4", "2")
    with closing(sqlite3.connect(path)) as connection, connection:
        for name in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name[0]}")
        connection.execute("DELETE FROM label_event WHERE copy = 2 AND uid = ?", (str(target(11).uid),))
    found = lot_reader.lot(path, "W1")
    assert found is not None
    assert list(found[1].mistakes()) == ["4 labels are further copies, and they void 3"]
