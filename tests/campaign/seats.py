# SPDX-License-Identifier: Apache-2.0
"""Which board is where: people pull boards, carry them to other slots and stations, and exchange two of them."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.campaign.world import At, World
from virtual_bench.server import control as bench

BOUNCES = 20  # of a loose connector, in the time that people need for one board


class Handled(StrEnum):
    """What people do to a board; `over` is to another station."""

    PULLED = "pulled"
    BOUNCED = "bounced"
    MOVED = "moved"
    SWAPPED = "swapped"
    MOVED_AFTER = "moved after its verdict"
    MOVED_OVER = "moved over"
    SWAPPED_OVER = "swapped over"
    MOVED_OVER_AFTER = "moved over after its verdict"

    @property
    def is_over(self) -> bool:
        return self in {Handled.MOVED_OVER, Handled.SWAPPED_OVER, Handled.MOVED_OVER_AFTER}


@dataclass(eq=False)
class Seat:
    """One person's board, and where it is. `is_done`: no board of this person is at work."""

    port: int
    number: int = 0
    probe: str = ""
    home: str = ""
    """The station where it was first."""
    is_done: bool = True
    fault: str | None = None
    """Of its last attempt."""
    uid: str | None = None
    done: set[str] = field(default_factory=set)
    """What the person was to do once, and has tried."""
    befallen: list[dict[str, object]] = field(default_factory=list)


@dataclass
class Seats:
    """All of them, and the free slots. Whoever calls has the campaign's lock."""

    folder: Path
    stations: Sequence[At]
    all: Sequence[Seat]
    free: set[int]

    @classmethod
    def at(cls, world: World) -> "Seats":
        """The last slot of each station is free at first."""
        places = [Seat(port) for station in world.stations for port in station.ports[:-1]]
        return cls(world.folder, world.stations, places, {station.ports[-1] for station in world.stations})

    def sits(self, seat: Seat, home: str) -> None:
        """Seats a fresh board."""
        (told,) = bench.ask(self.folder, "plug", ports=[seat.port], new=True, radio={})
        assert told["board"] == seat.number, (told, seat)
        seat.probe, seat.home, seat.is_done, seat.fault = str(told["probe"]), home, False, None
        seat.done, seat.befallen = set(), []

    def is_plugged(self, seat: Seat) -> bool:
        return bool(bench.ask(self.folder, "status")[seat.port - 1]["plugged"])

    def unplug(self, seat: Seat) -> bool:
        """Whether the board was there to be pulled: it may have gone by itself, or be off for a moment."""
        return self._pulled(seat.port)

    def plug(self, seat: Seat) -> None:
        for tries_left in reversed(range(BOUNCES)):
            try:
                bench.ask(self.folder, "plug", ports=[seat.port], new=False, radio={})
            except bench.Refused:
                if self.is_plugged(seat):  # a loose connector was faster
                    return
                if not tries_left:
                    raise
            else:
                return

    # --- what people do -----------------------------------------------------------------------------------------------

    def handled(self, what: Handled, seat: Seat, chance: random.Random) -> bool:
        """Whether it could be done."""
        match what:
            case Handled.PULLED:
                return self.unplug(seat)
            case Handled.BOUNCED:
                done = self.unplug(seat)
                if done:
                    self.plug(seat)
                return done
            case Handled.SWAPPED | Handled.SWAPPED_OVER:
                return self._swapped(seat, chance, self._reach(seat, over=what.is_over))
            case Handled.MOVED | Handled.MOVED_OVER:
                return self.is_plugged(seat) and self._moved(seat, chance, self._reach(seat, over=what.is_over))
            case Handled.MOVED_AFTER | Handled.MOVED_OVER_AFTER:
                return self._moved(seat, chance, self._reach(seat, over=what.is_over))

    def home(self, seat: Seat, chance: random.Random) -> bool:
        """Takes a board back to the station where it was first: to a free slot, or in exchange. False if it is there."""
        there = next(each for each in self.stations if each.name == seat.home)
        if seat.port in there.ports:
            return False
        return self._moved(seat, chance, there.ports.__contains__) or self._exchanged(
            seat, chance, [each for each in self.all if each.port in there.ports]
        )

    def _reach(self, seat: Seat, *, over: bool) -> Callable[[int], bool]:
        """Whether a port is at the board's own station; at another one if `over`."""
        own = next(each.ports for each in self.stations if seat.port in each.ports)
        return lambda port: (port in own) is not over

    def _moved(self, seat: Seat, chance: random.Random, reach: Callable[[int], bool]) -> bool:
        ports = sorted(filter(reach, self.free))
        if not ports:
            return False
        self.unplug(seat)
        to = chance.choice(ports)
        self._carried(seat.port, to)
        self.free.remove(to)
        self.free.add(seat.port)
        seat.port = to
        self.plug(seat)
        return True

    def _swapped(self, seat: Seat, chance: random.Random, reach: Callable[[int], bool]) -> bool:
        """Only with a board that is at work, too."""
        others = [each for each in self.all if each is not seat and reach(each.port) and not each.is_done]
        return self.is_plugged(seat) and self._exchanged(
            seat, chance, [other for other in others if self.is_plugged(other)]
        )

    def _exchanged(self, seat: Seat, chance: random.Random, others: Sequence[Seat]) -> bool:
        """Two boards change places; the other is seated again if it was."""
        if not others:
            return False
        other = chance.choice(others)
        self.unplug(seat)
        was_there = self.unplug(other)
        self._carried(seat.port, other.port)
        seat.port, other.port = other.port, seat.port
        other.befallen.append({"what": "swapped by another", "at": time.time()})
        self.plug(seat)
        if was_there:
            self.plug(other)
        return True

    def _carried(self, port: int, to: int) -> None:
        """Stands the pulled board of a port at another, in exchange where one stands there. A loose connector may put one back meanwhile."""
        for _ in range(BOUNCES):
            with suppress(bench.Refused):
                bench.ask(self.folder, "move", port=port, to=to)
                return
            self._pulled(port)
            self._pulled(to)
        raise AssertionError(f"the boards at the ports {port} and {to} do not stay pulled")

    def _pulled(self, port: int) -> bool:
        for _ in range(BOUNCES):
            with suppress(bench.Refused):
                bench.ask(self.folder, "unplug", ports=[port])
                return True
            if not bench.ask(self.folder, "status")[port - 1]["plugged"]:
                return False
        raise AssertionError(f"the board at port {port} is neither plugged in nor pulled")
