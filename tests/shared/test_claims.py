# SPDX-License-Identifier: Apache-2.0
"""Boards that come at once ask the centre one question, and each gets its own answer."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from station.adapters.centre.trouble import CentreUnreachable
from station.domain.shared import Claim
from station.domain.target import UID
from station.replication.claims import Claims
from station.replication.replicator import Replicator, Terms
from station.replication.seen import Seen, State
from tests.shared.in_memory import MemoryCentre, MemoryLedger

FIRST, *OTHERS = (UID(bytes([number]) * 12) for number in range(1, 6))
KNOWN = OTHERS[1]


@dataclass
class Slow(MemoryCentre):
    """Answers when it is told to. It knows the units of `known` already."""

    known: frozenset[UID] = frozenset({KNOWN})
    asked: list[frozenset[UID]] = field(default_factory=list)
    claimed: list[UID] = field(default_factory=list)
    away: bool = False
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self, incarnation: int, uids: Collection[UID]) -> frozenset[UID]:  # noqa: ARG002
        self.asked.append(frozenset(uids))
        await self.answers.wait()
        if self.away:
            raise CentreUnreachable("nobody answers")
        return frozenset(uids) - self.known

    async def claim(self, incarnation: int, uid: UID) -> Claim:  # noqa: ARG002
        self.claimed.append(uid)
        return Claim(uid, 2, None, was_ours=True)


def claims(centre: Slow) -> Claims:
    ledger = MemoryLedger()
    replicator = Replicator(centre, ledger, ledger, Terms("here"), "00" * 32)
    standing = replace(ledger.state, incarnation=1)
    replicator.seen = replace(Seen(), state=State.UP, standing=standing, greeted=True, pushed_at=datetime.now(UTC))
    return Claims(centre, replicator)


async def begun(asking: Claims, uids: Sequence[UID]) -> list[asyncio.Task[Claim | None]]:
    """Each asks and waits now, the first one for the centre and all others for their turn."""
    tasks = [asyncio.create_task(asking.claim(uid)) for uid in uids]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


@pytest.fixture
async def centre() -> Slow:
    return Slow()


async def test_whoever_waits_shares_the_next_question(centre: Slow) -> None:
    tasks = await begun(claims(centre), [FIRST, *OTHERS])
    centre.answers.set()
    found = await asyncio.gather(*tasks)
    assert centre.asked == [{FIRST}, {*OTHERS}]
    assert centre.claimed == [KNOWN]
    assert found == [Claim(uid, 2 if uid == KNOWN else 1, None, was_ours=uid == KNOWN) for uid in (FIRST, *OTHERS)]


async def test_a_board_that_was_pulled_takes_no_answer_from_the_others(centre: Slow) -> None:
    tasks = await begun(claims(centre), [FIRST, *OTHERS])
    tasks[0].cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[1].cancel()  # it has asked for all others, and its question is not answered
    centre.answers.set()
    found = await asyncio.gather(*tasks[2:])
    assert centre.asked == [{FIRST}, {*OTHERS}, {*OTHERS[1:]}]
    assert all(claim is not None for claim in found)


async def test_an_answer_is_for_one_question_only(centre: Slow) -> None:
    """Another station may have claimed the unit by the time that the board comes again."""
    asking = claims(centre)
    tasks = await begun(asking, [FIRST, *OTHERS])
    centre.answers.set()
    await asyncio.gather(*tasks)
    centre.known = frozenset({FIRST, *OTHERS})
    again = await asking.claim(FIRST)
    assert again is not None
    assert again.was_ours


async def test_without_an_answer_nobody_asks_again(centre: Slow) -> None:
    tasks = await begun(claims(centre), [FIRST, *OTHERS])
    centre.away = True
    centre.answers.set()
    assert await asyncio.gather(*tasks) == [None] * 5
    assert len(centre.asked) == 1
