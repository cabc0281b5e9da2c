# SPDX-License-Identifier: Apache-2.0
"""The people of a line that makes a lot: they seat boards, scan labels, put units away, and keep notes."""

import itertools
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from station.daemon import control as daemon
from station.daemon.control import CommandRefused
from station.line.status import SlotStatus
from tests.builders.line import ROOT, Line
from tests.line.lot_count import Board, Notes, Tray
from tests.mes.receiver import Receiver
from virtual_bench.server import control as bench

LOT = "W1"
IMAGE = ROOT / "firmware_images" / "operational-flash.bin"
LOOKED_EVERY = 0.1
WITHIN = (
    400.0  # seconds for anything that is waited for; less than the test may take, so that the wait tells the status
)
SPOILED: Mapping[str, object] = {"at": "await_csr", "what": "csr_bad_signature"}
FOR_EVER = 0
SCRAPPED = frozenset({"scrapped", "dead", "cracked"})
"""The stories of boards that are thrown away."""


class Run:
    """One lot on one line: what its people share."""

    def __init__(self, line: Line, tray: Tray, receiver: Receiver, units: int, faults: int) -> None:
        self.line, self.tray, self.receiver = line, tray, receiver
        self.units, self.faults = units, faults
        self.notes = Notes(LOT)
        self.boards: list[Board] = []
        self.left = 0
        """Units that have left with a label."""
        self.codes: list[str] = []
        self.turn = threading.Lock()
        self.failed = False
        """Whether one of the people has given up, so that the others need not wait."""
        self._numbers = itertools.count(1)
        self._image = IMAGE.read_bytes()

    def asks(self, command: str, **arguments: object) -> dict[str, object]:
        return daemon.ask_patiently(self.line.folder / "station.sock", command, WITHIN, arguments)

    def bench(self, command: str, **arguments: object) -> list[dict[str, object]]:
        return bench.ask(self.line.folder, command, **arguments)

    def plugs_new(self, port: int, fault: Mapping[str, object] | None) -> Path:
        """Seats a fresh board; the bench learns before that what will befall it. Returns the board's folder."""
        with self.turn:
            number = next(self._numbers)
            if fault is not None:
                self.bench("fault", fault={"board": number, **fault})
            (board,) = self.bench("plug", ports=[port], new=True, radio={})
            assert board["board"] == number
        return self.line.folder / "boards" / str(board["probe"])

    def keeps(self, folder: Path) -> Board:
        """Reads the memories of a board."""
        return Board.read(folder, self._image)

    def until(self, so: Callable[[], bool], what: object) -> None:
        deadline = time.monotonic() + WITHIN
        while not so():
            if self.failed or time.monotonic() > deadline:
                raise SystemExit(f"waited in vain: {what}; {self.line.status().model_dump_json(indent=1)}")
            time.sleep(LOOKED_EVERY)


class Place:
    """One slot, and the person who serves it."""

    def __init__(self, run: Run, port: int) -> None:
        self.run, self.port = run, port
        self.folder: Path | None = None

    @property
    def slot(self) -> SlotStatus:
        return self.run.line.status().slots[self.port - 1]

    @property
    def uid(self) -> str:
        assert self.folder is not None
        return self.run.keeps(self.folder).uid

    def new(self, fault: Mapping[str, object] | None = None) -> None:
        """Seats a fresh board; the one before has left for good."""
        self.leaves()
        self.folder = self.run.plugs_new(self.port, fault)

    def leaves(self) -> None:
        """Reads the board that was here for the last time, and throws its memories away: 17 MB each."""
        if self.folder is not None:
            board = self.run.keeps(self.folder)
            with self.run.turn:
                self.run.boards.append(board)
            shutil.rmtree(self.folder)
            self.folder = None

    def ends(self) -> SlotStatus:
        """Waits for the verdict."""
        found: list[SlotStatus] = []

        def ended() -> bool:
            found.append(self.slot)
            return found[-1].verdict is not None and found[-1].state not in {"waiting", "running"}

        self.run.until(ended, f"the verdict in slot {self.port}")
        return found[-1]

    def pull(self) -> None:
        self.run.bench("unplug", ports=[self.port])
        self.run.until(lambda: self.slot.probe is None, f"slot {self.port} is empty")

    def again(self) -> SlotStatus:
        """Pulls the board, seats it again, and waits for its verdict."""
        self.pull()
        return self.seated()

    def seated(self) -> SlotStatus:
        self.run.bench("plug", ports=[self.port], new=False, radio={})
        return self.ends()

    def scan(self, text: str) -> None:
        self.run.asks("label_scan", text=text, slot=str(self.port))

    def expect(self, slot: SlotStatus, *outcome: str | None) -> None:
        if (slot.verdict, slot.fault)[: len(outcome)] != outcome:
            raise SystemExit(f"slot {self.port} ended {slot.verdict} by {slot.fault}, and not {outcome}: {slot.reason}")

    # --- what befalls boards ------------------------------------------------------------------------------------------

    def serves(self, fault: Mapping[str, object] | None, story: str, label: str) -> None:
        """One board, from its box to the next place or the bin."""
        self.new(fault)
        if story == "pulled":
            self.run.until(lambda: not self._is_plugged(), f"the board in slot {self.port} is pulled")
            self.run.until(lambda: self.slot.probe is None, f"slot {self.port} is empty")
            slot = self.seated()
        else:
            slot = self.ends()
        match story:
            case "scrapped":
                self.expect(slot, "fail")
                self.scraps()
            case "dead" | "released":
                self.into_quarantine(slot)
                if story == "dead":
                    self.scraps()
                else:
                    self.run.asks("unit_release", uid=self.uid, reason="the cable was broken")
                    self.run.notes.released.add(self.uid)
                    self.labels(self.again(), label)
            case "again":
                self.expect(slot, "fail")
                self.labels(self.again(), label)
            case _:
                self.labels(slot, label)
                if story == "cracked":
                    self.scraps()
        if story not in SCRAPPED:
            self.run.left += 1
        self.pull()

    def _is_plugged(self) -> bool:
        return bool(next(each["plugged"] for each in self.run.bench("status") if each["port"] == self.port))

    def into_quarantine(self, slot: SlotStatus) -> None:
        for _ in range(2):
            self.expect(slot, "fail", "csr.invalid")
            slot = self.again()
        self.expect(slot, "fail", "csr.invalid")
        self.expect(self.again(), "void", "unit.quarantined")
        self.run.notes.quarantined.add(self.uid)

    def scraps(self) -> None:
        self.run.asks("unit_scrap", uid=self.uid, reason="it is broken")
        self.run.notes.scrapped.add(self.uid)
        self.expect(self.again(), "void", "unit.scrapped")

    # --- labels -------------------------------------------------------------------------------------------------------

    def labels(self, slot: SlotStatus, what: str) -> None:
        """Takes the label out of the printer, perhaps another unit's first, and scans it at the board."""
        self.expect(slot, "pass", None)
        uid, other = self.uid, [*self.run.codes]
        if what == "swapped" and other:
            self.is_refused(other[-1])
        code = self.binds(uid)
        if what in {"damaged", "lost"}:
            self.binds(uid, self.prints_again(uid, what))
        self.run.codes.append(code)

    def is_refused(self, code: str) -> None:
        """Scans another unit's label."""
        try:
            self.scan(code)
        except CommandRefused as refusal:
            if "wrong label" in str(refusal):
                self.run.notes.swapped += 1
                return
        raise SystemExit(f"the label of another unit was taken in slot {self.port}")

    def binds(self, uid: str, copy: int = 1) -> str:
        """Scans this unit's label with this number, or a later one where that is not whole and had to be printed again."""
        assert self.folder is not None
        tray, serial_number = self.run.tray, self.run.keeps(self.folder).serial_number
        wanted = copy

        def printed() -> bool:
            nonlocal wanted
            if any(label.copy == wanted for label in tray.whole(serial_number)):
                return True
            status = self.run.asks("label_status")
            if {"uid": uid, "copy": wanted} in status["unproven"]:  # type: ignore[operator]
                wanted = self.prints_again(uid, "jam")
            return False

        self.run.until(printed, f"a label of unit {serial_number}")
        code = str(tray.whole(serial_number)[-1].code)
        self.scan(code)
        self.run.notes.bound[uid] = wanted
        return code

    def prints_again(self, uid: str, reason: str) -> int:
        """Asks for a further print until the printer takes it. Returns its number."""
        copies: list[int] = []

        def taken() -> bool:
            try:
                copies.append(int(str(self.run.asks("label_print", uid=uid, reason=reason, engineer=True)["copy"])))
            except CommandRefused:
                return False
            return True

        self.run.until(taken, f"a further print for {uid}")
        return copies[0]


class Samples:
    """A good and a bad board, each with a slot of its own, and the person who seats them when they are due."""

    def __init__(self, run: Run, first: int) -> None:
        self.run = run
        self.good, self.bad = Place(run, first), Place(run, first + 1)

    def made(self) -> None:
        self.good.new()
        self.bad.new({**SPOILED, "times": FOR_EVER})
        self.good.labels(self.good.ends(), "first")
        self.bad.expect(self.bad.ends(), "fail", "csr.invalid")
        self.good.pull()
        self.bad.pull()

    def added(self) -> None:
        """From here on the samples are due, and other boards wait."""
        self.run.asks("sample_add", uid=self.good.uid, verdict="pass", reason="golden")
        self.run.asks("sample_add", uid=self.bad.uid, verdict="fail", fault="csr.invalid", reason="spoiled")
        self.run.notes.samples |= {self.good.uid, self.bad.uid}
        self.seated()

    def due_again(self) -> None:
        self.run.asks("sample_remove", uid=self.bad.uid, reason="looked at it")
        self.run.asks("sample_add", uid=self.bad.uid, verdict="fail", fault="csr.invalid", reason="it is as it was")
        self.seated()

    def seated(self) -> None:
        self.bad.expect(self.bad.seated(), "fail", "csr.invalid")
        self.good.expect(self.good.seated(), "pass", None)
        self.run.until(lambda: self.run.line.status().line.fault != "samples.due", "the line is open")
        self.good.pull()
        self.bad.pull()
