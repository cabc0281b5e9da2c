# SPDX-License-Identifier: Apache-2.0
"""The line opens for attempts, and closes again."""

import asyncio

from station.domain.intervention import Deed
from station.domain.policy import Suspicion
from station.faults.line import LineSuspected, LotFull, PKIUnavailable
from station.line.line import Line
from tests.builders.deeds import by_anna


async def test_no_attempt_begins_when_a_release_is_followed_by_a_drain_at_once() -> None:
    """The waiting slot has been woken by the release, but has not run yet."""
    line = Line(Suspicion())
    line.pause(LineSuspected("flash.mismatch"))
    waiting = asyncio.create_task(line.opened())
    await asyncio.sleep(0)
    line.release(by_anna(Deed.RELEASE))
    line.drain(by_anna(Deed.DRAIN))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()


async def test_a_full_order_holds_new_boards_only() -> None:
    """The line is paused for people to see, and other attempts begin; a board that was held waits for a person."""
    line = Line(Suspicion())
    line.pause(LotFull("W1", 3))
    assert line.stopped_by == "lot.full"
    assert not line.goes_on_by_itself
    async with asyncio.timeout(60):
        await line.opened()
    held = asyncio.create_task(line.opened(new=True))
    await asyncio.sleep(0.01)
    assert not held.done()
    line.open_to_new()
    async with asyncio.timeout(60):
        await held
    assert line.stopped_by is None


async def test_a_full_order_hides_no_other_fault() -> None:
    """A PKI that fails meanwhile pauses the line for all boards, and its return leaves the order full."""
    line = Line(Suspicion())
    line.pause(LotFull("W1", 3))
    line.pause(PKIUnavailable("https://pki", "refused"))
    assert line.stopped_by == "pki.unavailable"
    waiting = asyncio.create_task(line.opened())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    line.resume()
    async with asyncio.timeout(60):
        await waiting
    assert line.stopped_by == "lot.full"
    line.release(by_anna(Deed.RELEASE))
    assert line.stopped_by is None
