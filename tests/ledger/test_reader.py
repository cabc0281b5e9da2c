# SPDX-License-Identifier: Apache-2.0
"""The reader: it sees committed data while the daemon writes, and changes nothing."""

from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from station.adapters.ledger import Ledger, sqlite, tables
from station.adapters.ledger.reader import LedgerReader, Totals
from station.domain.attempt import Failed, Phase, UnitIdentified, Voided
from station.faults.line import LedgerUnavailable
from tests.builders.bench import Secrets, begun, passed, recognised, target


async def test_a_reader_sees_each_attempt_as_soon_as_it_is_acknowledged(
    ledger: Ledger, path: Path, secrets: Secrets
) -> None:
    """The reader has its own connection beside the writer's; a listing shows one moment."""
    reader = LedgerReader(path)
    first = await begun(ledger, secrets)
    listing = reader.attempts()
    assert next(listing).number == first.number
    second = await begun(ledger, secrets)
    assert list(listing) == []
    assert [attempt.number for attempt in reader.attempts()] == [first.number, second.number]


async def test_a_ledger_that_no_daemon_has_open_can_be_read(path: Path, secrets: Secrets) -> None:
    """Reading commands work while no daemon runs."""
    async with Ledger.open(path, station="line-1") as ledger:
        await passed(await begun(ledger, secrets), board=1)
    assert [unit.serial_number for unit in LedgerReader(path).units()] == ["SN000001"]


async def test_a_reader_cannot_write(ledger: Ledger, path: Path) -> None:
    """The reader's connection is read-only for every statement."""
    with pytest.raises(LedgerUnavailable, match="readonly") as raised, sqlite.reading(path) as connection:
        connection.execute(delete(tables.attempt))
    assert isinstance(raised.value.__cause__, OperationalError)


def test_a_ledger_that_is_not_there_is_told(path: Path) -> None:
    """A reading command makes no ledger."""
    with pytest.raises(LedgerUnavailable, match="there is no ledger at"):
        LedgerReader(path).totals()
    assert not path.exists()


def test_a_file_that_is_no_ledger_is_told(path: Path) -> None:
    """An empty database lacks the ledger's tables."""
    path.touch()
    with pytest.raises(LedgerUnavailable, match="no such table"):
        LedgerReader(path).totals()


async def test_a_unit_is_known_by_uid_and_by_serial_number(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """The UID may be in upper or lower case; an unknown unit is None."""
    identity = await passed(await begun(ledger, secrets), board=0xABC)
    reader = LedgerReader(path)
    story = reader.unit(identity.serial_number)
    assert story is not None
    assert story == reader.unit(str(identity.uid)) == reader.unit(str(identity.uid).upper())
    assert reader.unit("SN999999") is None


async def test_a_board_without_an_identity_has_a_story_too(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """A wrong part is recognised, but refused before it gets an identity."""
    journal = await begun(ledger, secrets)
    with pytest.raises(ZeroDivisionError):
        async with journal.step(Phase.RECOGNISE):
            await journal.record(UnitIdentified.of(target(5)))
            raise ZeroDivisionError
    await journal.finish(Failed("target.wrong_part", {"device_id": "0x435"}))
    story = LedgerReader(path).unit(str(target(5).uid))
    assert story is not None
    assert story.unit is None
    assert [attempt.summary.fault for attempt in story.attempts] == ["target.wrong_part"]


async def test_a_unit_shows_its_last_attempt_and_its_last_certificate(
    ledger: Ledger, path: Path, secrets: Secrets
) -> None:
    """The certificate stays visible if a later attempt ends without one."""
    await passed(await begun(ledger, secrets), board=1, dac_serial_number="AA")
    again = await begun(ledger, secrets)
    await recognised(again, board=1)
    await again.finish(Voided("board.removed"))
    (unit,) = LedgerReader(path).units()
    assert (unit.attempts, unit.verdict, unit.fault) == (2, "void", "board.removed")
    assert (unit.state, unit.dac_serial_number) == ("passed", "AA")


async def test_totals_count_attempts_and_first_pass_yield(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """A void attempt is not judged, so it spoils no first pass; a failure is remembered."""
    removed = await begun(ledger, secrets)
    await recognised(removed, board=1)
    await removed.finish(Voided("board.removed"))
    await passed(await begun(ledger, secrets), board=1)
    failed = await begun(ledger, secrets)
    await recognised(failed, board=2)
    await failed.finish(Failed("board.silent"))
    await passed(await begun(ledger, secrets), board=2)
    await begun(ledger, secrets)
    assert LedgerReader(path).totals() == Totals(
        attempts=5, passed=2, failed=1, void=1, units=2, judged=2, passed_first=1, laboratory=0
    )


async def test_attempts_on_one_board(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """The attempts come in the order in which they began."""
    for board in (1, 2, 1):
        await passed(await begun(ledger, secrets), board=board)
    assert [each.number for each in LedgerReader(path).attempts(uid=str(target(1).uid))] == [1, 3]
