# SPDX-License-Identifier: Apache-2.0
"""The program of `[andon]` gets what the page shows; whatever it does, nothing waits for it."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from station.adapters.andon.lamp import UNREAD_FOR, Lamp, LampLost
from station.daemon.andon import Andon
from station.web import assets
from station.web.signals import HANDS
from tests.web.fake_door import FakeDoor, paused, running, slot

WITHIN = 120.0
# Writes its own number, then all that it gets, and at the end of its input a last line.
KEEPS = """
import os, sys
with open(sys.argv[1], "a", buffering=1) as file:
    print(os.getpid(), file=file)
    for line in sys.stdin:
        file.write(line)
    print("dark", file=file)
"""
Told = dict[str, object]


def keeping(file: Path) -> list[str]:
    return [sys.executable, "-c", KEEPS, str(file)]


@asynccontextmanager
async def lit(door: FakeDoor, command: Sequence[str]) -> AsyncIterator[Andon]:
    andon = Andon(door, command)
    task = asyncio.create_task(andon.run())
    try:
        yield andon
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not true():
            await asyncio.sleep(0.01)


def lines(file: Path) -> list[str]:
    """The whole lines so far."""
    text = file.read_text() if file.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()


def told(file: Path) -> list[Told]:
    return [json.loads(line) for line in lines(file) if line.startswith("{")]


def states(file: Path) -> list[Told]:
    return [each for each in told(file) if each["event"] == "state"]


def pids(file: Path) -> list[int]:
    return [int(line) for line in lines(file) if line.isdigit()]


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor([slot("1"), slot("B 2", "pass"), slot("3", "out of service", "probe.wedged", service="out")])


async def test_the_whole_state_is_told_at_each_change(door: FakeDoor, tmp_path: Path) -> None:
    file = tmp_path / "lamp"
    async with lit(door, keeping(file)) as andon:
        await until(lambda: len(states(file)) == 1)
        door.put(running("1"))
        await until(lambda: len(states(file)) == 2)
        door.state = paused("pki.unavailable")
        await until(lambda: len(states(file)) == 3)
        assert andon.status.up
    first, second, third = states(file)
    assert first == {
        "event": "state",
        "schema": 1,
        "station": "line-1",
        "line": {"state": "open", "fault": None, "act": None},
        "hands": {"pass": 1, "fail": 0, "void": 0, "out of service": 1},
        "slots": {"1": "empty", "B 2": "pass", "3": "out of service"},
    }
    assert second["slots"] == {"1": "running", "B 2": "pass", "3": "out of service"}
    assert third["line"] == {"state": "paused", "fault": "pki.unavailable", "act": "wait"}
    assert not andon.status.up


async def test_a_beat_follows_the_state_and_goes_on_while_nothing_changes(door: FakeDoor, tmp_path: Path) -> None:
    file = tmp_path / "lamp"
    async with lit(door, keeping(file)):
        await until(lambda: len(told(file)) >= 4)
        looks = door.looks
        await until(lambda: len(told(file)) >= 5)
        assert door.looks > looks  # nobody beats who does not look
    assert [each["event"] for each in told(file)][:5] == ["state", "beat", "beat", "beat", "beat"]


async def test_at_the_end_its_input_ends_first(door: FakeDoor, tmp_path: Path) -> None:
    """So the program makes the lamp dark by itself, before any signal; and it is gone afterwards."""
    file = tmp_path / "lamp"
    async with lit(door, keeping(file)):
        await until(lambda: len(told(file)) >= 2)
    assert lines(file)[-1] == "dark"
    with pytest.raises(ProcessLookupError):
        os.kill(pids(file)[0], 0)


async def test_a_program_that_ignores_its_end_is_killed(door: FakeDoor, tmp_path: Path) -> None:
    file = tmp_path / "lamp"
    stubborn = f"import signal\nfor number in (2, 15): signal.signal(number, signal.SIG_IGN)\n{KEEPS}\nsignal.pause()"
    async with lit(door, [sys.executable, "-c", stubborn, str(file)]):
        await until(lambda: len(told(file)) >= 2)
    with pytest.raises(ProcessLookupError):
        os.kill(pids(file)[0], 0)


async def test_a_killed_program_is_started_again_and_told_everything(door: FakeDoor, tmp_path: Path) -> None:
    file = tmp_path / "lamp"
    with capture_logs() as logged:
        async with lit(door, keeping(file)) as andon:
            await until(lambda: len(told(file)) >= 2)
            os.kill(pids(file)[0], signal.SIGKILL)
            await until(lambda: len(pids(file)) == 2 and len(states(file)) == 2)
            await until(lambda: andon.status.up)
    assert states(file)[0] == states(file)[1]
    assert [entry["event"] for entry in logged] == ["andon.started", "andon.lost", "andon.started"]
    assert logged[1]["seconds"] == 1.0
    assert logged[1]["reason"] in {
        "the program ended by signal 9",
        "the program reads its standard input no more",
    }


async def test_a_program_that_cannot_be_started_is_tried_less_and_less_often(door: FakeDoor, tmp_path: Path) -> None:
    with capture_logs() as logged:
        async with lit(door, [str(tmp_path / "absent")]) as andon:
            await until(lambda: len(logged) == 2)
    assert [(entry["event"], entry["seconds"]) for entry in logged] == [("andon.lost", 1.0), ("andon.lost", 2.0)]
    assert andon.status.reason == f"{tmp_path / 'absent'} cannot be started: No such file or directory"


async def test_what_the_program_printed_last_says_why_it_ended(door: FakeDoor) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no lamp at /dev/ttyUSB0\\x1b')"]
    async with lit(door, command) as andon:
        await until(lambda: andon.status.reason is not None)
    assert andon.status.reason in {
        "the program ended with exit status 1: no lamp at /dev/ttyUSB0\\x1b",
        "the program reads its standard input no more",
    }


async def test_our_own_bug_costs_the_lamp_alone(door: FakeDoor, tmp_path: Path) -> None:
    file = tmp_path / "lamp"
    with capture_logs() as logged:
        async with lit(door, keeping(file)) as andon:
            await until(lambda: len(told(file)) >= 2)
            door.broken = True
            await until(lambda: any(entry["event"] == "andon.failed" for entry in logged))
            await until(lambda: andon.status.reason == "ZeroDivisionError" and lines(file)[-1] == "dark")
            door.broken = False
            await until(lambda: len(pids(file)) == 2)


SLEEPS = [sys.executable, "-c", "import signal; signal.pause()"]


async def test_a_program_that_does_not_read_is_lost_at_a_full_pipe() -> None:
    async with Lamp.lit(SLEEPS) as lamp:
        with pytest.raises(LampLost, match="the pipe is full"):
            for _ in range(1 << 10):
                lamp.tell(b"x" * 4095 + b"\n")


async def test_a_program_that_does_not_read_is_lost_long_before_the_pipe_is_full() -> None:
    async with Lamp.lit(SLEEPS) as lamp:
        lamp.tell(b"{}\n")
        for _ in range(UNREAD_FOR - 1):
            lamp.look()
        with pytest.raises(LampLost, match="has read nothing for 10 beats"):
            lamp.look()


async def test_a_program_that_prints_without_end_is_lost() -> None:
    async with Lamp.lit([sys.executable, "-c", "while True: print('x' * 99)"]) as lamp:
        with pytest.raises(LampLost, match="it printed more than"):
            await lamp.listen(WITHIN)


def test_the_lamp_counts_the_hands_that_the_page_counts() -> None:
    page = (assets.FOLDER / "board.js").read_text()
    (listed,) = re.findall(r"export const HANDS = (\[.*?\]);", page)
    assert json.loads(listed) == ["out" if state == "out of service" else state for state in HANDS]
