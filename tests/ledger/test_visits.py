# SPDX-License-Identifier: Apache-2.0
"""Which unit is in which slot, and the end of a board's stay."""

import asyncio

import pytest

from station.domain.attempt import Attempt, ProcedureName
from station.domain.policy import Suspicion
from station.domain.target import UID
from station.faults.line import UnitTwice
from station.faults.slot import BoardAsleep, BoardRemoved
from station.faults.unit import BoardSilent, OperationalSilent
from station.interfaces import BoardArrived
from station.line.line import Line
from station.line.slot import asleep
from station.line.visits import Visit

UNIT, OTHER = UID(b"UNIT".ljust(12)), UID(b"OTHER".ljust(12))


def visit(number: int) -> Visit:
    return Visit(BoardArrived(f"usb-{number}", f"066{number}", f"/dev/ttyACM{number}"))


async def test_the_second_of_two_slots_with_one_unit_stops_both() -> None:
    """The line is paused at once, so that neither slot begins again by itself."""
    line = Line(Suspicion())
    first, second = visit(1), visit(2)
    line.units.identified(first, "1", UNIT)

    async def attempt() -> None:
        async with first.while_here():
            await asyncio.Event().wait()

    running = asyncio.create_task(attempt())
    await asyncio.sleep(0)
    with pytest.raises(UnitTwice) as raised:
        line.units.identified(second, "2", UNIT)
    with pytest.raises(UnitTwice):
        await running
    assert raised.value.evidence == {"uid": str(UNIT), "slots": "1 and 2"}
    assert line.paused_by is raised.value
    assert not first.gone.is_set()


async def test_an_attempt_that_ends_as_it_is_stopped_does_not_pass() -> None:
    """The attempt's last step ends before the loop can cancel it."""
    stopped = visit(1)
    with pytest.raises(UnitTwice):
        async with stopped.while_here():
            stopped.stop(UnitTwice(str(UNIT), "1 and 2"))


async def test_a_board_that_was_moved_to_another_slot_is_there_once() -> None:
    """The first slot's attempt may still be ending; its board has left."""
    line = Line(Suspicion())
    first, second = visit(1), visit(2)
    line.units.identified(first, "1", UNIT)
    first.leave()
    line.units.identified(second, "2", UNIT)
    assert line.paused_by is None


async def test_a_board_that_came_back_to_its_slot_is_there_once() -> None:
    """So is a board with several attempts during one stay."""
    line = Line(Suspicion())
    first, again = visit(1), visit(1)
    line.units.identified(first, "1", UNIT)
    line.units.identified(first, "1", UNIT)
    first.leave()
    line.units.identified(again, "1", UNIT)
    line.units.identified(visit(2), "2", OTHER)
    assert line.paused_by is None


async def test_a_board_that_was_stopped_can_be_tried_again() -> None:
    """The stop ends when the board's next attempt begins; a pull still ends that attempt."""
    tried = visit(1)
    tried.stop(UnitTwice(str(UNIT), "1 and 2"))
    async with tried.while_here():
        pass
    with pytest.raises(BoardRemoved):
        async with tried.while_here():
            tried.leave()
            await asyncio.Event().wait()


def test_only_a_unit_that_may_have_been_here_before_the_station_is_asleep() -> None:
    """Whoever was seen being plugged in, or was flashed, has no such excuse."""
    reconfirmed, silent = Attempt(procedure=ProcedureName.RECONFIRM), OperationalSilent(10.0)
    before, since = Visit(visit(1).arrival, first=True), visit(1)
    assert isinstance(asleep(silent, before, reconfirmed), BoardAsleep)
    assert asleep(silent, since, reconfirmed) is silent
    assert asleep(silent, before, Attempt(procedure=ProcedureName.PROVISION)) is silent
    other = BoardSilent("HELLO", 10.0)
    assert asleep(other, before, reconfirmed) is other
