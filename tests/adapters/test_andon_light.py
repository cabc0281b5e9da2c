# SPDX-License-Identifier: Apache-2.0
"""The example program for a tower light goes dark whenever the station does not vouch for what it shows."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from station.web.signals import beat_line, state_line
from tests.web.fake_door import OPEN, paused, slot

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, str(ROOT / "docs" / "examples" / "andon_light.py")]
WITHIN = 120.0
ON = {0x11: "red", 0x12: "yellow", 0x14: "green"}
OFF = {0x21: "red", 0x22: "yellow", 0x24: "green"}
STOPS_BEATING = {"SIGSTOP": signal.SIGSTOP, "SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM}


class Tower:
    """The other end of the serial port."""

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        self.path = os.ttyname(self._slave)
        self.lit: set[str] | None = None

    def until(self, *lit: str) -> None:
        """Waits until these lamps are lit, and no other."""
        deadline = time.monotonic() + WITHIN
        while self.lit != set(lit):
            readable, *_ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, f"{self.lit} are lit, expected {lit}"
            for byte in os.read(self._master, 1):
                self.lit = self.lit or set()
                if byte in ON:
                    self.lit.add(ON[byte])
                elif byte in OFF:
                    self.lit.discard(OFF[byte])

    def close(self) -> None:
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture
def tower() -> Iterator[Tower]:
    made = Tower()
    yield made
    made.close()


@contextmanager
def running(tower: Tower) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([*PROGRAM, tower.path], stdin=subprocess.PIPE) as program:
        try:
            yield program
        finally:
            program.kill()


def tell(program: subprocess.Popen[bytes], *lines: bytes) -> None:
    assert program.stdin is not None
    program.stdin.write(b"".join(lines))
    program.stdin.flush()


GOOD = state_line("line-1", OPEN, {"1": "pass", "2": "running"})


def test_without_a_beat_nothing_is_lit(tower: Tower) -> None:
    """A state alone lights nothing; and a beat that does not come again makes the lamp dark within its three seconds."""
    with running(tower) as program:
        tower.until()
        tell(program, GOOD, beat_line())
        tower.until("green")
        tower.until()
        tell(program, GOOD)
        tell(program, beat_line())
        tower.until("green")


def test_each_state_has_its_colours(tower: Tower) -> None:
    with running(tower) as program:
        for states, line, lit in (
            (["empty", "running", "waiting", "pending"], OPEN, ()),
            (["pass"], OPEN, ("green",)),
            (["pass", "fail"], OPEN, ("green", "red")),
            (["void"], OPEN, ("yellow",)),
            (["out of service"], OPEN, ("red",)),
            (["empty"], paused("pki.unavailable"), ("yellow",)),
        ):
            tell(program, state_line("line-1", line, {str(at): state for at, state in enumerate(states)}), beat_line())
            tower.until(*lit)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_its_own_end_is_dark(tower: Tower, number: signal.Signals) -> None:
    with running(tower) as program:
        tell(program, GOOD, beat_line())
        tower.until("green")
        program.send_signal(number)
        tower.until()
        assert program.wait(WITHIN) == 0


def test_the_end_of_its_input_is_its_own(tower: Tower) -> None:
    with running(tower) as program:
        tell(program, GOOD, beat_line())
        tower.until("green")
        assert program.stdin is not None
        program.stdin.close()
        tower.until()
        assert program.wait(WITHIN) == 0


def test_the_next_program_clears_what_a_killed_one_has_left(tower: Tower) -> None:
    with running(tower) as program:
        tell(program, GOOD, beat_line())
        tower.until("green")
    tower.lit = {"green"}  # nobody has told the lamp otherwise
    with running(tower):
        tower.until()


@pytest.mark.parametrize("number", STOPS_BEATING.values(), ids=STOPS_BEATING)
def test_a_station_that_stops_beating_leaves_no_lamp_lit(tower: Tower, number: signal.Signals) -> None:
    """However it stops; one that goes on is shown again."""
    command = [sys.executable, "-m", "tests.web.scripted_line", "--idle", "--slots=2", "--andon", *PROGRAM, tower.path]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as station:
        try:
            tower.until()
            tell(station, _slot("pass"))
            tower.until("green")
            station.send_signal(number)
            tower.until()
            if number == signal.SIGSTOP:
                station.send_signal(signal.SIGCONT)
                tower.until("green")
        finally:
            station.kill()


def _slot(state: str) -> bytes:
    return json.dumps(slot("1", state).model_dump(mode="json")).encode() + b"\n"
