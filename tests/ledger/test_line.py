# SPDX-License-Identifier: Apache-2.0
"""The line opens for attempts, and closes again."""

import asyncio

from station.domain.intervention import Deed
from station.domain.policy import Suspicion
from station.faults.line import LineSuspected
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
