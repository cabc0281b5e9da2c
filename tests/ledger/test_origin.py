# SPDX-License-Identifier: Apache-2.0
"""A board that arrives with a key: whether it is ours, and how an engineer releases it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from station.adapters.ledger import Ledger
from station.adapters.ledger.journal import AttemptJournal
from station.adapters.ledger.reader import LedgerReader
from station.adapters.ledger.register import Register, default_folder
from station.adapters.ledger.restoration import restore
from station.cli.ledger import units
from station.domain.attempt import FactoryDataWritten, LaboratoryUnit, Phase, UnitIdentified, Voided
from station.domain.intervention import DecisionRefused
from station.domain.target import Target
from station.faults.slot import UnitElsewhere
from station.procedure.identity import check_ours
from tests.builders.bench import Secrets, begun, certified, execute, recognised, rows, target

REASON = "its first ledger burned with the old PC"


def with_key(board: int) -> Target:
    return replace(target(board), agent_key="c0" * 32)


async def plugged(ledger: Ledger, board: int) -> AttemptJournal:
    """An attempt that knows its board."""
    journal = await begun(ledger, Secrets())
    await journal.step(Phase.RECOGNISE).__aenter__()
    await journal.record(UnitIdentified.of(target(board)))
    return journal


async def is_elsewhere(ledger: Ledger, board: int) -> bool:
    journal = await plugged(ledger, board)
    try:
        await check_ours(with_key(board), journal)
    except UnitElsewhere:
        return True
    return False


async def test_an_unknown_board_with_a_key_is_elsewhere(ledger: Ledger, path: Path) -> None:
    """The ledger gives the board no identity."""
    with pytest.raises(UnitElsewhere) as caught:
        await check_ours(with_key(1), await plugged(ledger, 1))
    evidence = {"uid": str(target(1).uid), "key": "c0" * 32, "known": "nothing of it is known here"}
    assert caught.value.evidence == evidence
    assert rows(path, "SELECT count(*) FROM identity") == [(0,)]


async def test_a_board_without_a_key_is_nobodys(ledger: Ledger) -> None:
    """This holds for known and unknown boards."""
    await check_ours(target(1), await plugged(ledger, 1))


async def test_a_board_that_this_ledger_may_have_given_its_key_is_ours(ledger: Ledger) -> None:
    """A board is ours from its first byte of factory data on: a firmware may have made a key before a power cut."""
    journal = await begun(ledger, Secrets())
    await recognised(journal, board=1)
    async with journal.step(Phase.FLASH_DATA):
        await journal.record(FactoryDataWritten())
    assert not await is_elsewhere(ledger, 1)
    await certified(await begun(ledger, Secrets()), board=2)
    assert not await is_elsewhere(ledger, 2)


async def test_an_identity_that_never_left_the_ledger_gave_no_key(ledger: Ledger) -> None:
    """The board was pulled before it was written to, and came back from another station."""
    await recognised(await begun(ledger, Secrets()), board=1)
    assert await is_elsewhere(ledger, 1)


async def test_a_laboratorys_own_board_is_ours(ledger: Ledger) -> None:
    """The laboratory's board has no identity in the ledger, but its key was made here."""
    journal = await plugged(ledger, 1)
    await journal.record(LaboratoryUnit())
    for phase in (Phase.FLASH_DATA, Phase.FLASH_PROVISIONER):
        async with journal.step(phase):
            pass
    assert not await is_elsewhere(ledger, 1)


async def test_a_released_board_is_a_new_one(ledger: Ledger, path: Path) -> None:
    """The release holds until the board has an identity; the story has person and reason."""
    assert await is_elsewhere(ledger, 1)
    await ledger.release_unit(target(1).uid, account="ada", reason=REASON)
    assert not await is_elsewhere(ledger, 1)
    await recognised(await begun(ledger, Secrets()), board=1)
    assert not await is_elsewhere(ledger, 1)
    assert await is_elsewhere(ledger, 2)
    story = LedgerReader(path).unit(str(target(1).uid))
    assert story is not None
    assert [(release.account, release.reason) for release in story.releases] == [("ada", REASON)]


async def test_a_release_is_durable_and_never_edited(path: Path) -> None:
    """The database protects releases as it protects the journal."""
    async with Ledger.open(path, station="line-1") as ledger:
        assert await is_elsewhere(ledger, 1)
        await ledger.release_unit(target(1).uid, account="ada", reason=REASON)
    async with Ledger.open(path, station="line-1") as ledger:
        assert not await is_elsewhere(ledger, 1)
    for statement in ("DELETE FROM unit_release", "UPDATE unit_release SET account = 'eve'"):
        with pytest.raises(Exception, match="never edited"):
            execute(path, statement)


async def test_a_release_does_not_hold_in_a_ledger_that_was_put_back(path: Path) -> None:
    """The board may have been provisioned after the backup, and would get a second identity."""
    async with Ledger.open(path, station="line-1") as ledger:
        assert await is_elsewhere(ledger, 1)
        await ledger.release_unit(target(1).uid, account="ada", reason=REASON)
    restore(path, "line-1", Register(default_folder()), skip=10, new_key=False)
    async with Ledger.open(path, station="line-1") as ledger:
        assert await is_elsewhere(ledger, 1)
        await ledger.release_unit(target(1).uid, account="ada", reason=REASON)
        assert not await is_elsewhere(ledger, 1)


async def test_nothing_is_released_that_is_not_elsewhere(ledger: Ledger) -> None:
    """The command refuses a mistyped UID, a unit of this ledger, and a reason without readable text."""
    with pytest.raises(DecisionRefused, match="has been in a slot"):
        await ledger.release_unit(target(1).uid, account="ada", reason=REASON)
    await certified(await begun(ledger, Secrets()), board=2)
    with pytest.raises(DecisionRefused, match="this ledger's own"):
        await ledger.release_unit(target(2).uid, account="ada", reason=REASON)
    assert await is_elsewhere(ledger, 3)
    for reason in ("", "  ", "two\nlines", "\x1b[2J", "x" * 501):
        with pytest.raises(DecisionRefused, match="one line"):
            await ledger.release_unit(target(3).uid, account="ada", reason=reason)
    with pytest.raises(DecisionRefused, match="account"):
        await ledger.release_unit(target(3).uid, account="", reason=REASON)


async def test_the_command_releases_in_a_ledger_that_nobody_writes(path: Path) -> None:
    """`gen-factory-data` leaves such a ledger; `units show` has the release."""
    uid = str(target(1).uid)
    async with Ledger.open(path, station="line-1") as ledger:
        journal = await plugged(ledger, 1)
        await journal.finish(Voided("unit.elsewhere"))
    await asyncio.to_thread(run, "fresh", uid, "--reason", REASON, ledger=path)
    assert REASON in await asyncio.to_thread(run, "show", uid, ledger=path)
    async with Ledger.open(path, station="line-1") as ledger:
        assert not await is_elsewhere(ledger, 1)


def run(*arguments: str, ledger: Path, status: int = 0) -> str:
    result = CliRunner().invoke(units.app, [*arguments, "--ledger", str(ledger)])
    assert result.exit_code == status, result.output
    return result.output


def test_the_command_makes_no_ledger(tmp_path: Path) -> None:
    """A mistyped path is an error."""
    result = CliRunner().invoke(
        units.app, ["fresh", "00" * 12, "--reason", REASON, "--ledger", str(tmp_path / "ledger.sqlite")]
    )
    assert "there is no ledger" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_uid_is_wrong_usage(path: Path) -> None:
    """A serial number does not do, since only units of this ledger have one."""
    assert "24 hexadecimal digits" in run("fresh", "SN000001", "--reason", REASON, ledger=path, status=2)
