# SPDX-License-Identifier: Apache-2.0
"""Units that failed for good are quarantined; scrapped ones are burned, refused, and their certificates listed for revocation."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, lot_reader, orphans
from station.adapters.ledger.journal import AttemptJournal
from station.adapters.ledger.reader import LedgerReader
from station.daemon import control
from station.daemon.unit_commands import UnitCommands
from station.domain.attempt import Failed, Phase, UnitIdentified, Voided
from station.domain.disposition import DEAD
from station.domain.intervention import Decision, DecisionRefused
from station.domain.issuance import OrphanKind
from station.domain.policy import Suspicion
from station.faults import SlotFault
from station.faults.line import LotFull
from station.faults.slot import UnitQuarantined, UnitScrapped
from station.line.line import Line
from station.procedure.identity import check_not_put_away
from tests.builders.bench import RECIPE, Secrets, begun, passed, recognised, rows, target
from tests.builders.commands import station
from tests.ledger.test_lot_balance import unit
from tests.ledger.test_lots import ANNA, lot

UID = target(1).uid


async def plugged(ledger: Ledger, board: int = 1, *, after: int = 3) -> AttemptJournal:
    """An attempt as far as the board's UID is known, and the board may be worked on."""
    journal = await ledger.attempt(
        slot="1", probe="066AFF", tty="ttyACM0", recipe=RECIPE, secrets=Secrets(), quarantine_after=after
    )
    async with journal.step(Phase.RECOGNISE):
        await journal.record(UnitIdentified.of(target(board)))
        await check_not_put_away(target(board).uid, journal)
    return journal


async def failed(ledger: Ledger, *faults: str, after: int = 3) -> None:
    for fault in faults:
        await (await plugged(ledger, after=after)).finish(Failed(fault))


async def refused(ledger: Ledger) -> SlotFault:
    """The fault by which the board's next attempt is void."""
    journal = await begun(ledger, Secrets())
    with pytest.raises(SlotFault) as caught:
        async with journal.step(Phase.RECOGNISE):
            await journal.record(UnitIdentified.of(target(1)))
            await check_not_put_away(UID, journal)
    await journal.finish(Voided(caught.value.code))
    return caught.value


async def test_a_unit_that_failed_for_good_is_not_touched(ledger: Ledger, path: Path) -> None:
    """The third fail since it last passed; a void attempt is none."""
    await failed(ledger, "board.silent", "flash.mismatch")
    await (await plugged(ledger)).finish(Voided("board.removed"))
    await failed(ledger, "board.silent")
    fault = await refused(ledger)
    assert isinstance(fault, UnitQuarantined)
    assert fault.evidence == {"uid": str(UID)}
    story = LedgerReader(path).unit(str(UID))
    assert story is not None
    assert [(each.type, each.account, each.reason) for each in story.decisions] == [
        (
            "UnitQuarantined",
            None,
            "attempt 4 failed with board.silent, 3 fails since it last passed or was released",
        )
    ]


@pytest.mark.parametrize("fault", sorted(DEAD))
async def test_some_faults_need_no_second_fail(ledger: Ledger, fault: str) -> None:
    await failed(ledger, fault)
    assert isinstance(await refused(ledger), UnitQuarantined)


async def test_a_pass_forgives_the_fails_before_it(ledger: Ledger, secrets: Secrets) -> None:
    await failed(ledger, "board.silent", "board.silent")
    await passed(await begun(ledger, secrets), board=1)
    await failed(ledger, "board.silent", "board.silent")
    await plugged(ledger)


async def test_the_number_of_fails_is_a_setting(ledger: Ledger) -> None:
    """None at all with 0."""
    await failed(ledger, *["board.silent"] * 5, after=0)
    await failed(ledger, "board.silent", after=7)
    await failed(ledger, "board.silent", after=7)
    assert isinstance(await refused(ledger), UnitQuarantined)


async def test_an_engineer_releases_a_unit(ledger: Ledger, path: Path) -> None:
    """With name and reason; its fails so far count no more."""
    with pytest.raises(DecisionRefused, match="in no quarantine"):
        await ledger.release_from_quarantine(UID, ANNA)
    await failed(ledger, *["board.silent"] * 3)
    with pytest.raises(DecisionRefused, match="the reason must be one line"):
        await ledger.release_from_quarantine(UID, Decision("anna", ""))
    await ledger.release_from_quarantine(UID, Decision("anna", "bad cable"))
    await failed(ledger, *["board.silent"] * 2)
    await failed(ledger, "board.silent")
    assert isinstance(await refused(ledger), UnitQuarantined)
    assert rows(path, "SELECT type, account, reason FROM unit_event WHERE account IS NOT NULL") == [
        ("UnitReleased", "anna", "bad cable")
    ]


async def test_a_scrapped_unit_is_not_touched(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Its identity is burned for ever, and its certificate listed until somebody has had it revoked."""
    await unit(ledger, secrets, 1)
    serial_number = await ledger.scrap(UID, Decision("anna", "cracked"))
    assert serial_number
    fault = await refused(ledger)
    assert isinstance(fault, UnitScrapped)
    (found,) = LedgerReader(path).units()
    assert (found.state.value, found.disposition) == ("burned", "scrapped")
    (orphan,) = orphans.listed(path)
    assert (orphan.kind, orphan.uid, orphan.serial_number) == (OrphanKind.SCRAPPED, str(UID), serial_number)
    assert (orphan.reason, orphan.also_live) == ("cracked", False)
    exported = await asyncio.to_thread(station, "pki", "export-revocations", "--jsonl", "--ledger", path)
    assert json.loads(exported.stdout)["serial_number"] == serial_number
    await ledger.issuance.close_orphan(orphan.id, ANNA)
    assert orphans.listed(path) == ()
    with pytest.raises(DecisionRefused, match="no open orphan D1"):
        await ledger.issuance.close_orphan(orphan.id, ANNA)
    for again in (ledger.scrap, ledger.release_from_quarantine):
        with pytest.raises(DecisionRefused, match="is scrapped already"):
            await again(UID, ANNA)


async def test_a_live_units_certificate_is_no_orphan_that_anybody_could_close(ledger: Ledger, secrets: Secrets) -> None:
    await unit(ledger, secrets, 1)
    with pytest.raises(DecisionRefused, match="no open orphan D1"):
        await ledger.issuance.close_orphan("D1", ANNA)


async def test_a_unit_at_work_is_not_scrapped(ledger: Ledger) -> None:
    """Its certificate may be under way."""
    with pytest.raises(DecisionRefused, match="no board with UID"):
        await ledger.scrap(UID, ANNA)
    journal = await plugged(ledger)
    with pytest.raises(DecisionRefused, match="attempt 1 is at work on the unit"):
        await ledger.scrap(UID, ANNA)
    await journal.finish(Voided("board.removed"))
    assert await ledger.scrap(UID, ANNA) is None
    assert isinstance(await refused(ledger), UnitScrapped)


async def test_a_scrapped_unit_makes_room_in_its_order(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Another unit takes its place, with a serial number of its own; the balance adds up."""
    await ledger.open_lot(lot(planned=2, size=3), ANNA)
    await unit(ledger, secrets, 1)
    await unit(ledger, secrets, 2, "board.key_changed")
    with pytest.raises(LotFull):
        await recognised(await begun(ledger, secrets), 3)
    line = Line(Suspicion())
    line.pause(LotFull("W1", 2))
    commands = UnitCommands(ledger, line)
    question = {"uid": str(target(2).uid), "who": "anna", "reason": "dead"}
    answer = await commands.by_name["unit_scrap"](question)
    assert isinstance(answer, Mapping)
    assert answer["certificate"]
    assert line.paused_by is None
    assert (await recognised(await begun(ledger, secrets), 3)).serial_number == "W0003"
    found = lot_reader.lot(path, "W1")
    assert found is not None
    balance = found[1]
    assert (balance.passed, balance.burned, balance.scrapped, balance.dacs_to_revoke) == (1, 1, 1, 1)
    assert (balance.identities, balance.numbers_left, balance.quarantined) == (3, 0, 0)
    assert list(balance.mistakes()) == []
    before = rows(path, "SELECT state FROM identity"), rows(path, "SELECT live FROM lot")
    await ledger.rebuild()
    assert (rows(path, "SELECT state FROM identity"), rows(path, "SELECT live FROM lot")) == before


async def test_the_daemon_refuses_in_a_sentence(ledger: Ledger) -> None:
    commands = UnitCommands(ledger, Line(Suspicion())).by_name
    for command in ("unit_release", "unit_scrap"):
        for uid, why in (("x", "24 hexadecimal"), (str(UID), "no board with UID|in no quarantine")):
            with pytest.raises(control.CommandRefused, match=why):
                await commands[command]({"uid": uid, "who": "anna", "reason": "why"})


async def test_what_was_decided_is_never_edited(ledger: Ledger, path: Path) -> None:
    await failed(ledger, *["board.silent"] * 3)
    with closing(sqlite3.connect(path)) as connection, connection:
        for edit in ("UPDATE unit_event SET reason = ''", "DELETE FROM unit_event"):
            with pytest.raises(sqlite3.IntegrityError, match="never edited"):
                connection.execute(edit)


async def test_people_see_it(ledger: Ledger, path: Path) -> None:
    """In the list, and in the unit's story."""
    journal = await plugged(ledger)
    await journal.finish(Failed("board.key_shared"))
    shown = await asyncio.to_thread(station, "units", "show", str(UID), "--ledger", path)
    assert "UnitQuarantined" in shown.stdout
    assert "by the station: attempt 1 failed with board.key_shared" in shown.stdout
    told = json.loads((await asyncio.to_thread(station, "units", "show", str(UID), "--json", "--ledger", path)).stdout)
    assert told["decisions"][0]["type"] == "UnitQuarantined"
