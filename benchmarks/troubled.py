# SPDX-License-Identifier: Apache-2.0
"""One hung programmer and one mute board among 64 slots in real time: the others' cycles beside them and without them, in turns."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from benchmarks.recording import JOURNAL, LOG, Attempt, Invocation, RunUnusable
from station.config.line import SOCKET
from station.daemon import control
from tests.builders.line import Line, LineFailed
from virtual_bench.server import control as bench

SLOTS = 64
EVERY = 0.3  # seconds from one plugging in to the next, as in the line `in-turn`: fewer would measure the bench's processors
HUNG, MUTE = 1, 2  # their ports: they come first, so that their trouble lasts as long as the others' work
FAULTS: Mapping[int, Mapping[str, object]] = {
    HUNG: {"what": "hang", "at": "recognise", "deaf_to": "all"},
    MUTE: {"what": "mute", "at": "await_csr"},
}
EXPECTED = {HUNG: "programmer.stuck", MUTE: "board.silent"}
# The hung programmer is interrupted, terminated and killed while the last boards are at work, and the mute board fails.
DEADLINES = {
    "STATION__PROGRAMMER__CONNECT_WITHIN": "25",
    "STATION__PROGRAMMER__STOP_WITHIN": "5",
    "STATION__BOARD__BOOT_WITHIN": "25",
}
LOOK_EVERY = 1.0
JUDGED_WITHIN = 300.0


class Ended(Attempt):
    """The end of an attempt, with its verdict."""

    verdict: str
    fault: str | None = None


@dataclass
class Troubled:
    """Of each round, the cycles in seconds of the boards that have no trouble, without the troubled ones and beside them."""

    without: list[list[float]] = field(default_factory=list)
    beside: list[list[float]] = field(default_factory=list)


def troubled(folder: Path, rounds: int, slots: int = SLOTS, time_scale: float = 1.0) -> Troubled:
    """Measures at one daemon, after one round that is not counted. Raises `RunUnusable`."""
    found = Troubled()
    try:
        with patch.dict(os.environ, DEADLINES), Line.standing(folder, slots, time_scale=time_scale) as standing:
            line = _Rounds(standing, slots, EVERY * time_scale)
            line.cycles(beside=False)
            for number in range(rounds):
                kinds = ((False, found.without), (True, found.beside))
                for beside, cycles in kinds if number % 2 else kinds[::-1]:
                    cycles.append(line.cycles(beside=beside))
    except (LineFailed, bench.BenchAbsent, bench.Refused) as exc:
        raise RunUnusable(str(exc)) from exc
    return found


class _Rounds:
    """One line, round after round."""

    def __init__(self, line: Line, slots: int, every: float) -> None:
        self._line = line
        self._slots = slots
        self._every = every
        self._next_board = 1

    def cycles(self, *, beside: bool) -> list[float]:
        """Seconds of each board without trouble that was verified by check sum, in one round of new boards."""
        log, journal = (End(self._line.folder / name) for name in (LOG, JOURNAL))
        ports = [port for port in range(1, self._slots + 1) if beside or port not in FAULTS]
        if beside:
            control.ask(self._line.folder / SOCKET, "release", slot=str(HUNG), who="benchmark")
        boards = self._plugged(ports)
        self._until_judged(ports)
        attempts = {int(each.slot): each for each in map(Ended.model_validate, log.events("attempt.finished"))}
        runs = [Invocation.model_validate(each) for each in journal.events("invocation")]
        self._unplug(ports)
        check(attempts, ports)
        fast = {run.board for run in runs if run.fast}
        return [attempts[port].seconds for port in ports if port not in FAULTS and boards[port] in fast]

    def _plugged(self, ports: Sequence[int]) -> dict[int, int]:
        """Plugs in a new board at each port, one after the other; returns their numbers."""
        folder, boards, began = self._line.folder, {}, time.monotonic()
        for turn, port in enumerate(ports):
            if port in FAULTS:
                bench.ask(folder, "fault", fault={"board": self._next_board, **FAULTS[port]})
            time.sleep(max(0.0, began + turn * self._every - time.monotonic()))
            (board,) = bench.ask(folder, "plug", ports=[port], new=True, radio={})
            if board["board"] != self._next_board:
                raise RunUnusable(f"the bench plugged in board {board['board']} instead of {self._next_board}")
            boards[port] = self._next_board
            self._next_board += 1
        return boards

    def _until_judged(self, ports: Sequence[int]) -> None:
        deadline = time.monotonic() + JUDGED_WITHIN
        while waiting := [
            slot.slot for slot in self._line.status().slots if int(slot.slot) in ports and not slot.verdict
        ]:
            if time.monotonic() > deadline:
                raise RunUnusable(f"no verdict in the slots {', '.join(waiting)}")
            time.sleep(LOOK_EVERY)

    def _unplug(self, ports: Sequence[int]) -> None:
        bench.ask(self._line.folder, "unplug", ports=ports)
        deadline = time.monotonic() + JUDGED_WITHIN
        while any(slot.probe is not None for slot in self._line.status().slots):
            if time.monotonic() > deadline:
                raise RunUnusable("the daemon still sees boards that were pulled")
            time.sleep(LOOK_EVERY)


class End:
    """What a file of lines gets from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._size = file.stat().st_size

    def events(self, name: str) -> list[dict[str, object]]:
        with self._file.open("rb") as opened:
            opened.seek(self._size)
            lines = [json.loads(line) for line in opened.read().splitlines()]
        return [line for line in lines if line["event"] == name]


def check(attempts: Mapping[int, Ended], ports: Sequence[int]) -> None:
    """Raises `RunUnusable` unless the troubled boards ended as they had to, and all others passed."""
    for port in ports:
        ended = attempts.get(port)
        if ended is None:
            raise RunUnusable(f"the log has no end of the attempt in slot {port}")
        if (ended.fault, ended.verdict == "pass") != (EXPECTED.get(port), port not in EXPECTED):
            raise RunUnusable(f"slot {port}: {ended.verdict}, {ended.fault}")
