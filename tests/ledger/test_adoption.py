# SPDX-License-Identifier: Apache-2.0
"""The ledger's treatment of certificates from elsewhere, and of laboratory units."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from station.adapters.ledger.journal import AttemptJournal
from station.adapters.ledger.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from station.domain.attempt import Confirmed, FactoryDataWritten, LaboratoryUnit, Passed, Phase, UnitIdentified
from station.domain.credentials import Credentials
from station.domain.identity import GivenIdentity, IdentityState
from station.domain.product import KeyStorage
from station.factory_data import st_json
from station.factory_data.flat_tlv import Tag
from station.faults.unit import KeyShared
from station.procedure.identity import adopt
from station.recipe.recipe import Delivered
from tests.builders.bench import RECIPE, Secrets, begun, credentials, execute, recognised, rows, target

VECTORS = Path(__file__).parents[1] / "vectors" / "st"
FULL = st_json.from_json((VECTORS / "Full_FactoryData.json").read_bytes())


async def provisioned(journal: AttemptJournal, board: int, found: Credentials) -> None:
    """An attempt in which a partner has put these certificates on the board."""
    async with journal.step(Phase.FLASH_DATA):
        await journal.record(FactoryDataWritten())
    for step in (Phase.FLASH_PROVISIONER, Phase.DELIVER, Phase.FLASH_OPERATIONAL):
        async with journal.step(step):
            pass
    async with journal.step(Phase.CONFIRM):
        await adopt(Delivered(found, KeyStorage.FLASH), target(board).uid, journal)
        await journal.record(Confirmed())
    await journal.finish(Passed())


async def test_a_partners_certificate_is_the_boards_from_then_on(tmp_path: Path) -> None:
    """The next attempt finds it as if the PKI had issued it."""
    found = credentials(0x0B)
    async with Ledger.open(tmp_path / "ledger.sqlite", station="line-1") as ledger:
        journal = await begun(ledger, Secrets())
        await recognised(journal, 7)
        await provisioned(journal, 7, found)
        assert journal.attempt.dac_serial_number == "0B"
        identity = await recognised(await begun(ledger, Secrets()), 7)
    assert identity.state is IdentityState.PASSED
    assert identity.credentials == found


async def test_a_new_certificate_for_the_same_key_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """The partner delivered again: the board is checked against the new certificate, and its story has both."""
    key = ec.generate_private_key(ec.SECP256R1())
    old, new = credentials(0x0B, key), credentials(0x0C, key)
    async with Ledger.open(tmp_path / "ledger.sqlite", station="line-1") as ledger:
        for found in (old, new):
            journal = await begun(ledger, Secrets())
            await recognised(journal, 7)
            await provisioned(journal, 7, found)
        identity = await recognised(await begun(ledger, Secrets()), 7)
    assert identity.credentials == new
    story = LedgerReader(tmp_path / "ledger.sqlite").unit(identity.serial_number)
    assert story is not None
    assert [each.summary.dac_serial_number for each in story.attempts] == ["0B", "0C", None]


async def test_a_key_on_two_boards_is_a_fault(tmp_path: Path) -> None:
    """The second board reveals a partner's script that gives every board the same certificate."""
    found = credentials(0x0B)
    async with Ledger.open(tmp_path / "ledger.sqlite", station="line-1") as ledger:
        journal = await begun(ledger, Secrets())
        await recognised(journal, 7)
        await provisioned(journal, 7, found)
        second = await begun(ledger, Secrets())
        await recognised(second, 8)
        with pytest.raises(KeyShared):
            await provisioned(second, 8, found)


async def test_the_development_certificate_makes_a_laboratorys_unit(tmp_path: Path) -> None:
    """ST's demonstration firmware puts it on every board, so none of them counts as passed."""
    dac, pai = FULL.records[Tag.DEVICE_ATTESTATION_CERTIFICATE], FULL.records[Tag.PAI_CERTIFICATE]
    async with Ledger.open(tmp_path / "ledger.sqlite", station="line-1") as ledger:
        for board in (7, 8):
            journal = await begun(ledger, Secrets())
            await recognised(journal, board)
            await provisioned(journal, board, Credentials(dac, pai))
            assert journal.attempt.laboratory
            states = rows(tmp_path / "ledger.sqlite", "SELECT DISTINCT state FROM identity")
            assert states == [("on_board",)]
        await ledger.rebuild()  # gives the same state from the events: the board had the lot's identity before it was known as the laboratory's
    states = rows(tmp_path / "ledger.sqlite", "SELECT state, count(*) FROM identity GROUP BY state")
    assert states == [("on_board", 2)]
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [(unit.verdict, unit.dac_serial_number, unit.attempts) for unit in reader.units()] == [(None, None, 1)] * 2
    totals = reader.totals()
    assert (totals.passed, totals.laboratory, totals.judged, totals.passed_first) == (2, 2, 0, 0)


async def test_a_given_identity_is_nobodys(tmp_path: Path) -> None:
    """It uses up no serial number of the lot, and two boards may have the same one."""
    recipe = replace(RECIPE, given=GivenIdentity(FULL))
    async with Ledger.open(tmp_path / "ledger.sqlite", station="line-1") as ledger:
        for board in (7, 8):
            identity = await recognised(await begun(ledger, Secrets(), recipe=recipe), board, recipe)
            assert identity.serial_number == "TEST_SN"
    assert rows(tmp_path / "ledger.sqlite", "SELECT count(*) FROM identity") == [(0,)]


async def test_a_laboratorys_attempt_leaves_a_production_units_state_alone(tmp_path: Path) -> None:
    """The state also stays when the states are rebuilt from the events."""
    path = tmp_path / "ledger.sqlite"
    async with Ledger.open(path, station="line-1") as ledger:
        await recognised(await begun(ledger, Secrets()), 7)
        journal = await begun(ledger, Secrets())
        async with journal.step(Phase.RECOGNISE):
            await journal.record(UnitIdentified.of(target(7)))
            await journal.record(LaboratoryUnit())
        async with journal.step(Phase.FLASH_DATA):
            await journal.record(FactoryDataWritten())
        async with journal.step(Phase.CONFIRM):
            pass
        await journal.finish(Passed())
        assert rows(path, "SELECT state FROM identity") == [("reserved",)]
        execute(path, "UPDATE identity SET state = 'burned'")
        await ledger.rebuild()
    assert rows(path, "SELECT state FROM identity") == [("reserved",)]
