# SPDX-License-Identifier: Apache-2.0
"""Identities: each board has one, and unique values stay unique."""

import asyncio
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from station.adapters.ledger import Ledger, sqlite, tables
from station.adapters.ledger.reader import LedgerReader
from station.domain.attempt import Confirmed, FactoryDataWritten, Failed, LaboratoryUnit, Phase
from station.domain.identity import IdentityState, Lot
from station.faults.line import LotExhausted, SerialNumberTaken
from tests.builders.bench import (
    RECIPE,
    Secrets,
    begun,
    certified,
    execute,
    onboarding,
    passed,
    recipe_with,
    recognised,
    rows,
)


def state(path: Path, board: int) -> IdentityState:
    (unit,) = (unit for unit in LedgerReader(path).units() if int(unit.uid, 16) == board)
    return unit.state


async def test_a_new_board_gets_the_next_serial_number_of_its_lot(ledger: Ledger, secrets: Secrets) -> None:
    """Numbers of one lot are consecutive; the ordinal counts over the whole ledger."""
    other = recipe_with(Lot("LOT-2", "B{:04d}", first=500, size=10))
    first = await recognised(await begun(ledger, secrets), board=1)
    second = await recognised(await begun(ledger, secrets, recipe=other), board=2, recipe=other)
    third = await recognised(await begun(ledger, secrets), board=3)
    assert [each.serial_number for each in (first, second, third)] == ["SN000001", "B0500", "SN000002"]
    assert [each.ordinal for each in (first, second, third)] == [1, 2, 3]
    assert first.manufacturing_date == f"{datetime.now(UTC):%Y%m%d}"


async def test_the_same_board_has_the_same_identity_for_ever(path: Path, secrets: Secrets) -> None:
    """Identity and secrets survive attempts and restarts of the daemon; the attempts are counted."""
    async with Ledger.open(path, station="line-1") as ledger:
        journal = await begun(ledger, secrets)
        first = await recognised(journal, board=7)
        await journal.finish(Failed("board.silent"))
    async with Ledger.open(path, station="line-1") as ledger:
        again = await recognised(await begun(ledger, secrets), board=7)
    assert (first.attempts, again.attempts) == (1, 2)
    assert (again.uid, again.ordinal, again.serial_number) == (first.uid, first.ordinal, first.serial_number)
    assert again.secrets == first.secrets == onboarding(1001)
    assert again.rotating_device_id == first.rotating_device_id
    assert secrets.taken == 1


async def test_a_board_is_touched_when_flashing_began_after_it_was_confirmed(ledger: Ledger, secrets: Secrets) -> None:
    """Every attempt counts, whatever its verdict, also a laboratory's; the next confirmation resets it."""

    async def touched() -> bool:
        confirmation = (await recognised(await begun(ledger, secrets), board=7)).confirmation
        assert confirmation is not None
        assert confirmation.images == {image.sha256 for image in RECIPE.images}
        return confirmation.touched

    assert (await recognised(await begun(ledger, secrets), board=7)).confirmation is None
    await passed(await begun(ledger, secrets), board=7)
    assert not await touched()
    journal = await begun(ledger, secrets)
    await recognised(journal, board=7)
    async with journal.step(Phase.FLASH_DATA):
        pass
    assert await touched()
    await passed(await begun(ledger, secrets), board=7)
    assert not await touched()
    laboratory = await begun(ledger, secrets)
    await recognised(laboratory, board=7)
    await laboratory.record(LaboratoryUnit())
    for step in (Phase.FLASH_DATA, Phase.CONFIRM):
        async with laboratory.step(step):
            pass
    await laboratory.record(Confirmed())
    assert await touched()


async def test_every_unit_has_a_rotating_device_id_of_its_own(ledger: Ledger, secrets: Secrets) -> None:
    """It is sixteen random bytes in hexadecimal, and the repr of an identity does not show it."""
    journals = [await begun(ledger, secrets) for _ in range(8)]
    units = [await recognised(journal, board) for board, journal in enumerate(journals)]
    ids = {str(unit.rotating_device_id) for unit in units}
    assert len(ids) == 8
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
    assert not [unit for unit in units if str(unit.rotating_device_id) in repr(unit)]


async def test_64_boards_at_once_get_64_identities(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Concurrent reservations never give one identity twice."""
    async with asyncio.TaskGroup() as group:
        for board in range(64):
            group.create_task(recognised(await begun(ledger, secrets), board))
    assert sorted(unit.serial_number for unit in LedgerReader(path).units()) == [f"SN{n:06d}" for n in range(1, 65)]


async def test_a_pair_that_another_unit_has_is_not_used(ledger: Ledger, path: Path) -> None:
    """Passcode and discriminator are unique as a pair; the ledger takes new ones and loses no serial number."""
    secrets = Secrets(numbers=(1, 1, 1, 2))
    first = await recognised(await begun(ledger, secrets), board=1)
    second = await recognised(await begun(ledger, secrets), board=2)
    assert (first.secrets, second.secrets) == (onboarding(1), onboarding(2))
    assert second.serial_number == "SN000002"
    assert secrets.taken == 4


async def test_an_exhausted_lot_is_the_lines_fault(ledger: Ledger, secrets: Secrets) -> None:
    """The line pauses; a board that already has an identity is still served."""
    small = recipe_with(Lot("LOT-3", "C{:02d}", first=1, size=1))
    await recognised(await begun(ledger, secrets, recipe=small), board=1, recipe=small)
    with pytest.raises(LotExhausted, match="LOT-3"):
        await recognised(await begun(ledger, secrets, recipe=small), board=2, recipe=small)
    again = await recognised(await begun(ledger, secrets, recipe=small), board=1, recipe=small)
    assert again.serial_number == "C01"


async def test_overlapping_lots_are_the_lines_fault(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """No serial number is given out twice, whatever the recipes say."""
    await recognised(await begun(ledger, secrets), board=1)
    overlapping = recipe_with(Lot("LOT-4", "SN{:06d}", first=1, size=10))
    with pytest.raises(SerialNumberTaken, match="SN000001"):
        await recognised(await begun(ledger, secrets, recipe=overlapping), board=2, recipe=overlapping)
    assert len(list(LedgerReader(path).units())) == 1


async def test_an_identity_goes_as_far_as_its_events(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """An identity is reserved, on board, certified, or passed."""
    await recognised(await begun(ledger, secrets), board=1)
    writing = await begun(ledger, secrets)
    await recognised(writing, board=2)
    async with writing.step(Phase.FLASH_DATA):
        await writing.record(FactoryDataWritten())
    delivering = await begun(ledger, secrets)
    await certified(delivering, board=3)
    await delivering.step(Phase.DELIVER).__aenter__()
    await passed(await begun(ledger, secrets), board=4)
    assert [state(path, board) for board in (1, 2, 3, 4)] == ["reserved", "on_board", "certified", "passed"]


async def test_an_identity_never_goes_back(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """A unit that has passed stays passed, whatever the verdict of a later attempt."""
    await passed(await begun(ledger, secrets), board=1)
    again = await begun(ledger, secrets)
    await certified(again, board=1)
    assert state(path, 1) == "passed"
    await again.finish(Failed("board.silent"))
    assert state(path, 1) == "passed"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE identity SET uid = (SELECT uid FROM identity WHERE id = 1) WHERE id = 2",
        "UPDATE identity SET serial_number = (SELECT serial_number FROM identity WHERE id = 1) WHERE id = 2",
        "UPDATE identity SET pairing_hash = (SELECT pairing_hash FROM identity WHERE id = 1) WHERE id = 2",
        "UPDATE identity SET lot_index = (SELECT lot_index FROM identity WHERE id = 1) WHERE id = 2",
    ],
)
async def test_what_must_be_unique_is_a_constraint(
    ledger: Ledger, path: Path, secrets: Secrets, statement: str
) -> None:
    """The database itself refuses a duplicate, not only the station's code."""
    await recognised(await begun(ledger, secrets), board=1)
    await recognised(await begun(ledger, secrets), board=2)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        execute(path, statement)


async def test_no_secret_stands_outside_its_table(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Neither events nor attempts nor the reader's answers contain a secret."""
    identity = await passed(await begun(ledger, secrets), board=1)
    onboarding = identity.secrets
    told = [
        *rows(path, "SELECT * FROM attempt"),
        *rows(path, "SELECT * FROM event"),
        *rows(path, "SELECT * FROM identity"),
        LedgerReader(path).unit(identity.serial_number),
        list(LedgerReader(path).units()),
    ]
    text = repr(told)
    assert identity.serial_number in text
    for secret in (str(onboarding.passcode.value), onboarding.salt.hex(), onboarding.verifier.hex()):
        assert secret not in text
    assert "canary" not in text


def test_a_database_error_does_not_tell_what_was_written(path: Path) -> None:
    """The message, which may end in the log, has no written value."""
    row = {"identity_id": 99, "key_id": "31415926", "wrapped_key": b"canary", "content": b"canary"}
    with sqlite.writing(path) as connection, pytest.raises(IntegrityError) as raised, connection.begin():
        connection.execute(insert(tables.sealed_secret), row)
    assert "FOREIGN KEY" in str(raised.value)
    assert not re.search("31415926|canary", str(raised.value))
