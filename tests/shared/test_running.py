# SPDX-License-Identifier: Apache-2.0
"""The replication in its thread: the ledger is written on its own loop, claims come back to theirs, and the end tells the rest."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from station.adapters.centre.trouble import CentreRefused
from station.domain.shared import FEWEST_ITEMS, Claim, Enrolment, Refusal
from station.domain.target import UID
from station.faults.line import CentreUnusable
from station.replication.interfaces import SharedReader
from station.replication.replicator import FAILED, Pace, Replicator, Terms
from station.replication.running import Means, Replication
from station.replication.seen import Seen, State
from tests.shared.in_memory import Away, Lost, MemoryCentre, MemoryLedger

BOARD = UID(b"\x01" * 12)
QUICK = Pace(sync_every=0.01, retried_after=0.01, retried_within=0.02, greeted_every=0.01, asked_every=0.01)
WITHIN = 60.0  # seconds, on a slow machine


class HomeLedger(MemoryLedger):
    """Remembers the threads in which it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = set[str]()

    async def enrolled(self, enrolment: Enrolment, ledger: str) -> None:
        self.threads.add(threading.current_thread().name)
        await super().enrolled(enrolment, ledger)

    async def acknowledged(self, number: int) -> None:
        self.threads.add(threading.current_thread().name)
        await super().acknowledged(number)


@dataclass
class Station:
    centre: MemoryCentre = field(default_factory=MemoryCentre)
    asked: MemoryCentre = field(default_factory=MemoryCentre)
    ledger: HomeLedger = field(default_factory=HomeLedger)
    pace: Pace = QUICK
    replication: Replication | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Replication]:
        @contextmanager
        def reader() -> Iterator[SharedReader]:
            yield self.ledger

        means = Means(self.centre, self.asked, [self.asked, self.centre], reader)
        terms = Terms("here", pace=self.pace)
        async with Replication.running(means, self.ledger, terms, "ab" * 32, self.changed.set) as replication:
            self.replication = replication
            yield replication

    async def until(self, condition: Callable[[Seen], bool]) -> Seen:
        assert self.replication is not None
        async with asyncio.timeout(WITHIN):
            while not condition(self.replication.seen):
                self.changed.clear()
                await self.changed.wait()
        return self.replication.seen


async def test_the_ledger_is_written_on_its_own_loop() -> None:
    station = Station()
    async with station.running():
        await station.until(lambda seen: seen.items == FEWEST_ITEMS)
    assert station.ledger.threads == {threading.main_thread().name}
    assert station.centre.closed
    assert station.asked.closed


async def test_what_is_journalled_at_the_end_is_still_told() -> None:
    station = Station(pace=Pace(sync_every=WITHIN))
    async with station.running():
        await station.until(lambda seen: seen.items == FEWEST_ITEMS)
        station.ledger.tell("AttemptEnded", 3)
    assert [line.text for line in station.centre.incarnations[1].lines[-3:]] == [b"AttemptEnded"] * 3


async def test_the_end_does_not_wait_for_a_centre_that_is_away() -> None:
    station = Station()
    async with station.running():
        await station.until(lambda seen: seen.up)
        station.centre.always = Away()
        station.ledger.tell("AttemptEnded", 3)
        await station.until(lambda seen: seen.state is State.AWAY)
    assert station.ledger.state.lines >= station.ledger.state.acked + 3


async def test_a_claim_is_answered_on_the_loop_that_asks() -> None:
    station = Station()
    async with station.running() as replication:
        await station.until(lambda seen: seen.up)
        assert await replication.claims.claim(BOARD) == Claim(BOARD, 1, None, was_ours=False)
    assert await replication.claims.claim(BOARD) is None


async def test_claims_are_not_asked_while_the_centre_is_away() -> None:
    station = Station(MemoryCentre(always=Away()))
    async with station.running() as replication:
        await station.until(lambda seen: seen.reason is not None)
        assert await replication.claims.claim(BOARD) is None
    assert station.asked.calls == []


async def test_after_a_mute_claim_none_is_asked_until_the_centre_is_heard_again() -> None:
    """Else each of 64 boards would wait for its own deadline."""
    station = Station(pace=Pace(sync_every=WITHIN))
    station.asked.mishaps = [Lost()]
    async with station.running() as replication:
        before = await station.until(lambda seen: seen.up and seen.items == FEWEST_ITEMS)
        assert await replication.claims.claim(BOARD) is None
        await station.until(lambda seen: seen.pushed_at != before.pushed_at)
        assert await replication.claims.claim(BOARD) is not None
    assert station.asked.calls == ["claim", "claim"]


@pytest.mark.parametrize("refusal", [Refusal.CLOSED, Refusal.RESTORED, Refusal.STARTING])
async def test_a_centre_that_answers_nothing_now_is_as_good_as_away(refusal: Refusal) -> None:
    station = Station()
    station.asked.always = CentreRefused(refusal, "not now")
    async with station.running() as replication:
        await station.until(lambda seen: seen.up)
        assert await replication.claims.claim(BOARD) is None


async def test_a_refused_claim_pauses_the_line() -> None:
    station = Station()
    station.asked.always = CentreRefused(Refusal.SCHEMA, "of another version")
    async with station.running() as replication:
        await station.until(lambda seen: seen.up)
        with pytest.raises(CentreUnusable):
            await replication.claims.claim(BOARD)


class OddLedger(HomeLedger):
    """Fails in a way of which nobody has thought, once."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = 1

    def busiest_hour(self, now: datetime) -> int:
        self.fails -= 1
        if self.fails == 0:
            raise ZeroDivisionError
        return super().busiest_hour(now)


async def test_a_bug_in_the_replication_ends_neither_it_nor_the_line() -> None:
    station = Station(ledger=OddLedger())
    async with station.running():
        await station.until(lambda seen: seen.up)


async def test_people_see_that_the_replication_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the page would show a centre that is there, and the journal would wait unseen."""
    monkeypatch.setattr(Replicator, "longest_pause", WITHIN)
    station = Station(ledger=OddLedger())
    async with station.running():
        seen = await station.until(lambda seen: seen.reason is not None)
    assert (seen.up, seen.reason) == (False, FAILED)


async def test_a_reader_that_cannot_be_opened_does_not_end_the_line() -> None:
    def reader() -> AbstractContextManager[SharedReader]:
        raise OSError("no such file")

    means = Means(MemoryCentre(), MemoryCentre(), [], reader)
    async with Replication.running(means, MemoryLedger(), Terms("here"), "") as replication:
        assert await replication.claims.claim(BOARD) is None
    assert (replication.seen.state, replication.seen.reason) == (State.STARTING, FAILED)
