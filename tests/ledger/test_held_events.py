# SPDX-License-Identifier: Apache-2.0
"""Events that are written with the next unit of work, when that fails."""

import asyncio
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, attempts, identities
from station.adapters.system.verifiers import VerifierPool
from station.domain.attempt import FactoryDataWritten, Phase, UnitIdentified, Voided
from station.faults.line import LotFull
from tests.builders.bench import begun, recognised, rows, target

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


async def test_a_step_and_its_intent_are_durable_together_before_its_body_runs(path: Path) -> None:
    """One commit for both, since nothing happens between them."""
    async with Ledger.open(path, station="line-1") as ledger, VerifierPool(1000, 1) as secrets:
        journal = await begun(ledger, secrets)
        await recognised(journal, 1)
        before = ledger.status["commits"]
        async with journal.step(Phase.FLASH_DATA, FactoryDataWritten()):
            assert ledger.status["commits"] == int(str(before)) + 1
            assert rows(path, "SELECT type FROM event ORDER BY id DESC LIMIT 2") == [
                ("FactoryDataWritten",),
                ("StepStarted",),
            ]


async def test_a_boards_past_and_its_identity_are_one_look(path: Path) -> None:
    """Whoever asks for the identity next gets it as it was then, and whoever asks once more as it is."""
    async with Ledger.open(path, station="line-1") as ledger, VerifierPool(1000, 1) as secrets:
        identity = await recognised(await begun(ledger, secrets), 1)
        journal = await begun(ledger, secrets, slot="2")
        async with journal.step(Phase.RECOGNISE):
            await journal.past_of(target(1).uid)
            commits = ledger.status["commits"]
            found = await journal.find_identity(target(1).uid)
            assert ledger.status["commits"] == commits
            again = await journal.find_identity(target(1).uid)
            assert ledger.status["commits"] != commits
    assert found is not None
    assert found == again
    assert found.serial_number == identity.serial_number
