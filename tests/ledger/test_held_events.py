# SPDX-License-Identifier: Apache-2.0
"""Events that are written with the next unit of work, when that fails."""

import asyncio
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, attempts, identities
from station.adapters.system.verifiers import VerifierPool
from station.domain.attempt import Phase, UnitIdentified, Voided
from station.faults.line import LotFull
from tests.builders.bench import begun, rows, target

SUMMARY = "SELECT uid, verdict, fault, steps FROM attempt"


@pytest.mark.parametrize(
    ("module", "name", "uid"), [(identities, "find", str(target(1).uid)), (attempts, "append", None)]
)
async def test_after_a_bug_the_verdict_goes_with_what_was_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, module: object, name: str, uid: str | None
) -> None:
    """The attempt's columns say what its events say: those that the bug has spared, and no others."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    async with Ledger.open(path, station="line-1") as ledger, VerifierPool(1000, 1) as secrets:
        journal = await begun(ledger, secrets)
        with pytest.raises(ZeroDivisionError):
            async with journal.step(Phase.RECOGNISE):
                await journal.record(UnitIdentified.of(target(1)))
                with monkeypatch.context() as patched:
                    patched.setattr(module, name, broken)
                    await journal.find_identity(target(1).uid)
        await journal.finish(Voided("station.bug"))
        before = rows(path, SUMMARY)
        await ledger.rebuild()
    assert rows(path, SUMMARY) == before
    assert before[0][:3] == (uid, "void", "station.bug")


async def test_what_a_pulled_board_has_told_is_written_whatever_becomes_of_its_work(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work of a cancelled attempt is carried out all the same, and here it ends in a fault that nobody waits for."""

    def full(*_: object, **__: object) -> None:
        raise LotFull("lot", 1)

    async with Ledger.open(path, station="line-1") as ledger, VerifierPool(1000, 1) as secrets:
        journal = await begun(ledger, secrets)
        with pytest.raises(asyncio.CancelledError):
            async with journal.step(Phase.RECOGNISE):
                await journal.record(UnitIdentified.of(target(1)))
                with monkeypatch.context() as patched:
                    patched.setattr(identities, "find", full)
                    looking = asyncio.create_task(journal.find_identity(target(1).uid))
                    await asyncio.sleep(0)
                    looking.cancel()
                    await ledger.last_entry()  # carried out after it
                    await looking
        await journal.finish(Voided("board.removed"))
        before = rows(path, SUMMARY)
        await ledger.rebuild()
    assert rows(path, SUMMARY) == before
    assert before[0][:3] == (str(target(1).uid), "void", "board.removed")
