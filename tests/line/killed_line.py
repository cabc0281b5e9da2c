# SPDX-License-Identifier: Apache-2.0
"""A line of one slot with a printer, whose daemon may be killed at any time, and what a person does and sees at it."""

import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from station.adapters.ledger import label_prints
from station.daemon import control
from station.domain.labelling import LabelEvent
from station.line.status import SlotStatus
from tests.builders.line import Line, LineFailed
from virtual_bench.server import control as bench

T = TypeVar("T")

WITHIN = 300.0
BY = {"who": "anna"}


class Died(Exception):
    """The daemon has been killed."""


@dataclass
class KilledLine:
    """What a person does with one board after another, and what the ledger and the printer's tray say of it."""

    line: Line
    tray: Path
    _last: Path | None = field(default=None, init=False)

    # --- the person -----------------------------------------------------------------------------------------------------

    def _plug(self, radio: Mapping[str, object] = {}) -> dict[str, object]:
        """Seats a fresh board."""
        (board,) = bench.ask(self.line.folder, "plug", ports=[1], new=True, radio=dict(radio))
        if self._last is not None:
            self._put_away(self._last)
        self._last = self.line.folder / "boards" / str(board["probe"])
        return board

    def _put_away(self, board: Path) -> None:
        """Deletes the memories of a board that the bench has let go of: 17 MB each."""
        shutil.rmtree(board)

    def _pull(self) -> None:
        bench.ask(self.line.folder, "unplug", ports=[1])
        self._until(lambda: self._slot().probe is None)

    def _until_passed(self) -> str:
        self._until(lambda: self._slot().verdict is not None)
        slot = self._slot()
        assert slot.verdict == "pass", slot
        return str(slot.uid)

    def _until_printed(self, uid: str) -> str:
        """Whether the newest label is printed, or unproven: then a person is asked to decide."""
        self._until(lambda: self._state(uid) is not None)
        return str(self._state(uid))

    def _state(self, uid: str) -> str | None:
        if any(event is LabelEvent.PRINTED for event, _ in self._events(uid)):
            return "printed"
        unproven = self._ask("label_status", {})["unproven"]
        assert isinstance(unproven, list)
        return "unproven" if any(each["uid"] == uid for each in unproven) else None

    def _reprint(self, uid: str) -> None:
        self._ask("label_print", {"uid": uid, "reason": "jam", "engineer": False})

    def _scan(self, code: str) -> None:
        self._ask("label_scan", {"text": code, "slot": "1"})

    # --- what holds -----------------------------------------------------------------------------------------------------

    def _check_labels(self, uid: str, *, reprinted: bool) -> None:
        """A further print has a number, on paper as in the ledger, and a person's reason."""
        begun = [(each.copy, each.reason) for each in self._history(uid) if each.type == LabelEvent.PRINT_STARTED]
        assert begun == [(1, "first"), (2, "jam")][: 1 + reprinted]
        assert set(self._prints(uid)) <= {copy for copy, _ in begun}
        assert [copy for event, copy in self._events(uid) if event is LabelEvent.BOUND] == [len(begun)]

    # --- looking --------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> Path:
        """The station's folder."""
        return self.line.folder

    @property
    def config(self) -> Path:
        return self.line.folder / "line.toml"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.sqlite"

    def _asked(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of the ledger."""
        with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as ledger:
            return ledger.execute(query, values).fetchall()

    def _history(self, uid: str) -> list[label_prints.LabelRecord]:
        return [each for each in label_prints.history(self.ledger) if each.uid == uid]

    def _events(self, uid: str) -> list[tuple[LabelEvent, int]]:
        return [(LabelEvent(each.type), each.copy) for each in self._history(uid)]

    def _prints(self, uid: str) -> Mapping[int, str]:
        """The whole labels of the unit in the printer's tray by their copy's number, with their codes; a number twice is refused."""
        serial = self._serial(uid)
        found: dict[int, str] = {}
        for file in sorted(self.tray.glob("*.zpl")):
            text = file.read_text(encoding="ascii")
            if f"S/N {serial}^FS" not in text or "^XZ" not in text:
                continue
            number = re.search(r"\^FDcopy (\d+)\^FS", text)
            copy = int(number[1]) if number else 1
            assert copy not in found, f"copy {copy} of {serial} is twice on paper"
            (found[copy],) = re.findall(r"FDMA,(MT:.*?)\^FS", text)
        return found

    def _code(self, uid: str) -> str:
        """The code on the unit's newest print, when it is on paper."""
        self._until(lambda: bool(self._prints(uid)))
        prints = self._prints(uid)
        return prints[max(prints)]

    def _serial(self, uid: str) -> str:
        return str(self._asked("SELECT serial_number FROM identity WHERE uid = ?", uid)[0][0])

    def _slot(self) -> SlotStatus:
        return self._alive(lambda: self.line.status().slots[0])

    def _ask(self, command: str, question: Mapping[str, object]) -> dict[str, object]:
        socket = self.state / "station.sock"
        return self._alive(lambda: control.ask_patiently(socket, command, WITHIN, {**BY, **question}))

    def _alive(self, ask: Callable[[], T]) -> T:
        """The daemon's answer; raises `Died` if it dies meanwhile."""
        try:
            return ask()
        except (LineFailed, control.DaemonAbsent, control.DaemonMute) as exc:
            self.line.processes["daemon"].wait(WITHIN)
            raise Died from exc

    def _until(self, so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN
        while not so():
            if self.line.processes["daemon"].poll() is not None:
                raise Died
            assert time.monotonic() < deadline, self.line.status()
            time.sleep(0.02)
