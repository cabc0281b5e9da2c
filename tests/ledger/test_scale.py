# SPDX-License-Identifier: Apache-2.0
"""A ledger of many units costs a line no more than an empty one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.filled import fill
from station.adapters.ledger import Ledger, orphans
from station.adapters.ledger.reader import LedgerReader
from station.adapters.ledger.selection import Selection, attempts, numbers
from station.domain.attempt import (
    Confirmed,
    CoprocessorReady,
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
from station.domain.product import KeyStorage
from station.procedure.identity import adopt
from station.recipe.recipe import Delivered
from tests.builders.bench import RECIPE, Secrets, begun, credentials, recipe_with, recognised, rows, target
from tests.ledger.statements import Statements, Work

STACK = CoprocessorReady("5e" * 32, "1.2.0.0", "1.23.0.3", "1.24.0.3", upgraded=True)
RECIPE_OF_A_LOT = recipe_with(replace(RECIPE.lot, name="LOT-9", serial_number_format="T{:06d}"))


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two ledgers, of 128 and of 1,920 units."""
    folder = tmp_path_factory.mktemp("scale")
    small, large = folder / "small.sqlite", folder / "large.sqlite"
    fill(small, 128)
    fill(large, 1920)
    return small, large


async def provisioned(ledger: Ledger, board: int) -> None:
    """Provisions a board with coprocessor work, a secret pair that is already taken, and a PKI that first refuses."""
    uid, answer = target(board).uid, credentials((board << 64) + 1)
    journal = await begun(ledger, Secrets(numbers=(board, board + 1)), recipe=RECIPE_OF_A_LOT)
    await recognised(journal, board, RECIPE_OF_A_LOT)
    async with journal.step(Phase.COPROCESSOR):
        await journal.record(STACK)
    async with journal.step(Phase.FLASH_DATA):
        await journal.record(FactoryDataWritten())
    async with journal.step(Phase.FLASH_PROVISIONER):
        pass
    async with journal.step(Phase.AWAIT_CSR):
        await journal.record(CSRReceived(answer.key))
    async with journal.step(Phase.RELAY_TO_PKI):
        assert (await ledger.issuance.of_key(answer.key, uid)).credentials is None
        await ledger.issuance.submitted(answer.key, b"CSR", uid)
        await ledger.issuance.record_rejected(answer.key, "no")
        await ledger.issuance.submitted(answer.key, b"CSR", uid)
        await ledger.issuance.record_issued(answer.key, answer)
        await journal.record(CredentialsChosen(answer.key, answer.dac_serial_number))
    async with journal.step(Phase.DELIVER):
        await journal.record(CredentialsDelivered(answer.dac_serial_number))
    async with journal.step(Phase.FLASH_OPERATIONAL):
        pass
    async with journal.step(Phase.CONFIRM):
        await journal.record(Confirmed())
    async with journal.step(Phase.LOCK):
        pass
    await journal.finish(Passed())


async def reconfirmed(ledger: Ledger, board: int) -> None:
    journal = await begun(ledger, Secrets())
    identity = await recognised(journal, board)
    assert identity.confirmation is not None
    assert identity.coprocessor == STACK
    assert (await ledger.issuance.of_key(identity.issued.key, identity.uid)).credentials == identity.credentials
    async with journal.step(Phase.CONFIRM):
        await journal.record(Confirmed())
    await journal.finish(Passed())


async def finished_for_a_partner(ledger: Ledger, board: int, key: ec.EllipticCurvePrivateKey, serial: int) -> None:
    journal = await begun(ledger, Secrets(numbers=(board, board + 1)), recipe=RECIPE_OF_A_LOT)
    await recognised(journal, board, RECIPE_OF_A_LOT)
    async with journal.step(Phase.FLASH_DATA):
        await journal.record(FactoryDataWritten())
    for step in (Phase.FLASH_PROVISIONER, Phase.DELIVER, Phase.FLASH_OPERATIONAL):
        async with journal.step(step):
            pass
    async with journal.step(Phase.CONFIRM):
        await adopt(Delivered(credentials(serial, key), KeyStorage.FLASH), target(board).uid, journal)
    await journal.finish(Failed("readback.differs"))


async def made_for_the_laboratory(ledger: Ledger, board: int) -> None:
    journal = await begun(ledger, Secrets())
    async with journal.step(Phase.RECOGNISE):
        await journal.record(UnitIdentified.of(target(board)))
        await journal.record(LaboratoryUnit())
    async with journal.step(Phase.CONFIRM):
        pass
    await journal.finish(Passed())


async def every_procedure(ledger: Ledger, first: int) -> None:
    """Runs every procedure, on boards from this number on, which the ledger does not know."""
    await provisioned(ledger, first)
    await reconfirmed(ledger, first)
    key = ec.generate_private_key(ec.SECP256R1())
    for serial in (1, 2):
        await finished_for_a_partner(ledger, first + 2, key, (first << 64) + 1000 + serial)
    await made_for_the_laboratory(ledger, first)
    await begun(ledger, Secrets())


async def test_no_statement_of_an_attempt_walks_through_a_table(ledger: Ledger, path: Path) -> None:
    """In every procedure SQLite finds each row by an index, and sorts nothing."""
    with Statements.collected() as statements:
        await every_procedure(ledger, first=1)
        await ledger.close_open_attempts("station.stopped")
    assert len(statements.executed) > 20
    assert statements.walks(path) == []


async def test_an_attempt_is_as_much_work_in_a_large_ledger(ledgers: tuple[Path, Path]) -> None:
    """SQLite visits as many rows with 1,920 units as with 128."""
    rounds = []
    for path in ledgers:
        with Work.counted() as work:
            async with Ledger.open(path, station="line-1", register=path.parent) as ledger:
                before = work.rounds
                await every_procedure(ledger, first=1 << 24)
                rounds.append(work.rounds - before)
    small, large = rounds
    assert large < 1.05 * small


async def test_a_large_ledger_is_opened_with_as_much_work(ledgers: tuple[Path, Path]) -> None:
    """The search for open attempts visits as few rows, too."""
    rounds = []
    for path in ledgers:
        with Work.counted() as work:
            async with Ledger.open(path, station="line-1", register=path.parent) as ledger:
                await begun(ledger, Secrets())
                assert await ledger.close_open_attempts("station.stopped")
        rounds.append(work.rounds)
    small, large = rounds
    assert large < 1.05 * small


def test_the_newest_units_and_the_totals_are_read_with_as_much_work(ledgers: tuple[Path, Path]) -> None:
    """The story of one unit and the unanswered requests cost as much as in a small ledger."""
    rounds = []
    for path in ledgers:
        reader = LedgerReader(path)
        with Work.counted() as work:
            newest = list(reader.units(newest=64))
            story = reader.unit(newest[0].serial_number)
            lost, totals = orphans.listed(path), reader.totals()
        assert story is not None
        assert (len(newest), len(story.certificates), lost) == (64, 1, ())
        assert totals.units >= 128
        rounds.append(work.rounds)
    small, large = rounds
    assert large < 1.05 * small


def test_a_period_costs_its_own_attempts_only(ledgers: tuple[Path, Path]) -> None:
    """The newest attempts, and the numbers of an empty period, cost as much as in a small ledger."""
    rounds, later = [], Selection(since=datetime.now(UTC) + timedelta(days=1))
    for path in ledgers:
        with Work.counted() as work:
            newest = list(attempts(path, Selection(), newest=64))
            assert (len(newest), list(attempts(path, later)), numbers(path, later).attempts) == (64, [], 0)
        rounds.append(work.rounds)
    small, large = rounds
    assert large < 1.05 * small


async def test_a_filled_ledger_is_one_that_the_station_could_have_made(ledgers: tuple[Path, Path]) -> None:
    """The other tables of the benchmark's ledgers can be derived from their events."""
    small, _large = ledgers
    queries = [f"SELECT * FROM {name} ORDER BY 1" for name in ("attempt", "identity", "totals")]  # noqa: S608  our names
    before = [rows(small, query) for query in queries]
    async with Ledger.open(small, station="line-1", register=small.parent) as ledger:
        await ledger.rebuild()
    assert [rows(small, query) for query in queries] == before
