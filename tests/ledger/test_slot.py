# SPDX-License-Identifier: Apache-2.0
"""A slot, with a real ledger and scripted equipment."""

import asyncio
import errno
import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from station.adapters.ledger import Ledger
from station.daemon.absent_pki import WithoutPKI
from station.domain.intervention import Deed
from station.domain.policy import Suspicion
from station.faults.line import LotFull
from station.faults.slot import BoardRemoved
from station.faults.unit import BoardSilent
from station.interfaces import AttemptJournal, Bench, BoardArrived
from station.line.line import Line
from station.line.slot import Slot
from station.line.states import InService, Outcome, OutOfService, SlotState
from station.line.status import SlotStatus, SlotStatuses
from station.line.visits import Visit
from tests.builders.bench import RECIPE, Secrets, begun
from tests.builders.deeds import by_anna
from tests.web.fake_door import slot as told

ARRIVAL = BoardArrived("usb-1", "066CFF", "/dev/ttyACM0")


def slot_with(ledger: Ledger, secrets: Secrets, line: Line, equipment: Callable[[str, Visit, int], Bench]) -> Slot:
    async def begin(name: str, _arrival: BoardArrived) -> AttemptJournal:
        return await begun(ledger, secrets, slot=name)

    return Slot("1", line, RECIPE, WithoutPKI(), begin, equipment)


async def judged(ledger: Ledger, secrets: Secrets, line: Line, trouble: Exception) -> tuple[Slot, Outcome]:
    """A slot that has judged a board whose equipment raises this error."""

    def equipment(_slot: str, _visit: Visit, _attempt: int) -> Bench:
        raise trouble

    slot = slot_with(ledger, secrets, line, equipment)
    return slot, await slot.judge(slot.board_arrived(ARRIVAL))


async def test_our_own_bug_is_neither_the_boards_nor_the_lines(ledger: Ledger, secrets: Secrets) -> None:
    """The attempt is void, the slot goes out of service, and the line stays open."""
    line = Line(Suspicion())
    slot, outcome = await judged(ledger, secrets, line, ZeroDivisionError("a bug, for once on purpose"))
    assert (outcome.verdict, slot.shown) == ("void", SlotState.OUT_OF_SERVICE)
    assert outcome.fault is not None
    assert (outcome.fault.code, outcome.fault.evidence) == ("station.bug", {"exception": "ZeroDivisionError"})
    assert line.paused_by is None


async def test_what_ran_out_where_nobody_expected_it_is_no_bug(ledger: Ledger, secrets: Secrets) -> None:
    """The line pauses, and the slot stays in service."""
    line = Line(Suspicion())
    slot, outcome = await judged(ledger, secrets, line, OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/dev/null"))
    assert (outcome.verdict, slot.shown, slot.service) == ("void", SlotState.WAITING, InService())
    assert line.paused_by is not None
    assert (line.paused_by.code, line.paused_by.evidence["reason"]) == ("station.resources", "Too many open files")


async def test_a_slot_that_is_held_during_an_attempt_stays_out_of_service(ledger: Ledger, secrets: Secrets) -> None:
    """The verdict on the board that was in the slot does not undo the hold."""

    def equipment(_slot: str, _visit: Visit, _attempt: int) -> Bench:
        slot.hold(by_anna(Deed.HOLD, "1"))
        raise BoardSilent("HELLO", 2.0)

    slot = slot_with(ledger, secrets, Line(Suspicion()), equipment)
    outcome = await slot.judge(slot.board_arrived(ARRIVAL))
    assert outcome.verdict == "fail"
    assert isinstance(slot.service, OutOfService)
    assert slot.shown is SlotState.OUT_OF_SERVICE
    held = SlotStatus.of(slot, "usb-1").held
    assert held is not None
    assert held.model_dump(mode="json") == {"who": "anna", "at": "2026-11-23T08:15:30.250Z", "reason": "pins are dirty"}


async def test_a_slot_that_was_released_is_held_by_nobody(ledger: Ledger, secrets: Secrets) -> None:
    """The trial shows the fault of the hold, and no person."""
    slot = slot_with(ledger, secrets, Line(Suspicion()), lambda *_: pytest.fail("no attempt begins"))
    slot.hold(by_anna(Deed.HOLD, "1"))
    slot.release(by_anna(Deed.RELEASE, "1"))
    seen = SlotStatus.of(slot, "usb-1")
    assert (seen.service, seen.fault, seen.held) == ("trial", "slot.held", None)


async def test_a_status_that_is_kept_is_the_one_that_the_slot_has(ledger: Ledger, secrets: Secrets) -> None:
    """Asked after each change of slot and line; between two changes it is not made again."""

    def equipment(_slot: str, _visit: Visit, _attempt: int) -> Bench:
        seen()
        raise BoardSilent("HELLO", 2.0)

    line = Line(Suspicion())
    slot = slot_with(ledger, secrets, line, equipment)
    statuses = SlotStatuses({"usb-1": slot})

    def seen() -> SlotStatus:
        (status,) = statuses.now()
        assert status.model_copy(update={"seconds": 0.0}) == SlotStatus.of(slot, "usb-1").model_copy(
            update={"seconds": 0.0}
        )
        return status

    words = [seen().state]
    visit = slot.board_arrived(ARRIVAL)
    words.append(seen().state)
    await slot.judge(visit)
    words.append(seen().state)
    assert statuses.now()[0] is statuses.now()[0]
    slot.hold(by_anna(Deed.HOLD, "1"))
    words.append(seen().state)
    slot.release(by_anna(Deed.RELEASE, "1"))
    words.append(seen().state)
    slot.board_left()
    words.append(seen().state)
    slot.board_arrived(replace(ARRIVAL, probe="066D00"))
    words.append(seen().state)
    assert words == ["empty", "waiting", "fail", "out of service", "fail", "empty", "waiting"]


@pytest.mark.parametrize(
    ("step", "steps", "seconds"),
    [
        (None, {"recognise": 2.0}, 0.0),
        ("deliver", {"recognise": 2.0}, 7.0),
        ("deliver", {"recognise": 2.0, "deliver": 6.75}, 7.0),
        ("deliver", {"recognise": 9.04}, 0.0),
    ],
    ids=["no step runs", "it runs", "it is over and the next has not begun", "rounded"],
)
def test_the_seconds_of_a_step_never_jump_back(step: str | None, steps: dict[str, float], seconds: float) -> None:
    assert told("1", "running", step=step, seconds=9.0, steps=steps).in_step() == seconds


async def test_an_empty_slot_still_shows_what_the_last_attempt_ended_by(ledger: Ledger, secrets: Secrets) -> None:
    """It shows neither number nor verdict, which belong to a board that has left."""

    def equipment(_slot: str, _visit: Visit, _attempt: int) -> Bench:
        raise BoardSilent("HELLO", 2.0)

    slot = slot_with(ledger, secrets, Line(Suspicion()), equipment)
    outcome = await slot.judge(slot.board_arrived(ARRIVAL))
    seen = SlotStatus.of(slot, "usb-1")
    assert (seen.state, seen.verdict, seen.attempt) == ("fail", "fail", outcome.number)
    slot.board_left()
    empty = SlotStatus.of(slot, "usb-1")
    assert (empty.state, empty.fault, empty.verdict, empty.attempt) == ("empty", "board.silent", None, None)


def left_behind(slot: Slot) -> tuple[str, str | None] | None:
    """Verdict and fault of the board that was pulled last, if the slot still shows them."""
    taken = slot.taken
    return None if taken is None else (taken.outcome.verdict, taken.outcome.attempt.fault)


async def test_a_verdict_outlives_a_pulled_board(ledger: Ledger, secrets: Secrets) -> None:
    """Until another board comes, the slot says what became of the last one, and does not take it for the next one's."""

    def equipment(_slot: str, _visit: Visit, _attempt: int) -> Bench:
        raise BoardSilent("HELLO", 2.0)

    slot = slot_with(ledger, secrets, Line(Suspicion()), equipment)
    assert (slot.last, left_behind(slot)) == (None, None)
    outcome = await slot.judge(slot.board_arrived(ARRIVAL))
    assert (slot.last, left_behind(slot)) == (outcome, None)
    slot.board_left()
    assert (slot.last, left_behind(slot)) == (outcome, ("fail", "board.silent"))
    slot.board_arrived(replace(ARRIVAL))  # another board in the same place
    assert (slot.last, left_behind(slot)) == (outcome, None)
    slot.board_left()  # before it was judged
    assert (slot.last, left_behind(slot)) == (outcome, None)


async def test_a_board_pulled_during_its_attempt_leaves_a_void_behind(ledger: Ledger, secrets: Secrets) -> None:
    during: list[tuple[str, str | None] | None] = []

    def equipment(_slot: str, _visit: Visit, _attempt: int) -> Bench:
        slot.board_left()
        during.append(left_behind(slot))
        raise BoardRemoved

    slot = slot_with(ledger, secrets, Line(Suspicion()), equipment)
    await slot.judge(slot.board_arrived(ARRIVAL))
    assert (during, left_behind(slot)) == ([None], ("void", "board.removed"))


async def test_a_board_that_a_full_order_has_held_is_judged_again_once_there_is_room(
    ledger: Ledger, secrets: Secrets
) -> None:
    """It costs one void attempt, however long it waits, and others go on meanwhile."""
    line = Line(Suspicion())
    begun_ones = asyncio.Queue[int]()
    full = True

    def equipment(_slot: str, _visit: Visit, attempt: int) -> Bench:
        begun_ones.put_nowait(attempt)
        raise LotFull("W1", 3) if full else BoardSilent("HELLO", 1.0)

    slot = slot_with(ledger, secrets, line, equipment)
    running = asyncio.create_task(slot.run())
    async with asyncio.timeout(60):
        slot.board_arrived(ARRIVAL)
        await begun_ones.get()
        while line.paused_by is None:
            await asyncio.sleep(0.01)
        await line.opened()
        await asyncio.sleep(0.05)
        assert begun_ones.empty()
        full = False
        line.open_to_new()
        await begun_ones.get()
        while slot.last is None or slot.last.verdict != "fail":
            await asyncio.sleep(0.01)
    running.cancel()
