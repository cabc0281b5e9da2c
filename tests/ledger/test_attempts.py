# SPDX-License-Identifier: Apache-2.0
"""Attempts in the ledger: their events, the moment of each write, and their sums."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from benchmarks.rates import Units
from station.adapters.ledger import Ledger, tables
from station.adapters.ledger.reader import AttemptStory, LedgerReader
from station.domain.attempt import (
    ClockAccepted,
    CredentialsChosen,
    CredentialsDelivered,
    Event,
    FactoryDataWritten,
    Failed,
    Passed,
    Phase,
    Record,
    StepFinished,
    StepStarted,
    UnitIdentified,
    Voided,
)
from station.domain.intervention import Decision
from station.domain.transitions import replay
from station.domain.work_order import LotOpened
from station.faults.line import LotFull
from tests.builders.bench import RECIPE, Secrets, begun, certified, execute, passed, recognised, rows, target
from tests.ledger.statements import Durable


def story(path: Path, board: int) -> AttemptStory:
    """The last attempt on this board."""
    found = LedgerReader(path).unit(str(target(board).uid))
    assert found is not None
    return found.attempts[-1]


def events(path: Path, board: int) -> list[Event]:
    return [entry.event for entry in story(path, board).journal]


async def test_a_step_is_in_the_journal_before_its_body_runs(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """A power cut in the body leaves an open step in the journal."""
    journal = await begun(ledger, secrets)
    await recognised(journal, board=7)
    async with journal.step(Phase.FLASH_DATA):
        assert events(path, 7)[-1] == StepStarted(Phase.FLASH_DATA)


async def test_a_step_that_raises_is_never_finished(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """The journal shows the step in which an attempt ended."""
    journal = await begun(ledger, secrets)
    await recognised(journal, board=7)
    with pytest.raises(ZeroDivisionError):
        async with journal.step(Phase.FLASH_DATA):
            raise ZeroDivisionError
    await journal.finish(Failed("flash.mismatch", {"address": "0x08000000"}))
    assert events(path, 7)[-2:] == [
        StepStarted(Phase.FLASH_DATA),
        Failed("flash.mismatch", {"address": "0x08000000"}),
    ]


async def test_a_step_is_logged_at_both_ends(ledger: Ledger, secrets: Secrets) -> None:
    """The log has `step.started`, and `step.finished` with the seconds."""
    journal = await begun(ledger, secrets)
    with capture_logs() as logged:
        async with journal.step(Phase.RECOGNISE):
            pass
    assert [(line["event"], line["step"]) for line in logged] == [
        ("step.started", "recognise"),
        ("step.finished", "recognise"),
    ]
    assert logged[1]["seconds"] >= 0


async def test_an_event_that_waits_has_the_time_at_which_it_happened(
    ledger: Ledger, path: Path, secrets: Secrets
) -> None:
    """The end of a step is written with the next event, and the time between them is in the journal."""
    journal = await begun(ledger, secrets)
    await recognised(journal, board=7)
    await asyncio.sleep(0.05)
    async with journal.step(Phase.FLASH_DATA):
        *_, finished, started = story(path, 7).journal
    assert isinstance(finished.event, StepFinished)
    assert started.at - finished.at >= timedelta(seconds=0.05)


async def test_an_event_that_waits_goes_with_the_verdict_after_a_fault(ledger: Ledger, path: Path) -> None:
    """The fault undoes the unit of work that would have written the event."""
    await ledger.open_lot(
        LotOpened("W1", "WO-1", RECIPE.name, RECIPE.sha256, 1, "W{:04d}", 1, 1), Decision("anna", "WO-1 may begin")
    )
    await recognised(await begun(ledger, Secrets((1,))), board=1)
    journal = await begun(ledger, Secrets((2,)))
    with pytest.raises(LotFull):
        await recognised(journal, board=2)
    await journal.finish(Voided("lot.full"))
    assert events(path, 2) == [StepStarted(Phase.RECOGNISE), UnitIdentified.of(target(2)), Voided("lot.full")]
    assert replay(events(path, 2)) == journal.attempt


async def test_a_board_costs_few_durable_units_of_work(ledger: Ledger) -> None:
    """Each makes the board wait for the disk. A new board's attempt, with its identity, its request and its certificate."""
    boards = Units(ledger)
    boards.prepare(2)
    with Durable.counted() as durable:
        await boards.make(1)
        assert durable.transactions <= 16
        await boards.make(1)
        assert durable.transactions <= 32


async def test_a_passed_attempt_sums_up_its_events(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """An attempt's row has the sum of its events, and the circumstances of the run."""
    journal = await begun(ledger, secrets, slot="12")
    identity = await passed(journal, board=7, dac_serial_number="4F00AA")
    found = story(path, 7).summary
    assert (found.number, found.station, found.slot, found.probe) == (journal.number, "line-1", "12", "066AFF")
    assert (found.recipe, found.recipe_sha256) == (RECIPE.name, RECIPE.sha256)
    assert found.images == {image.name: image.sha256 for image in (RECIPE.provisioning_image, RECIPE.operational_image)}
    assert (found.verdict, found.fault, found.dac_serial_number) == ("pass", None, "4F00AA")
    assert found.serial_number == identity.serial_number
    assert found.ended_at is not None
    assert found.seconds == (found.ended_at - found.started_at).total_seconds()
    assert dict(found.steps) == {phase.value: seconds for phase, seconds in journal.attempt.seconds.items()}


async def test_times_of_one_attempt_never_go_back(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """The events' times have the events' order, to the ledger's precision of a millisecond."""
    await passed(await begun(ledger, secrets), board=7)
    times = [entry.at for entry in story(path, 7).journal]
    assert times == sorted(times)
    assert all(time.microsecond % 1000 == 0 for time in times)


async def test_an_event_that_may_not_follow_is_refused_and_not_written(
    ledger: Ledger, path: Path, secrets: Secrets
) -> None:
    """The journal asks the table of transitions before it writes."""
    journal = await begun(ledger, secrets)
    await recognised(journal, board=7)
    before = events(path, 7)
    with pytest.raises(ValueError, match="CredentialsDelivered cannot follow recognise"):
        await journal.record(CredentialsDelivered("0A"))
    with pytest.raises(ValueError, match="Passed cannot follow recognise"):
        await journal.finish(Passed())
    assert events(path, 7) == before


async def test_an_event_that_the_identity_forbids_leaves_the_attempt_as_it_was(
    ledger: Ledger, path: Path, secrets: Secrets
) -> None:
    """Event, columns and identity change together or not at all, in the file and in memory."""
    journal = await begun(ledger, secrets)
    await recognised(journal, board=7)
    execute(path, "UPDATE identity SET state = 'burned'")
    for step in (Phase.FLASH_DATA, Phase.FLASH_PROVISIONER, Phase.AWAIT_CSR):
        async with journal.step(step):
            pass
    async with journal.step(Phase.RELAY_TO_PKI):
        before = journal.attempt, story(path, 7)
        await journal.record(CredentialsChosen("c0" * 32, "0A"))
    with pytest.raises(ValueError, match="identity that is burned"):
        async with journal.step(Phase.DELIVER):
            pytest.fail("the certificate would be delivered")
    assert (journal.attempt, story(path, 7)) == before


async def test_an_attempt_that_is_cancelled_in_the_middle_of_an_event_still_adds_up(
    ledger: Ledger, path: Path, secrets: Secrets
) -> None:
    """The board is pulled while its event is being written: the journal has the event, and the verdict counts it."""
    journal = await begun(ledger, secrets)
    await recognised(journal, board=7)
    async with asyncio.TaskGroup() as group:
        pulled = group.create_task(journal.step(Phase.FLASH_DATA).__aenter__())
        await asyncio.sleep(0)  # it has asked for its first event
        pulled.cancel()
    await journal.finish(Voided("board.removed"))
    assert pulled.cancelled()
    assert events(path, 7)[-2:] == [StepStarted(Phase.FLASH_DATA), Voided("board.removed")]
    assert replay(events(path, 7)) == journal.attempt


async def test_an_attempt_begins_with_its_first_step(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Both are one unit of work; the step is not journaled again when it is entered, and cannot be entered twice."""
    before = ledger.commits
    journal = await begun(ledger, secrets)
    async with journal.step(Phase.RECOGNISE):
        assert ledger.commits == before + 1
        assert rows(path, "SELECT type, body FROM event") == [("StepStarted", '{"step": "recognise"}')]
        assert journal.attempt.phase is Phase.RECOGNISE
    with pytest.raises(ValueError, match="StepStarted cannot follow recognise"):
        async with journal.step(Phase.RECOGNISE):
            pass


@pytest.mark.parametrize(("phase", "intents"), [(Phase.FLASH_DATA, ()), (Phase.RECOGNISE, (FactoryDataWritten(),))])
async def test_nothing_else_is_entered_first(
    ledger: Ledger, path: Path, secrets: Secrets, phase: Phase, intents: tuple[Record, ...]
) -> None:
    journal = await begun(ledger, secrets)
    with pytest.raises(ValueError, match=f"begun with recognise alone, not with {phase.value}"):
        async with journal.step(phase, *intents):
            pass
    assert rows(path, "SELECT count(*) FROM event") == [(1,)]


async def test_the_last_entry_is_the_one_that_came_last(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """A wrong clock may have given an earlier entry the latest time."""
    assert await ledger.last_entry() is None
    await begun(ledger, secrets)
    last = await ledger.last_entry()
    assert last is not None
    assert tables.iso(last) == rows(path, "SELECT started_at FROM attempt")[0][0]
    execute(path, "UPDATE attempt SET started_at = '2199-01-01T00:00:00.000Z'")
    assert await ledger.last_entry() == datetime(2199, 1, 1, tzinfo=UTC)
    accepted = ClockAccepted("2026-01-01T00:00:00Z", "2199-01-01T00:00:00Z", "none")
    await begun(ledger, secrets, accepted=accepted)
    assert rows(path, "SELECT type FROM event WHERE attempt_id = 2") == [("ClockAccepted",), ("StepStarted",)]
    last = await ledger.last_entry()
    assert last is not None
    assert tables.iso(last) == rows(path, "SELECT at FROM event")[-1][0]


async def test_columns_can_be_made_anew_from_the_events(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """The columns that sum events up can be rebuilt from them."""
    await passed(await begun(ledger, secrets), board=1)
    failing = await begun(ledger, secrets)
    await certified(failing, board=2, dac_serial_number="0B")
    await failing.finish(Failed("board.silent", {"question": "STORE"}))
    await recognised(await begun(ledger, secrets), board=3)  # goes on
    query = "SELECT * FROM attempt, identity WHERE attempt.uid = identity.uid ORDER BY attempt.id"
    written = rows(path, query)
    assert len(written) == 3
    execute(path, "UPDATE attempt SET dac_serial_number = 'FF', fault = 'x', verdict = NULL, ended_at = NULL")
    execute(path, "UPDATE attempt SET seconds = 99, steps = '{}'")
    execute(path, "UPDATE identity SET state = 'reserved'")
    await ledger.rebuild()
    assert rows(path, query) == written


async def test_attempts_left_open_are_voided_as_of_their_last_event(path: Path, secrets: Secrets) -> None:
    """The next start voids them with their last step; their seconds exclude the station's downtime."""
    async with Ledger.open(path, station="line-1") as ledger:
        await passed(await begun(ledger, secrets), board=1)
        left = await begun(ledger, secrets)
        await certified(left, board=2)
    before = story(path, 2)
    async with Ledger.open(path, station="line-1") as ledger:
        assert await ledger.close_open_attempts("station.stopped") == [left.number]
        assert await ledger.close_open_attempts("station.stopped") == []
    after = story(path, 2)
    verdict = after.journal[-1].event
    assert isinstance(verdict, Voided)
    assert verdict.fault == "station.stopped"
    assert verdict.evidence["step"] == "relay_to_pki"
    assert after.journal[:-1] == before.journal
    assert after.journal[-1].at == before.journal[-1].at
    assert after.summary == replace(
        before.summary, verdict="void", fault="station.stopped", ended_at=before.journal[-1].at
    )


async def test_an_attempt_of_another_station_stays_open(path: Path, secrets: Secrets) -> None:
    """One ledger has had two names: each station voids its own attempts."""
    async with Ledger.open(path, station="line-1") as ledger:
        others = await begun(ledger, secrets)
    async with Ledger.open(path, station="line-2") as ledger:
        own = await begun(ledger, secrets)
    async with Ledger.open(path, station="line-2") as ledger:
        assert await ledger.close_open_attempts("station.stopped") == [own.number]
    assert rows(path, "SELECT id FROM attempt WHERE verdict IS NULL") == [(others.number,)]
    async with Ledger.open(path, station="line-1") as ledger:
        assert await ledger.close_open_attempts("station.stopped") == [others.number]


async def test_an_attempt_without_any_event_is_closed_too(path: Path, secrets: Secrets) -> None:
    """A kill can come right after the attempt began."""
    async with Ledger.open(path, station="line-1") as ledger:
        journal = await begun(ledger, secrets)
    async with Ledger.open(path, station="line-1") as ledger:
        assert await ledger.close_open_attempts("station.stopped") == [journal.number]
    (summary,) = LedgerReader(path).attempts()
    assert (summary.verdict, summary.fault, summary.seconds) == ("void", "station.stopped", 0.0)


@pytest.mark.parametrize("deed", ["UPDATE event SET type = 'Passed'", "DELETE FROM event"])
async def test_an_event_is_never_edited(ledger: Ledger, path: Path, secrets: Secrets, deed: str) -> None:
    """The database refuses an edit, whichever program makes it."""
    await recognised(await begun(ledger, secrets), board=7)
    with pytest.raises(Exception, match="an event is never edited"):
        execute(path, deed)


async def test_every_event_is_read_as_it_was_written(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """The events of the journal replay to the attempt that wrote them."""
    journal = await begun(ledger, secrets)
    await certified(journal, board=7)
    await journal.step(Phase.DELIVER).__aenter__()
    assert [type(event).__name__ for event in events(path, 7)] == [
        "StepStarted",
        "UnitIdentified",
        "IdentityReserved",
        "StepFinished",
        "StepStarted",
        "FactoryDataWritten",
        "StepFinished",
        "StepStarted",
        "StepFinished",
        "StepStarted",
        "CSRReceived",
        "StepFinished",
        "StepStarted",
        "CredentialsChosen",
        "StepFinished",
        "StepStarted",
    ]
    finished = [event for event in events(path, 7) if isinstance(event, StepFinished)]
    assert {event.step: event.seconds for event in finished} == journal.attempt.seconds
