# SPDX-License-Identifier: Apache-2.0
"""The hub tells listeners what has changed, and drops those that do not read."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from station.web.hub import FIRST_PLAN, LISTENERS, QUEUE, Hub, Listener, planned_by
from station.web.models import NO_STOCK, Lot, Planned, Stock
from tests.web.fake_door import FakeDoor, paused, pulled, running, slot

WITHIN = 60.0
Event = tuple[str, str | None, dict[str, object]]


def events(frames: bytes) -> list[Event]:
    """Name, number and content of each event."""
    found = []
    for frame in frames.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.splitlines())
        found.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
    return found


async def heard(listener: Listener) -> list[Event]:
    async with asyncio.timeout(WITHIN):
        frames = await listener.next()
    assert frames is not None
    return events(frames)


async def names(listener: Listener) -> list[str]:
    return [name for name, *_ in await heard(listener)]


async def until(listener: Listener, wanted: str) -> dict[str, object]:
    """The content of the next event of this name."""
    while True:
        for name, _, data in await heard(listener):
            if name == wanted:
                return data


def never() -> None:
    raise AssertionError("a listener that reads is not dropped")


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor([slot("1"), slot("2")])


@asynccontextmanager
async def watching(hub: Hub) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each) for each in (hub.watch(), hub.read_lot(), hub.read_plans())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_listener_gets_the_board_then_a_beat_then_what_changes(door: FakeDoor) -> None:
    hub = Hub(door, "v1")
    with hub.listening(None, never) as listener:
        (first, number, board), (second, *_) = await heard(listener)
        assert (first, second) == ("snapshot", "beat")
        assert board["version"] == "v1"
        assert isinstance(board["slots"], list)
        assert [each["slot"] for each in board["slots"]] == ["1", "2"]
        assert number
        door.put(running("2"))
        hub.look()
        [(name, _, data)] = await heard(listener)
        assert (name, data["slot"], data["state"]) == ("slot", "2", "running")
        hub.look()
        assert listener.tell(b"event: end\ndata: {}\n\n")
        assert await names(listener) == ["end"]


async def test_a_fault_is_told_once_and_stays_the_last_until_another_comes(door: FakeDoor) -> None:
    hub = Hub(door, "v1")
    with hub.listening(None, never) as listener:
        await heard(listener)
        door.put(slot("1", "fail", "board.silent", attempt=7))
        hub.look()
        told = await heard(listener)
        assert [name for name, *_ in told] == ["slot", "last"]
        assert told[1][2] == {
            "slot": "1",
            "verdict": "fail",
            "attempt": 7,
            "fault": "board.silent",
            "act": "reject",
            "sentence": "The board does not answer on its serial port.",
        }
        door.put(pulled("1", "fail", "board.silent"))
        hub.look()
        assert await names(listener) == ["slot"]
        door.put(slot("1", "pass", attempt=8))
        hub.look()
        assert await names(listener) == ["slot"]
    last = hub.board().last
    assert last is not None
    assert last.fault == "board.silent"


async def test_a_board_pulled_while_it_was_worked_on_is_a_fault_too(door: FakeDoor) -> None:
    hub = Hub(door, "v1")
    with hub.listening(None, never) as listener:
        await heard(listener)
        door.put(pulled("1", "void", "board.removed"))
        hub.look()
        assert (await heard(listener))[1][2]["fault"] == "board.removed"


async def test_the_line_is_told_when_it_pauses(door: FakeDoor) -> None:
    hub = Hub(door, "v1")
    with hub.listening(None, never) as listener:
        await heard(listener)
        door.state = paused("pki.unavailable")
        hub.look()
        [(name, _, data)] = await heard(listener)
        assert (name, data["state"], data["act"]) == ("line", "paused", "wait")


async def test_two_hundred_cut_streams_go_on_without_gap_or_double(door: FakeDoor) -> None:
    """Whatever happens while a listener is away, and whenever it comes again, it gets every event once."""
    hub, chance = Hub(door, "v1"), random.Random(8)
    with hub.listening(None, never) as listener:
        [(_, known, _), _] = await heard(listener)
    assert known is not None
    numbers, states = [int(known.split("-")[1])], {"1": "empty", "2": "empty"}
    for cut in range(200):
        for _ in range(chance.randrange(3)):
            name = chance.choice("12")
            door.put(slot(name, chance.choice(["pass", "empty", "waiting"]), attempt=cut))
            if chance.random() < 0.5:
                hub.look()
        with hub.listening(known, never) as listener:
            for name, number, data in await heard(listener):
                assert name != "snapshot"
                if number is not None:
                    known = number
                    numbers.append(int(number.split("-")[1]))
                if name == "slot":
                    states[str(data["slot"])] = str(data["state"])
        assert states == {name: door.slot(name).state for name in "12"}
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_one_that_comes_from_another_boot_gets_the_whole_board(door: FakeDoor) -> None:
    with Hub(door, "v1").listening("elsewhere-3", never) as listener:
        assert await names(listener) == ["snapshot", "beat"]


async def test_a_listener_that_does_not_read_is_dropped_and_the_others_hear_on(door: FakeDoor) -> None:
    hub, cut = Hub(door, "v1"), asyncio.Event()
    with hub.listening(None, cut.set), hub.listening(None, never) as reader:
        for _ in range(QUEUE):
            door.put(running("1"))
            hub.look()
            await heard(reader)
        assert cut.is_set()
        assert hub.listeners == 1


async def test_beats_come_while_somebody_listens_and_nobody_looks_while_nobody_does(door: FakeDoor) -> None:
    hub = Hub(door, "v1")
    async with watching(hub):
        await asyncio.sleep(0)
        assert door.looks == 0
        with hub.listening(None, never) as listener:
            await heard(listener)
            await until(listener, "beat")
        looked = door.looks
        await asyncio.sleep(0)
        assert door.looks == looked


async def test_the_lot_and_the_plans_are_read_while_somebody_listens(door: FakeDoor) -> None:
    hub = Hub(door, "v1")
    door.learned = {"reconfirm": [Planned(step="confirm", seconds=1.5)]}
    async with watching(hub):
        with hub.listening(None, never) as listener:
            assert (await until(listener, "lot"))["passed"] == 1009
        plans = hub.board().plans
        assert plans["reconfirm"] == door.learned["reconfirm"]
        assert "provision" in plans


async def test_a_ledger_that_cannot_be_read_leaves_the_counts_as_they_were(door: FakeDoor) -> None:
    hub = Hub(door, "v1")
    async with watching(hub):
        with hub.listening(None, never) as listener:
            await until(listener, "lot")
            door.ledger_is_lost = True
            door.put(running("1"))
            await until(listener, "slot")
            door.ledger_is_lost = False
            door.counts = Lot(name="L", work_order=None, planned=None, passed=1010, failed=23)
            door.put(running("2"))
            assert (await until(listener, "lot"))["passed"] == 1010


async def test_at_the_end_all_hear_goodbye(door: FakeDoor) -> None:
    hub = Hub(door, "v1")
    with hub.listening(None, never) as listener:
        await heard(listener)
        hub.close()
        assert await names(listener) == ["bye"]
        assert await listener.next() is None


async def test_so_many_may_listen_and_no_more(door: FakeDoor) -> None:
    hub, full = Hub(door, "v1"), []
    with ExitStack() as stack:
        for _ in range(LISTENERS):
            full.append(hub.full)
            stack.enter_context(hub.listening(None, never))
        assert (set(full), hub.full) == ({False}, True)
    assert (hub.full, hub.listeners) == (False, 0)


def test_a_recipe_limits_the_plan_before_there_are_passes_to_learn_from() -> None:
    """Each limit takes the place of a guess, and a step that only some recipes have comes at its place."""
    plan = planned_by({"confirm": 7.5, "coprocessor": 40.0})["provision"]
    steps = [each.step for each in plan]
    assert steps[:3] == ["recognise", "coprocessor", "flash_data"]
    assert {each.step: each.seconds for each in plan} == {
        **{each.step: each.seconds for each in FIRST_PLAN["provision"]},
        "confirm": 7.5,
        "coprocessor": 40.0,
    }
    assert planned_by({}) == FIRST_PLAN


async def test_the_stock_of_a_shared_ledger_is_told() -> None:
    door = FakeDoor([slot("1")])
    hub = Hub(door, "1")
    assert hub.board().shared.left is None
    async with watching(hub):
        with hub.listening(None, never) as listener:
            door.stock = Stock(away=True, left=800)
            assert await until(listener, "shared") == {"away": True, "left": 800}
            door.stock = NO_STOCK
            assert await until(listener, "shared") == {"away": False, "left": None}


async def test_messages_that_the_mes_does_not_get_are_told(door: FakeDoor) -> None:
    """Their number when it changes, and in each snapshot."""
    hub = Hub(door, "1")
    assert hub.board().mes is None
    async with watching(hub):
        with hub.listening(None, never) as listener:
            door.late = 12
            assert await until(listener, "mes") == {"late": 12}
            door.late = 0
            assert await until(listener, "mes") == {"late": 0}
    door.late = 3
    assert hub.board().mes == 3
