# SPDX-License-Identifier: Apache-2.0
"""A quick campaign on one line: `python -m tests.campaign.quick --boards 40 --seed 1`. The referee judges what it leaves.

People at all slots seat boards, and seat them again until they pass. A campaign that fails is cut down to the shortest story that does.
"""

import argparse
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest.mock import patch

from station.adapters.system.secret_files import SHARED_MEMORY
from station.daemon import control as daemon
from station.line.status import SlotStatus
from tests.builders.line import Line, LineFailed
from tests.builders.station_demo import SHORT_DEADLINES
from tests.campaign.canaries import ProcessSampler
from tests.campaign.evidence import Evidence
from tests.campaign.quick_story import DEADLY, Disturbance, story, table
from tests.campaign.recorded import laid_out
from tests.campaign.referee.boards import pack
from tests.campaign.referee.judge import violations
from tests.campaign.referee.remains import observed
from tests.campaign.referee.violation import Violation
from tests.campaign.shrinking import shrunk, told
from tests.line.lot import standing
from tests.line.standing_line import Standing
from tests.line.test_lost_answers import switch
from tests.mes.receiver import Receiver, posted
from virtual_bench.server import control as bench

WITHIN = 300.0  # for a verdict, on a busy machine
TRIES = 8  # of a board
STRIKES_WITHIN = 30.0  # the next request meets the switch
LOOKED_EVERY = 0.05
SHRINKING_RUNS = 8


@dataclass
class Campaign:
    """One run: the line, what is to befall it, and what the campaign notes of that."""

    line: Line
    disturbances: Sequence[Disturbance]
    sampler: ProcessSampler
    turn: threading.Lock = field(default_factory=threading.Lock)
    began: int = 0
    boards: list[dict[str, object]] = field(default_factory=list)
    troubles: list[dict[str, object]] = field(default_factory=list)
    kills: list[dict[str, object]] = field(default_factory=list)
    samples: list[dict[str, object]] = field(default_factory=list)
    switched: Counter[str] = field(default_factory=Counter)

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
            mine = [each for each in self.disturbances if each.board == self.began]
            for each in mine:
                if each.kind == "fault":
                    bench.ask(self.line.folder, "fault", fault={"board": self.began, "at": each.at, "what": each.what})
                elif each.kind == "switch":
                    switch(Standing(self.line), **{each.what: 1})
                    self.switched[each.what] += 1
                    self.troubles.append({"what": each.what, "from": time.time(), "to": time.time() + STRIKES_WITHIN})
            bench.ask(self.line.folder, "plug", ports=[port], new=True, radio={})
            for _ in (each for each in mine if each.kind == "kill"):
                self._kill()
            self._look()
            return self.began

    def _made(self, port: int, number: int) -> None:
        """Seats the board again until it has passed, or a person puts it away."""
        mine = [each for each in self.disturbances if each.board == number]
        passed = any(self._verdict(port) == "pass" or self._again(port) for _ in range(TRIES))
        away = "dead" if not passed and any(each.what in DEADLY for each in mine) else None
        self.boards.append(
            {"number": number, "away": away, "disturbed": [{"what": each.what, "at": 0.0} for each in mine]}
        )
        self._pulled(port)

    def _verdict(self, port: int) -> str | None:
        """The verdict on the board at this slot; None if it went before it had one."""
        deadline = time.monotonic() + WITHIN
        while (slot := self._slot(port)).verdict is None:
            if not self._is_plugged(port):
                return None
            if slot.state in {"waiting", "out of service"}:
                self._release()
            assert time.monotonic() < deadline, slot
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
        while self._slot(port).state != "empty":
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

    def _kill(self) -> None:
        process = self.line.processes["daemon"]
        process.kill()
        process.wait()
        self.kills.append({"who": "daemon", "at": time.time()})
        self.line.start_daemon()

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
        return {"boards": self.boards, "troubles": self.troubles, "kills": self.kills, "samples": self.samples}


def run(folder: Path, disturbances: Sequence[Disturbance], boards: int, slots: int) -> tuple[Path, Counter[str]]:
    """Plays the story in a new folder. Returns what it leaves, and how often each knob fired."""
    work, left = folder / "work", folder / "left"
    work.mkdir(parents=True)
    receiver = Receiver()
    with (
        tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as runtime,
        patch.dict(os.environ, SHORT_DEADLINES | {"XDG_STATE_HOME": f"{work}/machine", "XDG_RUNTIME_DIR": runtime}),
        posted(receiver),
    ):
        with standing(work, slots - 2, receiver) as (line, _):
            campaign = Campaign(line, disturbances, ProcessSampler(work / "processes.jsonl"))
            campaign.play(boards, slots)
            campaign.at_rest()
        remains = observed(work, Path(runtime))
    for board in (work / "line" / "boards").iterdir():
        pack(board)
    laid_out(work, left, receiver, campaign.account())
    remains.save(left)
    faults = [what for fired in Evidence.read(left).bench.faults.values() for _, what in fired]
    return left, Counter(faults) + campaign.switched + Counter({"daemon killed": len(campaign.kills)})


def judged(folder: Path, disturbances: Sequence[Disturbance], boards: int, slots: int) -> list[Violation]:
    """Plays the story again, and forgets what it left."""
    try:
        return violations(Evidence.read(run(folder, disturbances, boards, slots)[0]))
    finally:
        shutil.rmtree(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=40)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    planned = story(asked.seed, asked.boards)
    with tempfile.TemporaryDirectory() as folder:
        left, fired = run(Path(folder) / "first", planned, asked.boards, asked.slots)
        found = violations(Evidence.read(left))
        lines = [*table(planned, fired), *(f"BROKEN  {each.promise}: {each.what}" for each in found)]
        disturbed = len({each.board for each in planned})
        lines.append(f"seed {asked.seed}: {asked.boards} boards, {disturbed} disturbed, {len(found)} violations")
        sys.stdout.write("\n".join(lines) + "\n")
        if not found:
            return 0
        promises = {each.promise for each in found}

        def fails(part: Sequence[Disturbance]) -> bool:
            again = judged(Path(folder) / "again", part, asked.boards, asked.slots)
            return bool(promises & {each.promise for each in again})

        short = shrunk(planned, fails, SHRINKING_RUNS)
        command = f"python -m tests.campaign.quick --boards {asked.boards} --slots {asked.slots} --seed {asked.seed}"
        sys.stdout.write(told(asked.seed, short.story, len(planned), command) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
