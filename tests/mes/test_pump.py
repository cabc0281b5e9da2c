# SPDX-License-Identifier: Apache-2.0
"""A pump between a real ledger and a real receiver, in virtual time: outages, poison, and what is tried when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.outbox import listed
from station.adapters.outbox.http import Post
from station.adapters.outbox.pump import Pump, pause_after
from station.adapters.outbox.reports import LineReports
from station.adapters.outbox.tls_files import TLSFiles
from station.adapters.outbox.webhook import Webhook
from station.domain.attempt import Failed
from station.domain.intervention import Decision
from station.mes.message import Delivered, Waiting
from tests.builders.bench import Secrets, begun, recognised, target
from tests.mes.receiver import Receiver
from tests.mes.virtual_time import VirtualClock

HOUR = 3600.0


async def judged(ledger: Ledger, secrets: Secrets, *boards: int) -> None:
    for board in boards:
        journal = await begun(ledger, secrets)
        await recognised(journal, board)
        await journal.finish(Failed("flash.mismatch"))


@asynccontextmanager
async def pumping(
    ledger: Ledger, reports: LineReports, receiver: Receiver, secret: Path, clock: VirtualClock, within: float = 10.0
) -> AsyncIterator[Pump]:
    async with Post.opened(TLSFiles(None, None, None).newest) as post:
        webhook = Webhook(post, receiver.url, secret, reports.content_type, lambda: datetime.now(UTC), within)
        yield Pump("webhook", ledger.outbox, webhook.deliver, clock, reports.news())


async def worked(pump: Pump, clock: VirtualClock, done: Callable[[], bool]) -> None:
    """Lets the pump work until it is done; fails after a virtual week."""
    while not done():
        assert clock.seconds < 7 * 24 * HOUR
        if (seconds := await pump.round()) > 0 and not done():
            clock.forward(seconds)
    await pump.look()


def order_of(receiver: Receiver) -> dict[object, list[object]]:
    found: dict[object, list[object]] = {}
    for event in receiver.taken:
        found.setdefault(event["subject"], []).append(event["id"])
    return found


async def test_after_an_hour_without_the_mes_everything_arrives_in_order(
    ledger: Ledger, reports: LineReports, receiver: Receiver, secret_file: Path, secrets: Secrets
) -> None:
    """Down for an hour, a poison message in front: the other units' events arrive, each unit's in their order, each once."""
    await judged(ledger, secrets, 9, 1, 2, 1, 3, 2, 1, 9)
    receiver.mode = "down"
    receiver.poison = {str(target(9).uid)}

    def repaired() -> None:
        receiver.mode = "ok"

    clock = VirtualClock((HOUR, repaired))
    async with pumping(ledger, reports, receiver, secret_file, clock) as pump:
        await worked(pump, clock, lambda: len(receiver.ids) == 6)
        assert HOUR <= clock.seconds <= HOUR + 600, "five minutes after the repair at the latest, poison or not"
        await worked(pump, clock, lambda: pump.died == 2)
        assert pump.counts.dead == 2
        assert pump.counts.pending == 0
        assert pump.up
    uids = {board: str(target(board).uid) for board in (1, 2, 3)}
    assert order_of(receiver) == {
        uids[1]: ["line-1/2", "line-1/4", "line-1/7"],
        uids[2]: ["line-1/3", "line-1/6"],
        uids[3]: ["line-1/5"],
    }


@pytest.mark.parametrize("mode", ["down", "500", "503", "408", "425", "429", "redirect"])
async def test_what_may_mend_is_tried_for_ever(
    ledger: Ledger, reports: LineReports, receiver: Receiver, secret_file: Path, secrets: Secrets, mode: str
) -> None:
    """A week of failures gives up nothing, pauses double from 1 s to 5 min, and no redirect is followed."""
    await judged(ledger, secrets, 1)
    receiver.mode = mode
    clock, pauses = VirtualClock(), []
    async with pumping(ledger, reports, receiver, secret_file, clock) as pump:
        while receiver.requests < 15:
            pauses.append(await pump.round())
            clock.forward(pauses[-1])
        assert not pump.up
        await pump.look()
        assert (pump.counts.pending, pump.counts.dead) == (1, 0)
        assert [round(each) for each in pauses[:10]] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
        receiver.mode = "ok"
        await worked(pump, clock, lambda: receiver.ids == ["line-1/1"])
    assert receiver.elsewhere == 0


async def test_a_refused_message_is_tried_ten_times_and_kept(
    ledger: Ledger, reports: LineReports, receiver: Receiver, secret_file: Path, secrets: Secrets
) -> None:
    """Failures in between do not count; a dead message lets the unit's next one go."""
    await judged(ledger, secrets, 1, 1)
    clock = VirtualClock()
    async with pumping(ledger, reports, receiver, secret_file, clock) as pump:
        receiver.mode = "500"
        await worked(pump, clock, lambda: receiver.requests >= 12)
        receiver.mode = "400"
        before = receiver.requests
        await worked(pump, clock, lambda: pump.died == 1)
        assert receiver.requests - before == 10
        receiver.mode = "ok"
        await worked(pump, clock, lambda: receiver.ids == ["line-1/2"])
        assert pump.counts.dead == 1


async def test_a_receiver_that_names_a_time_is_left_alone_until_then(
    ledger: Ledger, reports: LineReports, receiver: Receiver, secret_file: Path, secrets: Secrets
) -> None:
    await judged(ledger, secrets, 1, 2)
    receiver.mode, receiver.retry_after = "429", "1000"
    clock = VirtualClock()
    async with pumping(ledger, reports, receiver, secret_file, clock) as pump:
        assert await pump.round() == 1000
        assert receiver.requests == 1, "neither this message nor another"
        clock.forward(999)
        assert await pump.round() == 1
        assert receiver.requests == 1


async def test_an_answer_that_takes_too_long_is_none(
    ledger: Ledger, reports: LineReports, receiver: Receiver, secret_file: Path, secrets: Secrets
) -> None:
    await judged(ledger, secrets, 1)
    receiver.mode = "slow"
    clock = VirtualClock()
    async with pumping(ledger, reports, receiver, secret_file, clock, within=0.2) as pump:
        assert await pump.round() == pause_after(1)
        receiver.mode = "ok"
        await worked(pump, clock, lambda: receiver.ids == ["line-1/1"])


async def test_a_lost_answer_repeats_the_same_id(
    ledger: Ledger, reports: LineReports, receiver: Receiver, secret_file: Path, secrets: Secrets
) -> None:
    """The receiver that took the event and dropped the connection gets it again, knows it by its id, and finds the same event."""
    await judged(ledger, secrets, 1)
    receiver.mode = "drop"
    clock = VirtualClock()
    async with pumping(ledger, reports, receiver, secret_file, clock) as pump:
        clock.forward(await pump.round())
        receiver.mode = "ok"
        await worked(pump, clock, lambda: len(receiver.taken) >= 2)
    assert receiver.ids == ["line-1/1"]
    assert receiver.taken[0] == receiver.taken[1]
    assert {each["webhook-id"] for each in receiver.headers} == {"line-1/1"}


async def test_the_running_pump_delivers_at_once_what_is_written(
    ledger: Ledger, reports: LineReports, receiver: Receiver, secret_file: Path, secrets: Secrets
) -> None:
    clock = VirtualClock()
    async with pumping(ledger, reports, receiver, secret_file, clock) as pump, asyncio.TaskGroup() as group:
        task = group.create_task(pump.run())
        await judged(ledger, secrets, 1)
        async with asyncio.timeout(60):
            await receiver.seen.wait()
        task.cancel()
    assert receiver.ids == ["line-1/1"]


async def test_a_broken_secret_file_loses_nothing_and_a_new_one_is_taken_up(
    ledger: Ledger, reports: LineReports, receiver: Receiver, secret_file: Path, secrets: Secrets
) -> None:
    await judged(ledger, secrets, 1)
    good = secret_file.read_text()
    secret_file.write_text("whsec_short")
    clock = VirtualClock()
    async with pumping(ledger, reports, receiver, secret_file, clock) as pump:
        clock.forward(await pump.round())
        assert receiver.requests == 0
        secret_file.write_text(f"whsec_{'A' * 32}\n{good}")  # both during a change
        await worked(pump, clock, lambda: receiver.ids == ["line-1/1"])


async def test_a_message_that_is_dropped_while_another_is_delivered_is_not_delivered(
    ledger: Ledger, path: Path, reports: LineReports, secrets: Secrets
) -> None:
    """Both were due in one look into the ledger; the person who dropped one was told that it never goes out."""
    await judged(ledger, secrets, 1, 2, 3)
    second = listed(path)[1].number
    delivered = list[str]()

    async def deliver(message: Waiting) -> Delivered:
        delivered.append(message.event_id)
        if len(delivered) == 1:
            await ledger.outbox.drop([second], Decision("anna", "sent by hand"), datetime.now(UTC))
            pump.soon()  # as the command does
        return Delivered()

    pump = Pump("webhook", ledger.outbox, deliver, VirtualClock(), reports.news())
    while await pump.round() == 0:
        pass
    assert delivered == ["line-1/1", "line-1/3"]
