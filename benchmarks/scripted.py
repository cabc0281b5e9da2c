# SPDX-License-Identifier: Apache-2.0
"""A line of 64 scripted slots behind the page as built, in a process of its own, and what happens on it at a given pace."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from station.web.hub import FIRST_PLAN
from station.web.models import Slot
from tests.builders.line import ROOT
from tests.web.fake_door import pulled, slot

SLOTS = 64
STEPS = [each.step for each in FIRST_PLAN["provision"]]
CHANGES = len(STEPS) + 3  # of a board from one plugging in to the next
CYCLE = 20.0  # seconds that a real board takes, with its exchange
REAL = SLOTS * CHANGES / CYCLE
"""Events a second of 64 real boards."""


class Scripted:
    """The running process. Each change carries the moment at which it was made, in microseconds, as its attempt's number."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._orders = process.stdin
        self.url = next(line.strip() for line in process.stdout if line.startswith("http://"))

    async def live(self, rate: float, seconds: float) -> None:
        """So many changes a second, evenly over the slots."""
        began = time.monotonic()
        for number in count():
            due = began + number / rate
            if due > began + seconds:
                return
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            place, turn = number % SLOTS, number // SLOTS
            shown = change(str(place + 1), (turn + place) % CHANGES)
            now = time.time_ns() // 1000
            self._orders.write(shown.model_copy(update={"attempt": now}).model_dump_json() + "\n")
            self._orders.flush()


def change(name: str, at: int) -> Slot:
    """What the slot shows at this point of a board's visit."""
    if at < len(STEPS):
        return slot(name, "running", step=STEPS[at], seconds=0.0)
    if at == len(STEPS):
        return slot(name, "pass") if int(name) % 8 else slot(name, "fail", "board.silent")
    return pulled(name, "pass") if at == len(STEPS) + 1 else slot(name, "waiting")


@contextmanager
def scripted() -> Iterator[Scripted]:
    """The line for the block, with slots in all states."""
    command = [sys.executable, "-m", "tests.web.scripted_line", f"--slots={SLOTS}"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Scripted(process)
        finally:
            process.kill()
