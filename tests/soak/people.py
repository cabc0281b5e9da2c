# SPDX-License-Identifier: Apache-2.0
"""The people at a line's slots, each at his own pace: a fresh board, its cycle, its verdict, a pause, the next board."""

import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from station.daemon import control as daemon
from station.line.status import SlotStatus, Status
from tests.builders.line import Line, LineFailed
from virtual_bench.server import control as bench

PACE = (0.8, 1.2)  # times the mean, from one board to the next
NOTICED_WITHIN = (1.0, 4.0)  # seconds until somebody sees the verdict and pulls the board
MUTE_FOR = 900.0  # seconds without a verdict, after which somebody pulls the board
HELPED_EVERY = 60.0  # seconds, so that one trouble of a slot counts once
ANSWERED_WITHIN = 120.0  # seconds; a machine that does other work, too, may be late


@dataclass
class Person:
    """One of them; moments are those of the monotonic clock."""

    port: int
    due: float
    """The moment for the next thing to do."""
    board: Path | None = None
    plugged_at: float | None = None
    seen: bool = False
    """Whether the verdict was seen."""
    helped: float = -HELPED_EVERY


class People:
    """All of them, and how often they had to help."""

    def __init__(self, line: Line, slots: int, every: float, chance: random.Random) -> None:
        """`every` is the mean time from one board to the next at a slot."""
        now = time.monotonic()
        self.interventions = 0
        self._line, self._every, self._chance = line, every, chance
        self._people = [Person(port, now + chance.uniform(0, every)) for port in range(1, slots + 1)]

    def work(self) -> None:
        """One look at all slots. Raises `LineFailed` if the daemon is gone."""
        for person, slot in zip(self._people, asked(self._line).slots, strict=True):
            self._look(person, slot, time.monotonic())

    def _look(self, person: Person, slot: SlotStatus, now: float) -> None:
        if slot.service == "out":
            if now >= person.helped + HELPED_EVERY:
                person.helped = now
                self.interventions += 1
                daemon.ask_patiently(_socket(self._line), "release", ANSWERED_WITHIN, {"slot": slot.slot})
        elif person.plugged_at is None:
            if now >= person.due and slot.state == "empty":
                self._plug(person, now)
        elif person.seen:
            if now >= person.due:
                self._pull(person)
        elif slot.verdict is not None and slot.state not in {"waiting", "empty"}:
            person.seen, person.due = True, now + self._chance.uniform(*NOTICED_WITHIN)
        elif now > person.plugged_at + MUTE_FOR:
            self.interventions += 1
            self._pull(person)

    def _plug(self, person: Person, now: float) -> None:
        (board,) = bench.ask(self._line.folder, "plug", ports=[person.port], new=True, radio={})
        if person.board is not None:
            shutil.rmtree(person.board)  # of the board that left: 17 MB, which the bench has let go of now
        person.board = self._line.folder / "boards" / str(board["probe"])
        person.plugged_at, person.seen = now, False

    def _pull(self, person: Person) -> None:
        assert person.plugged_at is not None
        bench.ask(self._line.folder, "unplug", ports=[person.port])
        person.due = person.plugged_at + self._every * self._chance.uniform(*PACE)
        person.plugged_at = None


def asked(line: Line) -> Status:
    """The daemon's status. Raises `LineFailed` if the daemon is gone, or does not answer for a long time."""
    try:
        return Status.model_validate(daemon.ask_patiently(_socket(line), "status", ANSWERED_WITHIN, {}))
    except daemon.DaemonAbsent as exc:
        raise LineFailed(f"the daemon does not answer: {exc}") from exc


def _socket(line: Line) -> Path:
    return line.folder / "station.sock"
