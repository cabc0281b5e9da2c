# SPDX-License-Identifier: Apache-2.0
"""A running line, for tests that plug and pull boards, and kill and start the daemon."""

import json
import time
from collections.abc import Callable

from station.adapters.ledger.reader import LedgerReader
from station.domain.attempt import ProcedureChosen
from station.line.status import SlotStatus
from tests.builders.commands import bench
from tests.builders.json_lines import lines_of
from tests.builders.line import Line


class Standing:
    """One running line."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.boards = 0

    def bench(self, *arguments: str) -> None:
        bench(*arguments, "--dir", self.line.folder)

    def station(self, *arguments: str) -> str:
        """Runs `station …` as a process. Returns its output."""
        done = self.line.command(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def next_board(self, number: int, fault: str = "") -> SlotStatus:
        """Plugs a fresh board into this slot, perhaps with a fault, awaits its verdict, and pulls it."""
        self.boards += 1
        if fault:
            self.bench("fault", "--board", str(self.boards), *fault.split())
        self.bench("plug", str(number), "--new")
        slot = self.wait(number, lambda slot: slot.verdict is not None)
        self.bench("unplug", str(number))
        self.wait(number, lambda slot: slot.probe is None)  # until then the slot shows this board's verdict
        return slot

    def pulled_by_its_fault(self, number: int) -> None:
        """Waits until a fault has pulled the board that was plugged in here, and its attempt has ended.

        The slot alone would not do: it is empty, too, until the daemon has noticed that the board came.
        """
        self.until(lambda: not self._plugged(number))
        self.wait(number, lambda slot: slot.state == "empty")

    def _plugged(self, number: int) -> bool:
        told = json.loads(bench("status", "--json", "--dir", self.line.folder))["ports"]
        return bool(next(port["plugged"] for port in told if port["port"] == number))

    def slot(self, number: int) -> SlotStatus:
        return self.line.status().slots[number - 1]

    def wait(self, number: int, so: Callable[[SlotStatus], bool], within: float = 300) -> SlotStatus:
        deadline = time.monotonic() + within
        while not so(slot := self.slot(number)):
            assert time.monotonic() < deadline, slot
            time.sleep(0.02)
        return slot

    def until(self, so: Callable[[], bool], within: float = 300) -> None:
        deadline = time.monotonic() + within
        while not so():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def issued(standing: Standing) -> list[str]:
    """The DACs that the PKI has issued."""
    return lines_of(standing.line.folder / "pki" / "issued.jsonl")


def story(standing: Standing, uid: str | None) -> list[str]:
    """The procedures of the attempts on one board, and their verdicts."""
    reader = LedgerReader(standing.line.folder / "ledger.sqlite")
    unit = reader.unit(uid or "")
    assert unit is not None
    return [
        f"{event.procedure} {attempt.summary.verdict}"
        for attempt in unit.attempts
        for event in (entry.event for entry in attempt.journal)
        if isinstance(event, ProcedureChosen)
    ]
