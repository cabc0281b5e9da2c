"""A slot, with a real ledger and equipment that does what the test wants."""

import asyncio
import errno
import os
from contextlib import suppress

from station.adapters.ledger import Ledger
from station.daemon.absent_pki import WithoutPKI
from station.domain.policy import Suspicion
from station.interfaces import AttemptJournal, Bench, BoardArrived
from station.line.line import Line
from station.line.slot import Slot, SlotState
from station.line.visits import Visit
from tests.builders.bench import RECIPE, Secrets, begun


async def judged(ledger: Ledger, secrets: Secrets, line: Line, trouble: Exception) -> Slot:
    """A slot that has judged a board whose equipment raises this."""

    async def begin(name: str, _arrival: BoardArrived) -> AttemptJournal:
        return await begun(ledger, secrets, slot=name)

    def equipment(_visit: Visit, _attempt: int) -> Bench:
        raise trouble

    slot = Slot("1", line, RECIPE, WithoutPKI(), begin, equipment)
    running = asyncio.create_task(slot.run())
    slot.board_arrived(BoardArrived("usb-1", "066CFF", "/dev/ttyACM0"))
    async with asyncio.timeout(10):
        while slot.verdict is None:
            await asyncio.sleep(0.01)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return slot


async def test_our_own_bug_is_neither_the_boards_nor_the_lines(ledger: Ledger, secrets: Secrets) -> None:
    """The attempt is void, the slot goes out of service, and the line stays open."""
    line = Line(Suspicion())
    slot = await judged(ledger, secrets, line, ZeroDivisionError("a bug, for once on purpose"))
    assert (slot.verdict, slot.state) == ("void", SlotState.OUT_OF_SERVICE)
    assert slot.fault is not None
    assert (slot.fault.code, slot.fault.evidence) == ("station.bug", {"exception": "ZeroDivisionError"})
    assert line.paused_by is None


async def test_what_ran_out_where_nobody_expected_it_is_no_bug(ledger: Ledger, secrets: Secrets) -> None:
    """The line pauses, and the slot stays in service."""
    line = Line(Suspicion())
    slot = await judged(ledger, secrets, line, OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/dev/null"))
    assert (slot.verdict, slot.state, slot.out_of_service) == ("void", SlotState.WAITING, None)
    assert line.paused_by is not None
    assert (line.paused_by.code, line.paused_by.evidence["reason"]) == ("station.resources", "Too many open files")
