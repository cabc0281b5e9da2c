# SPDX-License-Identifier: Apache-2.0
"""The outbox in the ledger: what is written when, in which order it is due, and what people may decide."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, outbox
from station.adapters.outbox.reports import LineReports
from station.domain.attempt import Failed, Phase
from station.domain.intervention import Decision, DecisionRefused
from station.mes.message import Facts, Message
from tests.builders.bench import Secrets, begun, execute, passed, recognised, rows, target

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BECAUSE = Decision("mara", "the MES was repaired")


async def failed(ledger: Ledger, secrets: Secrets, board: int) -> None:
    journal = await begun(ledger, secrets)
    await recognised(journal, board)
    await journal.finish(Failed("flash.mismatch", {"address": "0x08001000"}))


async def test_a_verdict_and_its_message_are_one_transaction(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    """Whoever sees the verdict in the file sees the message, and before it neither."""
    journal = await begun(ledger, secrets)
    await recognised(journal, 7)
    assert rows(path, "SELECT count(*) FROM outbox") == [(0,)]
    await journal.finish(Failed("flash.mismatch"))
    [(sink, key, kind, body)] = rows(path, "SELECT sink, key, type, body FROM outbox")
    assert (sink, key, kind) == ("webhook", str(target(7).uid), "attempt.finished.v1")
    assert json.loads(str(body))["id"] == f"line-1/{journal.number}"
    assert rows(path, "SELECT verdict FROM attempt") == [("fail",)]


async def test_without_its_message_there_is_no_verdict(path: Path, secrets: Secrets) -> None:
    """A message that cannot be written takes the verdict's whole transaction with it."""

    class Broken(LineReports):
        def of(self, facts: Facts) -> list[Message]:
            raise ValueError(facts.id)

    async with Ledger.open(path, station="line-1", reports=Broken(["webhook"])) as ledger:
        journal = await begun(ledger, secrets)
        await recognised(journal, 7)
        with pytest.raises(ValueError, match="line-1/1"):
            await journal.finish(Failed("flash.mismatch"))
        assert rows(path, "SELECT verdict FROM attempt") == [(None,)]
        assert rows(path, "SELECT count(*) FROM event WHERE type = 'Failed'") == [(0,)]


async def test_a_row_that_somebody_has_edited_stops_nothing(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    await failed(ledger, secrets, 1)
    for body in ("nonsense", "[]", "{}", '{"id": 7}'):
        execute(path, "UPDATE outbox SET body = ?", body)
        [waiting] = await ledger.outbox.due("webhook", NOW, 10)
        assert (waiting.event_id, waiting.body) == ("1", body)


async def test_an_attempt_that_a_crash_left_open_is_told_when_it_is_closed(path: Path, secrets: Secrets) -> None:
    """The start after a crash voids it, and the MES hears of it."""
    reports = LineReports(["webhook", "mqtt"])
    async with Ledger.open(path, station="line-1", reports=reports) as ledger:
        await recognised(await begun(ledger, secrets), 7)
    async with Ledger.open(path, station="line-1", reports=reports) as ledger:
        [number] = await ledger.close_open_attempts("station.stopped")
        for sink in reports.sinks:
            [waiting] = await ledger.outbox.due(sink, NOW, 10)
            assert json.loads(waiting.body)["data"]["verdict"] == "void"
            assert waiting.event_id == f"line-1/{number}"


async def test_no_message_holds_a_secret(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    journal = await begun(ledger, secrets)
    identity = await passed(journal, 7)
    [(body,)] = rows(path, "SELECT body FROM outbox")
    assert "20203022" not in str(body), "the passcode of the first secrets"
    assert "canary" not in str(body)
    assert identity.serial_number in str(body)


async def test_only_the_first_message_of_each_unit_is_due(ledger: Ledger, secrets: Secrets) -> None:
    for board in (1, 2, 1, 3, 1):
        await failed(ledger, secrets, board)
    due = await ledger.outbox.due("webhook", NOW, 10)
    assert [each.event_id for each in due] == ["line-1/1", "line-1/2", "line-1/4"]
    await ledger.outbox.postponed(due[0].id, "HTTP 500", NOW + timedelta(seconds=1), refused=False)
    assert [each.event_id for each in await ledger.outbox.due("webhook", NOW, 10)] == ["line-1/2", "line-1/4"]
    assert await ledger.outbox.next_due("webhook") == NOW + timedelta(seconds=1)
    # The least tried first, so that one that always fails starves none.
    later = NOW + timedelta(seconds=1)
    assert [each.event_id for each in await ledger.outbox.due("webhook", later, 10)][-1] == "line-1/1"
    await ledger.outbox.delivered(due[0].id, later)
    assert "line-1/3" in [each.event_id for each in await ledger.outbox.due("webhook", later, 10)]


async def test_a_message_that_a_wrong_clock_postponed_is_due(ledger: Ledger, secrets: Secrets) -> None:
    await failed(ledger, secrets, 1)
    [waiting] = await ledger.outbox.due("webhook", NOW, 10)
    await ledger.outbox.postponed(waiting.id, "HTTP 500", NOW, refused=False)
    assert await ledger.outbox.due("webhook", NOW - timedelta(days=400), 10)


async def test_delivered_messages_are_pruned_by_age_and_no_others(ledger: Ledger, path: Path, secrets: Secrets) -> None:
    for board in range(1, 6):
        await failed(ledger, secrets, board)
    due = await ledger.outbox.due("webhook", NOW, 10)
    for at, each in enumerate(due[:3]):
        await ledger.outbox.delivered(each.id, NOW + timedelta(days=at))
    await ledger.outbox.died(due[3].id, "HTTP 400", NOW - timedelta(days=100))
    assert await ledger.outbox.prune(NOW + timedelta(days=1)) == 1
    assert rows(path, "SELECT id FROM outbox ORDER BY id") == [(each.id,) for each in due[1:]]


async def test_people_retry_and_drop_and_the_ledger_keeps_who_and_why(
    ledger: Ledger, path: Path, secrets: Secrets
) -> None:
    for board in (1, 2, 3):
        await failed(ledger, secrets, board)
    one, two, three = await ledger.outbox.due("webhook", NOW, 10)
    for each in (one, two):
        await ledger.outbox.died(each.id, "HTTP 400", NOW)
    assert (await ledger.outbox.counts("webhook")).dead == 2
    assert await ledger.outbox.retry(None, BECAUSE, NOW) == 2
    again = await ledger.outbox.due("webhook", NOW, 10)
    assert {each.id for each in again} == {one.id, two.id, three.id}
    assert [each.refusals for each in again] == [0, 0, 0]
    assert await ledger.outbox.drop([two.id], Decision("mara", "a laboratory's board"), NOW) == 1
    assert rows(path, "SELECT account, action, message, key, reason FROM outbox_decision ORDER BY id")[-1] == (
        "mara",
        "drop",
        two.id,
        str(target(2).uid),
        "a laboratory's board",
    )
    assert [each.number for each in outbox.listed(path)] == [one.id, three.id]


@pytest.mark.parametrize("numbers", [[999], [1, 999]])
async def test_a_decision_about_an_unknown_message_changes_nothing(
    ledger: Ledger, path: Path, secrets: Secrets, numbers: list[int]
) -> None:
    await failed(ledger, secrets, 1)
    with pytest.raises(DecisionRefused):
        await ledger.outbox.drop(numbers, BECAUSE, NOW)
    assert rows(path, "SELECT count(*) FROM outbox") == [(1,)]
    assert rows(path, "SELECT count(*) FROM outbox_decision") == [(0,)]


async def test_a_delivered_message_is_not_dropped(ledger: Ledger, secrets: Secrets) -> None:
    await failed(ledger, secrets, 1)
    [waiting] = await ledger.outbox.due("webhook", NOW, 10)
    await ledger.outbox.delivered(waiting.id, NOW)
    with pytest.raises(DecisionRefused, match="was delivered"):
        await ledger.outbox.drop([waiting.id], BECAUSE, NOW)


async def test_cfx_tells_an_attempt_in_the_order_of_its_events(path: Path, secrets: Secrets) -> None:
    reports = LineReports(["webhook"], as_cfx=True)
    async with Ledger.open(path, station="line-1", reports=reports) as ledger:
        await passed(await begun(ledger, secrets), 7)
        unknown = await begun(ledger, secrets)
        async with unknown.step(Phase.RECOGNISE):
            pass
        await unknown.finish(Failed("target.not_found"))
    names = [str(name).rsplit(".", 1)[1] for (name,) in rows(path, "SELECT type FROM outbox ORDER BY id")]
    assert names == [
        "WorkStarted",
        "UnitsPersonalized",
        "UnitsTested",
        "WorkCompleted",
        "WorkStarted",
        "WorkCompleted",
    ]


async def test_a_line_without_receivers_writes_nothing(path: Path, secrets: Secrets) -> None:
    async with Ledger.open(path, station="line-1", reports=LineReports([])) as ledger:
        await failed(ledger, secrets, 1)
    assert rows(path, "SELECT count(*) FROM outbox") == [(0,)]
