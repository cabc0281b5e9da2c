# SPDX-License-Identifier: Apache-2.0
"""What the operator's page reads from the ledger: the lot's counts, and the seconds that each step usually takes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.board_reader import BoardReader, LotCounts
from station.domain.attempt import Failed, Voided
from station.faults.line import LedgerUnavailable
from tests.builders.bench import LOT, Secrets, begun, certified, execute, passed, recipe_with, recognised


async def test_a_lot_counts_units_that_passed_and_boards_that_failed(
    ledger: Ledger, path: Path, secrets: Secrets
) -> None:
    """A void attempt counts as neither, an attempt on another lot as nothing; and each is counted once, however late its verdict comes."""
    reader = BoardReader(path, LOT.name)
    assert reader.lot() == LotCounts(0, 0)
    late = await begun(ledger, secrets)  # it is still open while later ones end
    await recognised(late, board=9)
    await passed(await begun(ledger, secrets), board=1, dac_serial_number="01")
    failed = await begun(ledger, secrets)
    await recognised(failed, board=2)
    await failed.finish(Failed("flash.mismatch"))
    void = await begun(ledger, secrets)
    await void.finish(Voided("board.removed"))
    assert reader.lot() == LotCounts(1, 1)
    assert reader.lot() == LotCounts(1, 1)
    await late.finish(Failed("board.silent"))
    assert reader.lot() == LotCounts(1, 2)
    other = await begun(ledger, secrets, recipe=recipe_with(replace(LOT, name="LOT-2", first=5000)))
    await other.finish(Failed("target.not_found"))
    assert reader.lot() == LotCounts(1, 2)
    assert BoardReader(path, LOT.name).lot() == LotCounts(1, 2)
    assert BoardReader(path, "LOT-2").lot() == LotCounts(0, 1)
    assert BoardReader(path, None).lot() is None


async def test_the_plan_of_a_procedure_is_what_its_passes_took(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """The median of each step; an attempt that did not pass says nothing."""
    for board, seconds in enumerate((1.0, 2.0, 9.0), 1):
        journal = await begun(ledger, secrets)
        await passed(journal, board, dac_serial_number=f"0{board}")
        execute(path, "UPDATE attempt SET steps = ? WHERE id = ?", json.dumps({"recognise": seconds}), journal.number)
        chosen = "INSERT INTO event (attempt_id, at, type, body) VALUES (?, '2026', 'ProcedureChosen', ?)"
        execute(path, chosen, journal.number, json.dumps({"procedure": "provision"}))
    slow = await begun(ledger, secrets)
    await certified(slow, board=8, dac_serial_number="08")
    await slow.finish(Failed("board.silent"))
    assert BoardReader(path, LOT.name).plans() == {"provision": {"recognise": 2.0}}


def test_a_ledger_that_is_not_there_is_a_fault_of_the_line(tmp_path: Path) -> None:
    reader = BoardReader(tmp_path / "ledger.sqlite", "L")
    for read in (reader.lot, reader.plans):
        with pytest.raises(LedgerUnavailable):
            read()
