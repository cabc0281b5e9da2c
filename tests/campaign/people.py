# SPDX-License-Identifier: Apache-2.0
"""The people of a campaign: each seats a board, looks at its verdict, and seats it again until it passes, wherever it is by then."""

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from station.daemon import control
from station.line.status import SlotStatus
from tests.builders.line import LineFailed
from tests.campaign.disasters import Disasters
from tests.campaign.seats import Handled, Seat, Seats
from tests.campaign.story import DEADLY, Disturbance
from tests.campaign.watching import Watch
from tests.campaign.world import World
from tests.line.standing_line import Standing
from tests.line.test_lost_answers import switch
from virtual_bench.server import control as bench

WITHIN = 600.0  # for a verdict, on a busy machine, and after a programmer that hangs and has outlived its daemon
TRIES = 12  # of a board
STRIKES_WITHIN = 30.0  # the next request meets the switch
HANDLED_WITHIN = 3.0  # of a board's seating
UNSEEN_FOR = 10.0  # a board whose slot stays empty is pulled
LOOKED_EVERY = 0.05
AWAY_WITHIN = 60.0  # a station that has lost its centre finds it again
SOON = 1.0  # the centre hears of a unit within a second, if it is there
ELSEWHERE = frozenset({"unit.elsewhere", "unit.answer_elsewhere"})
"""Faults of boards that another station may go on with."""


@dataclass
class People:
    """One run: the world, what is to befall it, and what the people note of that."""

    world: World
    disturbances: Sequence[Disturbance]
    disasters: Disasters
    watch: Watch
    chance: random.Random
    turn: threading.Lock = field(default_factory=threading.Lock)
    began: int = 0
    boards: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seats = Seats.at(self.world)

    def play(self, boards: int) -> None:
        """Returns when so many boards have passed, or were put away."""

        def serve(seat: Seat) -> None:
            try:
                while self._seated(seat, boards):
                    self._made(seat)
            except BaseException:
                self.began = boards  # nobody begins another board: the run has failed
                raise

        with ThreadPoolExecutor(len(self.seats.all)) as people:
            for end in [people.submit(serve, seat) for seat in self.seats.all]:
                end.result()

    # --- one board ----------------------------------------------------------------------------------------------------

    def _mine(self, seat: Seat) -> list[Disturbance]:
        return [each for each in self.disturbances if each.board == seat.number]

    def _seated(self, seat: Seat, boards: int) -> bool:
        """Seats the next fresh board with its troubles armed; false when there is none left."""
        with self.turn:
            if self.began == boards:
                return False
            self.began += 1
            seat.number = self.began
            for each in self._mine(seat):
                if each.kind == "fault":
                    for fault in each.armed():
                        bench.ask(self.world.folder, "fault", fault=fault)
                elif each.kind == "switch":
                    switch(Standing(self.world.line), **{each.what: 1})
                    self.disasters.fired[each.what] += 1
                    over = time.time() + STRIKES_WITHIN
                    self.disasters.troubles.append({"what": each.what, "from": time.time(), "to": over})
            self.seats.sits(seat, self.world.at(seat.port).name)
            for each in self._mine(seat):
                if each.kind == "disaster":
                    self.disasters.befall(each.what)
            self.watch.look(self.began)
            return True

    def _made(self, seat: Seat) -> None:
        """Seats the board again until it has passed, or a person puts it away."""
        mine = self._mine(seat)
        for each in mine:
            if each.kind == "hand" and not each.at:
                self._handled(seat, each.what)
        passed = any(self._verdict(seat) == "pass" or self._again(seat) for _ in range(TRIES))
        with self.turn:
            seat.is_done = True
        away = "dead" if not passed and any(each.what in DEADLY for each in mine) else None
        disturbed = [{"what": each.what, "at": 0.0} for each in mine] + seat.befallen
        self.boards.append({"number": seat.number, "away": away, "disturbed": disturbed})
        self._pulled(seat)

    def _handled(self, seat: Seat, what: str) -> None:
        """Somebody takes the board at any moment, wherever that is possible just then."""
        time.sleep(self.chance.uniform(0, HANDLED_WITHIN))
        with self.turn:
            if self.seats.handled(Handled(what), seat, self.chance):
                self.disasters.fired[what] += 1

    def _verdict(self, seat: Seat) -> str | None:
        """The verdict on this board; None if it went before it had one, or its serial port did."""
        began = seen = time.monotonic()
        while True:
            port, slot = seat.port, self._slot(seat)
            is_ours = port == seat.port and slot.probe == seat.probe  # else somebody carried it away meanwhile
            if is_ours and slot.verdict is not None:
                seat.fault, seat.uid = slot.fault, slot.uid
                return slot.verdict
            now = time.monotonic()
            seen = now if is_ours and slot.state != "empty" else seen
            if now > seen + UNSEEN_FOR or not self._is_plugged(seat):
                seat.fault = None
                return None
            if slot.state in {"waiting", "out of service"}:
                self._release(seat)
            assert now < began + WITHIN, slot
            time.sleep(LOOKED_EVERY)

    def _again(self, seat: Seat) -> bool:
        """Pulls the board and seats it again, perhaps elsewhere. Always false: it has not passed yet."""
        self._pulled(seat)
        self._release(seat)
        if seat.fault == "pki.answer_lost":
            self._asked_for_again(seat)
        if seat.fault in ELSEWHERE:
            self._until_the_centre_is_up(seat)
        with self.turn:
            if seat.fault in ELSEWHERE and self.seats.home(seat, self.chance):
                return False
            for each in self._mine(seat):
                if each.kind == "hand" and each.at and each.what not in seat.done:
                    seat.done.add(each.what)
                    if self.seats.handled(Handled(each.what), seat, self.chance):
                        self.disasters.fired[each.what] += 1
                        return False
            self.seats.plug(seat)
        return False

    def _pulled(self, seat: Seat) -> None:
        with self.turn:
            self.seats.unplug(seat)
        deadline = time.monotonic() + WITHIN
        while self._slot(seat).probe == seat.probe:  # the state of a slot out of service says nothing of its board
            assert time.monotonic() < deadline, self._slot(seat)
            time.sleep(LOOKED_EVERY)

    def _is_plugged(self, seat: Seat) -> bool:
        with self.turn:
            return self.seats.is_plugged(seat)

    # --- its slot -----------------------------------------------------------------------------------------------------

    def _slot(self, seat: Seat) -> SlotStatus:
        deadline = time.monotonic() + WITHIN
        while True:
            try:
                return self.world.at(seat.port).slot(seat.port)
            except LineFailed:  # it was killed, and comes back
                assert time.monotonic() < deadline, "the daemon does not come back"
                time.sleep(LOOKED_EVERY)

    def _asked_for_again(self, seat: Seat) -> None:
        """An engineer has looked at the PKI's list, and says that the board may have another certificate."""
        with suppress(control.DaemonAbsent, control.CommandRefused):
            self.world.at(seat.port).asks("pki_again", uid=seat.uid, reason="the PKI was looked at")

    def _until_the_centre_is_up(self, seat: Seat) -> None:
        """Waits a little more, so that the stations have told it of the board, or goes on without it after a while."""
        deadline = time.monotonic() + AWAY_WITHIN
        while time.monotonic() < deadline:
            with suppress(LineFailed):
                shared = self.world.at(seat.port).status().shared
                if shared is None or shared.state == "up":
                    break
            time.sleep(LOOKED_EVERY)
        time.sleep(SOON)

    def _release(self, seat: Seat) -> None:
        """Puts all slots and the line into service again, unless the daemon is away just now."""
        try:
            self.world.at(seat.port).asks("release")
        except (control.DaemonAbsent, control.CommandRefused):
            return
