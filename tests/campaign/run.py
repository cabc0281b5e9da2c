# SPDX-License-Identifier: Apache-2.0
"""Boards in their hundreds on one line, and everything that can befall them: `make campaign BOARDS=2000 SEED=1`.

People at all slots seat boards, and seat them again until they pass; a referee judges what is left. Exits with 1 if a promise
is broken, with the shortest story that still breaks it, or if something was planned and has never happened.
"""

import argparse
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from station.daemon import control as daemon
from station.line.status import SlotStatus
from tests.builders.line import Line, LineFailed
from tests.builders.station_demo import SHORT_DEADLINES
from tests.campaign.canaries import ProcessSampler
from tests.campaign.disasters import Disasters
from tests.campaign.evidence import Evidence
from tests.campaign.recorded import left_by
from tests.campaign.referee.judge import violations
from tests.campaign.referee.violation import Violation
from tests.campaign.shrinking import shrunk, told
from tests.campaign.story import DEADLY, Disturbance, story, table
from tests.line.lot_count import Tray
from tests.line.standing_line import Standing
from tests.line.test_lost_answers import switch
from tests.mes.receiver import Receiver
from virtual_bench.server import control as bench

WITHIN = 300.0  # for a verdict, on a busy machine
TRIES = 8  # of a board
STRIKES_WITHIN = 30.0  # the next request meets the switch
HANDLED_WITHIN = 3.0  # of a board's seating
UNSEEN_FOR = 10.0  # a board whose slot stays empty is pulled
LOOKED_EVERY = 0.05
SHRINKING_RUNS = 8
TOLD_EVERY = 50  # boards
OFTEN = 5  # what was planned so many times must have happened


@dataclass
class Campaign:
    """One run: the line, what is to befall it, and what the campaign notes of that."""

    line: Line
    disturbances: Sequence[Disturbance]
    sampler: ProcessSampler
    disasters: Disasters
    seed: int
    turn: threading.Lock = field(default_factory=threading.Lock)
    began: int = 0
    boards: list[dict[str, object]] = field(default_factory=list)
    samples: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def play(self, boards: int, slots: int) -> None:
        def serve(port: int) -> None:
            while (number := self._seated(port, boards)) is not None:
                self._made(port, number)

        with ThreadPoolExecutor(slots) as people:
            for end in [people.submit(partial(serve, port)) for port in range(1, slots + 1)]:
                end.result()

    # --- one board ----------------------------------------------------------------------------------------------------

    def _seated(self, port: int, boards: int) -> int | None:
        """Seats the next fresh board with its troubles armed; None when there is none left."""
        with self.turn:
            if self.began == boards:
                return None
            self.began += 1
            if self.began % TOLD_EVERY == 0:
                _say(f"{self.began} of {boards} boards are seated")
            mine = [each for each in self.disturbances if each.board == self.began]
            for each in mine:
                if each.kind == "fault":
                    for fault in each.armed():
                        bench.ask(self.line.folder, "fault", fault=fault)
                elif each.kind == "switch":
                    switch(Standing(self.line), **{each.what: 1})
                    self.disasters.fired[each.what] += 1
                    over = time.time() + STRIKES_WITHIN
                    self.disasters.troubles.append({"what": each.what, "from": time.time(), "to": over})
            bench.ask(self.line.folder, "plug", ports=[port], new=True, radio={})
            for each in mine:
                if each.kind == "disaster":
                    self.disasters.befall(each.what)
            self._look()
            return self.began

    def _made(self, port: int, number: int) -> None:
        """Seats the board again until it has passed, or a person puts it away."""
        mine = [each for each in self.disturbances if each.board == number]
        for each in mine:
            if each.kind == "hand":
                self._handled(port, each.what)
        passed = any(self._verdict(port) == "pass" or self._again(port) for _ in range(TRIES))
        away = "dead" if not passed and any(each.what in DEADLY for each in mine) else None
        self.boards.append(
            {"number": number, "away": away, "disturbed": [{"what": each.what, "at": 0.0} for each in mine]}
        )
        self._pulled(port)

    def _handled(self, port: int, what: str) -> None:
        """Somebody pulls the board at any moment, and perhaps plugs it in again at once, as a loose connector does."""
        time.sleep(self.chance.uniform(0, HANDLED_WITHIN))
        with self.turn:
            if not self._is_plugged(port):
                return
            bench.ask(self.line.folder, "unplug", ports=[port])
            if what == "bounced":
                bench.ask(self.line.folder, "plug", ports=[port], new=False, radio={})
            self.disasters.fired[what] += 1

    def _verdict(self, port: int) -> str | None:
        """The verdict on the board at this slot; None if it went before it had one, or its serial port did."""
        began = seen = time.monotonic()
        while (slot := self._slot(port)).verdict is None:
            now = time.monotonic()
            seen = seen if slot.state == "empty" else now
            if now > seen + UNSEEN_FOR or not self._is_plugged(port):
                return None
            if slot.state in {"waiting", "out of service"}:
                self._release()
            assert now < began + WITHIN, slot
            time.sleep(LOOKED_EVERY)
        return slot.verdict

    def _again(self, port: int) -> bool:
        """Pulls the board and seats it again. Always false: it has not passed yet."""
        self._pulled(port)
        self._release()
        with self.turn:
            bench.ask(self.line.folder, "plug", ports=[port], new=False, radio={})
        return False

    def _pulled(self, port: int) -> None:
        with self.turn:
            if self._is_plugged(port):
                bench.ask(self.line.folder, "unplug", ports=[port])
        deadline = time.monotonic() + WITHIN
        while self._slot(port).probe is not None:  # the state of a slot out of service says nothing of its board
            assert time.monotonic() < deadline, self._slot(port)
            time.sleep(LOOKED_EVERY)

    def _is_plugged(self, port: int) -> bool:
        return bool(bench.ask(self.line.folder, "status")[port - 1]["plugged"])

    # --- the line -----------------------------------------------------------------------------------------------------

    def _slot(self, port: int) -> SlotStatus:
        deadline = time.monotonic() + WITHIN
        while True:
            try:
                return self.line.status().slots[port - 1]
            except LineFailed:  # it was killed, and comes back
                assert time.monotonic() < deadline, "the daemon does not come back"
                time.sleep(LOOKED_EVERY)

    def _release(self) -> None:
        """Puts all slots and the line into service again, unless the daemon is away just now."""
        try:
            daemon.ask(self.line.folder / "station.sock", "release")
        except (daemon.DaemonAbsent, daemon.CommandRefused):
            return

    def _look(self) -> None:
        """Samples the processes, and the daemon's memory and open files."""
        self.sampler.sample(each.pid for each in self.line.processes.values())
        pid = self.line.processes["daemon"].pid
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        rss = pages * os.sysconf("SC_PAGE_SIZE")
        self.samples.append({"at": time.time(), "station": "demo-line", "pid": pid, "rss": rss, "fds": files})

    def at_rest(self) -> None:
        """Waits until the receiver has every event."""
        deadline = time.monotonic() + WITHIN
        while self._waiting():
            assert time.monotonic() < deadline, "events wait for the receiver"
            time.sleep(LOOKED_EVERY)

    def _waiting(self) -> int:
        query = """SELECT (SELECT count(*) FROM outbox WHERE sent_at IS NULL)
            + (SELECT count(*) FROM attempt WHERE verdict IS NULL)"""
        with closing(sqlite3.connect(self.line.folder / "ledger.sqlite")) as connection:
            return int(connection.execute(query).fetchone()[0])

    def account(self) -> dict[str, object]:
        return {
            "boards": self.boards,
            "troubles": self.disasters.troubles,
            "kills": self.disasters.kills,
            "samples": self.samples,
        }


def run(
    folder: Path, disturbances: Sequence[Disturbance], boards: int, slots: int, seed: int
) -> tuple[Path, Counter[str]]:
    """Plays the story in a new folder. Returns what it leaves, and how often each knob fired."""
    fired = Counter[str]()

    def play(line: Line, _: Tray, receiver: Receiver, sampler: ProcessSampler) -> Mapping[str, object]:
        campaign = Campaign(line, disturbances, sampler, Disasters(line, receiver, fired), seed)
        campaign.play(boards, slots)
        campaign.at_rest()
        return campaign.account()

    left = left_by(play, folder, slots, SHORT_DEADLINES, packed=True)
    fired.update(what for happened in Evidence.read(left).bench.faults.values() for _, what in happened)
    return left, fired


def judged(folder: Path, disturbances: Sequence[Disturbance], boards: int, slots: int, seed: int) -> list[Violation]:
    """Plays the story again, and forgets what it left."""
    try:
        return violations(Evidence.read(run(folder, disturbances, boards, slots, seed)[0]))
    finally:
        shutil.rmtree(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if a promise is broken, or something was planned and has never happened."""
    parser = argparse.ArgumentParser(prog="make campaign", description=__doc__)
    parser.add_argument("--boards", type=int, default=2000)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--calm", action="store_true", help="nobody pulls a board, and of the line only the daemon dies"
    )
    parser.add_argument("--keep", type=Path, help="leave the evidence in this folder, which must not exist yet")
    asked = parser.parse_args(arguments)
    if asked.keep is not None and asked.keep.exists():
        parser.error(f"{asked.keep} exists: name a folder that does not")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing that it started outlives it
    planned, began = story(asked.seed, asked.boards, calm=asked.calm), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        left, fired = run(asked.keep or Path(folder) / "first", planned, asked.boards, asked.slots, asked.seed)
        found = violations(Evidence.read(left))
        never = [
            name
            for name, times in sorted(Counter(each.what for each in planned).items())
            if times >= OFTEN and not fired[name]
        ]
        disturbed = len({each.board for each in planned})
        kills = sum(number for name, number in fired.items() if name.endswith("killed"))
        _say(*table(planned, fired), *(f"NEVER HAPPENED  {each}" for each in never))
        _say(*(f"BROKEN  {each.promise}: {each.what}" for each in found))
        seconds = time.monotonic() - began
        _say(
            f"seed {asked.seed}: {asked.boards} boards in {seconds:.0f} s, {disturbed} of them disturbed, {kills} kills,"
            f" {len(found)} violations"
        )
        if found:
            _shrink(planned, asked, Path(folder) / "again", {each.promise for each in found})
    return 1 if found or never else 0


def _shrink(
    planned: Sequence[Disturbance], asked: argparse.Namespace, folder: Path, promises: AbstractSet[str]
) -> None:
    """Says with how little of the story one of these promises breaks."""

    def fails(part: Sequence[Disturbance]) -> bool:
        again = judged(folder, part, asked.boards, asked.slots, asked.seed)
        return bool(promises & {each.promise for each in again})

    short = shrunk(planned, fails, SHRINKING_RUNS)
    _say(told(asked.seed, short.story, len(planned), f"make campaign BOARDS={asked.boards} SEED={asked.seed}"))


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
