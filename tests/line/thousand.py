# SPDX-License-Identifier: Apache-2.0
"""A line under load: `make thousand`, or `python -m tests.line.thousand --boards 1000 --slots 16 --pulls 0.5`.

Each slot has an operator who works at his own pace. With --pulls, boards are pulled at random moments, and some
bounce: they are back within two milliseconds. At the end the ledger is checked.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from station.line.status import SlotStatus
from tests.builders.line import Line
from tests.builders.station_demo import PATIENT_DEADLINES
from virtual_bench.server import control

LOOKED_EVERY = 0.02  # seconds
NO_NEWS_WITHIN = 300.0  # seconds without an ended attempt, after which the run counts as hanging
PULLED_WITHIN = 4.0  # seconds after it was plugged in
BOUNCE = 0.002  # seconds
RESTED_WITHIN = 12.0  # seconds
LATE_WITHIN = 120.0  # seconds
PULLED = "board.removed"


@dataclass
class Operator:
    """The person who plugs boards in and out at one slot."""

    port: int
    board: Path | None = None
    plugged: bool = False
    pull_at: float | None = None
    bounces: bool = False


@dataclass
class Thousand:
    """One run: the number of boards still to come, and the observations."""

    line: Line
    left: int
    pulls: float
    chance: random.Random
    ended: int = 0
    pulled: int = 0
    bounced: int = 0
    out_of_service: list[str] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def run(self, slots: int) -> None:
        """Returns when the last board has its verdict and was pulled; counts descriptors at rest."""
        operators = [Operator(port) for port in range(1, slots + 1)]
        later = self.left - self.left // 4
        for part in (self.left // 4, later):
            self.left = part
            self._serve_all(operators)
            self.descriptors.append(self._descriptors_at_rest())

    def _serve_all(self, operators: list[Operator]) -> None:
        news, told = time.monotonic(), self.ended // 100
        while self.left or any(operator.plugged for operator in operators):
            before = (self.ended, self.left, self.pulled)
            for operator, slot in zip(operators, self.line.status().slots, strict=True):
                self._serve(operator, slot)
            if (self.ended, self.left, self.pulled) != before:
                news = time.monotonic()
            elif time.monotonic() - news > NO_NEWS_WITHIN:
                raise SystemExit(
                    f"nothing ended for {NO_NEWS_WITHIN:g} s: {self.line.status().model_dump_json(indent=1)}"
                )
            if self.ended // 100 > told:
                told = self.ended // 100
                self._tell()
            time.sleep(LOOKED_EVERY)
        self._wait_until_empty()

    def _serve(self, operator: Operator, slot: SlotStatus) -> None:
        if slot.service == "out" and slot.slot not in self.out_of_service:
            self.out_of_service.append(slot.slot)
            _say(f"slot {slot.slot} is out of service: {slot.fault}: {slot.reason}")
        if operator.plugged and operator.pull_at is not None and time.monotonic() >= operator.pull_at:
            self._pull(operator)
        elif operator.plugged and slot.verdict is not None and slot.state != "waiting":
            self.ended += 1
            self._unplug(operator)
        elif not operator.plugged and self.left and slot.state in {"empty", "out of service"}:
            self._plug(operator)

    def _plug(self, operator: Operator) -> None:
        self.left -= 1
        (board,) = control.ask(self.line.folder, "plug", ports=[operator.port], new=True, radio={})
        if operator.board is not None:
            shutil.rmtree(operator.board)  # 17 MB each; the bench has let go of it now
        operator.board = self.line.folder / "boards" / str(board["probe"])
        operator.plugged = True
        operator.pull_at = None
        if self.chance.random() < self.pulls:
            operator.pull_at = time.monotonic() + self.chance.uniform(0, PULLED_WITHIN)
            operator.bounces = self.chance.random() < 0.5

    def _unplug(self, operator: Operator) -> None:
        control.ask(self.line.folder, "unplug", ports=[operator.port])
        operator.plugged = False

    def _pull(self, operator: Operator) -> None:
        self.pulled += 1
        self._unplug(operator)
        operator.pull_at = None
        if operator.bounces:
            self.bounced += 1
            time.sleep(self.chance.uniform(0, BOUNCE))
            control.ask(self.line.folder, "plug", ports=[operator.port], new=False, radio={})
            operator.plugged = True

    def _wait_until_empty(self) -> None:
        deadline = time.monotonic() + NO_NEWS_WITHIN
        while any(slot.state not in {"empty", "out of service"} for slot in self.line.status().slots):
            if time.monotonic() > deadline:
                raise SystemExit("slots are not empty although every board was pulled")
            time.sleep(LOOKED_EVERY)

    def _open_descriptors(self) -> int:
        return len([*Path(f"/proc/{self.line.processes['daemon'].pid}/fd").iterdir()])

    def _descriptors_at_rest(self) -> int:
        """The least count within some seconds, in which the PKI's idle connections and old ports close.

        At last a count above the first one gets longer, since a busy machine is late.
        """
        began, fewest = time.monotonic(), self._open_descriptors()
        while (rested := time.monotonic() - began) < RESTED_WITHIN or (
            self.descriptors and fewest > self.descriptors[0] + 2 and rested < LATE_WITHIN
        ):
            time.sleep(1)
            fewest = min(fewest, self._open_descriptors())
        return fewest

    def _tell(self) -> None:
        _say(
            f"{self.ended} judged, {self.pulled} pulled ({self.bounced} bounced), {self.left} to come, "
            f"{self._open_descriptors()} descriptors",
        )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def judged(run: Thousand) -> list[str]:
    """The mistakes of the run, by the ledger; prints its counts."""
    with sqlite3.connect(f"file:{run.line.folder / 'ledger.sqlite'}?mode=ro", uri=True) as ledger:
        ends = Counter(ledger.execute("SELECT verdict, fault FROM attempt"))
        passes = Counter(uid for (uid,) in ledger.execute("SELECT uid FROM attempt WHERE verdict = 'pass'"))
        identities = ledger.execute("SELECT count(*), count(DISTINCT serial_number) FROM identity").fetchone()
    for (verdict, fault), number in sorted(ends.items(), key=str):
        _say(f"{number:6} {verdict} {fault or ''}")
    _say(
        f"{identities[0]} identities, descriptors {run.descriptors[0]} after a quarter and {run.descriptors[-1]} at last"
    )
    wrong = [
        f"{number} attempts ended {verdict} by {fault}"
        for (verdict, fault), number in ends.items()
        if verdict != "pass" and not (run.pulls and fault == PULLED)
    ]
    if run.out_of_service:
        wrong.append(f"slots were out of service: {', '.join(run.out_of_service)}")
    if identities[0] != identities[1] or any(number > 1 + run.bounced for number in passes.values()):
        wrong.append("a serial number stands twice")
    if run.descriptors[-1] > run.descriptors[0] + 2:
        wrong.append("the daemon has more descriptors open at last than after a quarter")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if a board has a wrong verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--pulls", type=float, default=0.0, help="share of the boards that are pulled")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    with patch.dict(os.environ, PATIENT_DEADLINES), tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "line"
        with Line.standing(place, asked.slots, seed=asked.seed) as line:
            run = Thousand(line, asked.boards, asked.pulls, random.Random(asked.seed))
            run.run(asked.slots)
        wrong = judged(run)
    _say(json.dumps({"boards": asked.boards, "pulled": run.pulled, "seconds": round(time.monotonic() - began, 1)}))
    for line_ in wrong:
        _say(f"wrong: {line_}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
