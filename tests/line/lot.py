# SPDX-License-Identifier: Apache-2.0
"""A whole work order with everything that befalls one, and its balance by an independent count: `make lot`.

`python -m tests.line.lot --units 100 --faults 20`: people at all slots seat boards, some of them faulty, scan labels, swap
some, have some printed again, scrap units and release others; samples come due; media end, the MES is down for a while.
"""

import argparse
import csv
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from station.adapters.system.secret_files import SHARED_MEMORY
from station.daemon import control as daemon
from station.daemon.control import CommandRefused
from station.line.status import SlotStatus
from tests.builders.line import ROOT, Line, recipe_with
from tests.builders.station_demo import PATIENT_DEADLINES
from tests.line.lot_count import Board, Notes, Outcome, Tray
from tests.line.standing_line import Standing
from tests.line.test_lost_answers import switch
from tests.mes.receiver import SECRET, Receiver, posted
from virtual_bench.server import control as bench

LOT = "W1"
IMAGE = ROOT / "firmware_images" / "operational-flash.bin"
LOOKED_EVERY = 0.05
WITHIN = 900.0  # seconds for anything that is waited for
SPOILED = {"at": "await_csr", "what": "csr_bad_signature"}
FOR_EVER = 0

# What befalls a board: the fault that the bench gets, and the name of what people do then.
STORIES: Sequence[tuple[Mapping[str, object], str]] = (
    ({"at": "deliver", "what": "qspi_error"}, "scrapped"),  # its certificate was bought, and never reached it
    (SPOILED | {"times": 3}, "released"),
    ({"at": "relay_to_pki", "what": "unplug"}, "pulled"),
    (SPOILED | {"times": FOR_EVER}, "dead"),
    (SPOILED, "again"),
    ({"at": "flash_operational", "what": "verify_mismatch"}, "again"),
    ({"at": "deliver", "what": "qspi_error"}, "again"),
)
SCRAPPED = frozenset({"scrapped", "dead", "cracked"})
LABELS = ("first", "first", "damaged", "first", "swapped", "first", "lost")
"""What becomes of the labels of good units, in turn."""


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
        self.bad.new(SPOILED | {"times": FOR_EVER})
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


class Troubles:
    """What happens to the line meanwhile, each once so many units have left."""

    def __init__(self, run: Run, samples: Samples) -> None:
        self.run = run
        self._planned: list[tuple[float, Callable[[], None]]] = [
            (0.1, lambda: switch(Standing(run.line), drop_after_issue=1)),
            (0.2, self.media_end),
            (0.3, samples.added),
            (0.5, self.mes_goes),
            (0.6, self.no_media),
            (0.65, self.mes_comes),
            (0.7, samples.due_again),
        ]

    def come(self) -> None:
        """Returns when all have come and gone."""
        for share, trouble in self._planned:
            wanted = int(share * self.run.units)
            self.run.until(lambda wanted=wanted: self.run.left >= wanted, f"{wanted} units")  # type: ignore[misc]
            trouble()

    def _printer(self, mode: str) -> None:
        new = self.run.tray.folder / ".new"
        new.write_text(mode)
        new.replace(self.run.tray.folder / "mode")

    def media_end(self) -> None:
        """In the middle of a label; somebody puts in new ones."""
        self._printer("half")
        self.run.until(lambda: bool(self.run.asks("label_status")["unproven"]), "half a label")
        self._printer("ready")

    def no_media(self) -> None:
        """Labels wait meanwhile."""
        self._printer("media-out")
        self.run.until(lambda: self.run.asks("label_status")["fault"] is not None, "a label that waits")
        self._printer("ready")

    def mes_goes(self) -> None:
        self.run.receiver.mode = "503"

    def mes_comes(self) -> None:
        self.run.receiver.mode = "ok"


def stories(units: int, faults: int) -> Iterator[tuple[Mapping[str, object] | None, str, str]]:
    """Fault, story and label of each board, until so many units have left; faulty ones are spread over the lot."""
    befallen = itertools.islice(itertools.cycle(STORIES), faults)
    every, good, labels = max(1, units // max(1, faults)), 0, itertools.cycle(LABELS)
    cracked = {units // 3, units // 2}
    for number in itertools.count():
        fault, story = next(befallen, (None, "good")) if number % every == 0 else (None, "good")
        if story == "good" and number in cracked:
            story = "cracked"  # it passed, and broke on its way
        yield fault, story, next(labels)
        good += story not in SCRAPPED
        if good == units:
            return


def made(run: Run, slots: int) -> None:
    """The lot, from the first board to one that is too many."""
    began, size = time.monotonic(), str(run.units + 40)
    numbers = ("--planned", str(run.units), "--pattern", "W1-{:05d}", "--first", "1", "--size", size)
    done = run.line.command("lots", "open", LOT, "--work-order", "4711", *numbers, "--reason", "as ordered")
    assert done.returncode == 0, done.stdout + done.stderr
    samples, places = Samples(run, slots + 1), [Place(run, port) for port in range(1, slots + 1)]
    samples.made()
    waiting = stories(run.units, run.faults)
    turn = threading.Lock()

    def serve(place: Place) -> None:
        while True:
            with turn:
                board = next(waiting, None)
            if board is None:
                return
            place.serves(*board)

    def does(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:
            run.failed = True
            raise

    with ThreadPoolExecutor(slots + 1) as people:
        work: list[Callable[[], None]] = [partial(serve, place) for place in places]
        work.append(Troubles(run, samples).come)
        ends = [people.submit(does, each) for each in work]
    if wrong := [found for end in ends if (found := end.exception()) is not None]:
        raise wrong[0] if len(wrong) == 1 else BaseExceptionGroup("the people", wrong)
    one_too_many(run, places[0])
    for place in (*places, samples.good, samples.bad):
        place.leaves()
    say(f"{run.left} units have left after {time.monotonic() - began:.0f} s")
    run.until(lambda: all(not sink.pending for sink in run.line.status().mes.sinks), "the outbox is empty")  # type: ignore[union-attr]


def one_too_many(run: Run, place: Place) -> None:
    """A board for which the order has no room."""
    place.new()
    run.until(lambda: run.line.status().line.fault == "lot.full", "the order is full")
    run.notes.refused.add(place.uid)
    place.pull()


# --- the station's own words -------------------------------------------------------------------------------------------


def told(run: Run, *command: str) -> str:
    done = run.line.command(*command)
    if done.returncode:
        raise SystemExit(f"station {' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def compared(run: Run, outcome: Outcome) -> Iterator[str]:
    """Where the station says something else than boards, PKI, printer and receiver."""
    pki = run.line.folder / "pki" / "issued.jsonl"
    told(run, "pki", "reconcile", str(pki))
    shown = json.loads(told(run, "lots", "show", LOT, "--json"))
    yield from shown["mistakes"]
    balance, counted = shown["balance"], outcome.balance()
    for name, number in counted.items():
        say(f"{name:20} {number:5} {balance.get(name, '?'):>5}")
        if balance.get(name) != number:
            yield f"{name}: {balance.get(name)} in the station, and {number} outside"
    lost = sum(balance[name] for name in ("dacs_to_revoke", "dacs_orphaned", "dacs_replaced"))
    sold = outcome.sold_in_vain()
    say(f"{len(outcome.issued)} certificates issued, {len(sold)} in vain")
    if balance["dacs_bought"] != len(outcome.issued) or lost != len(sold):
        yield f"{balance['dacs_bought']} certificates and {lost} lost, and the PKI has {len(outcome.issued)} and {len(sold)}"
    revoked = [json.loads(line) for line in told(run, "pki", "export-revocations", "--jsonl").splitlines()]
    if {int(each["serial_number"], 16) for each in revoked} != sold:
        yield f"{len(revoked)} certificates are to be revoked, and {len(sold)} are of no good unit"
    yield from reported(run, outcome)
    yield from unsealed(run, outcome)


def reported(run: Run, outcome: Outcome) -> Iterator[str]:
    """The lot's report, line by line."""
    rows = list(csv.DictReader(told(run, "lots", "report", LOT).splitlines()))
    verdicts = outcome.verdicts()
    for name, verdict in {"passed": "pass", "failed": "fail", "void": "void"}.items():
        value = next(row["value"] for row in rows if row["subject"] == f"attempts {name}")
        say(f"attempts {name:11} {verdicts[verdict]:5} {value:>5}")
        if int(value) != verdicts[verdict]:
            yield f"{value} attempts {name} in the report, and {verdicts[verdict]} at the receiver"
    certificates = {row["subject"]: row["value"] for row in rows if row["section"] == "certificate"}
    for board in outcome.good:
        subject = f"{board.serial_number} {board.uid} passed"
        if board.dac is None or int(certificates.get(subject, "0"), 16) != board.dac.serial_number:
            yield f"the report has another certificate for {subject}: {certificates.get(subject)}"
    for what, uids in {"UnitScrapped": outcome.notes.scrapped, "UnitQuarantined": outcome.notes.quarantined}.items():
        exceptions = [row for row in rows if row["section"] == "exception" and f" {what} " in row["subject"]]
        if len(exceptions) != len(uids):
            yield f"{len(exceptions)} exceptions {what} in the report, and there were {len(uids)}"


def unsealed(run: Run, outcome: Outcome) -> Iterator[str]:
    """What of the labels and of the boards' secrets lies open in the ledger's files."""
    content = b"".join(file.read_bytes() for file in run.line.folder.glob("ledger.sqlite*") if file.is_file())
    codes = [each.code.encode() for each in outcome.prints if each.code]
    if any(code in content for code in codes) or any(
        board.verifier in content for board in outcome.boards if board.verifier
    ):
        yield "the ledger has a secret in clear"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def standing(folder: Path, slots: int, receiver: Receiver) -> Iterator[tuple[Line, Tray]]:
    """A line with a label printer and an MES."""
    tray, secret = folder / "printer", folder / "webhook.secret"
    tray.mkdir()
    (folder / "logs").mkdir()
    secret.write_text(SECRET)
    secret.chmod(0o600)
    printer = Line(folder, folder)
    printer.start("printer", "virtual_bench", "printer", "--dir", str(tray))
    try:
        printer.wait_for("printer", (tray / "port").exists)
        address = f"tcp://127.0.0.1:{(tray / 'port').read_text()}"
        recipe = recipe_with(folder, f'[label]\nsize_mm = [50, 25]\nprinter = "{address}"\nrequired = true')
        mes = f'[samples]\nprobes = false\n[mes]\nwebhook = "{receiver.url}"\nsecret_file = "{secret}"\n'
        with Line.standing(folder / "line", slots + 2, recipe=recipe, further=mes) as line:
            yield line, Tray(tray)
    finally:
        printer.processes["printer"].send_signal(signal.SIGTERM)
        printer.processes["printer"].wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if anything does not add up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--slots", type=int, default=8)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing that it started outlives it
    began, receiver = time.monotonic(), Receiver()
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as runtime,
        patch.dict(os.environ, PATIENT_DEADLINES | {"XDG_STATE_HOME": f"{folder}/machine", "XDG_RUNTIME_DIR": runtime}),
        posted(receiver),
        standing(Path(folder), asked.slots, receiver) as (line, tray),
    ):
        run = Run(line, tray, receiver, asked.units, asked.faults)
        made(run, asked.slots)
        issued = [json.loads(each) for each in (line.folder / "pki" / "issued.jsonl").read_text().splitlines()]
        events = list({str(event["id"]): event for event in receiver.taken}.values())
        outcome = Outcome(run.boards, issued, tray.prints(), events, run.notes)
        wrong = [*outcome.mistakes(), *compared(run, outcome)]
    notes = run.notes
    say(
        json.dumps(
            {
                "units": len(outcome.good),
                "faults": asked.faults,
                "boards": len(outcome.boards),
                "scrapped": len(notes.scrapped),
                "quarantined": len(notes.quarantined),
                "released": len(notes.released),
                "swapped labels": notes.swapped,
                "events": len(events),
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )
    for each in wrong:
        say(f"wrong: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
