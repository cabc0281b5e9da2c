# SPDX-License-Identifier: Apache-2.0
"""Tries every behaviour of a PKI at whole lines and writes the table in docs/pki-behaviours.md: `make pki-table`.

`python -m tests.line.pki_table TEXT …` tries only the rows whose names have one of the texts, and writes nothing.
"""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import pytest

from development_pki.directory import load_credential
from development_pki.tls import station_template
from station.daemon import control
from station.domain.issuance import OrphanKind
from station.line.status import Status
from tests.builders.line import Line, LineFailed, recipe_with
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line import pki_line
from tests.line.pki_behaviours import BEHAVIOURS, MINIMUM_DAYS, PASSES, Behaviour, Repair, Slot, Trial
from tests.line.pki_bench import saved
from virtual_bench.server import control as bench

PAGE = Path(__file__).parents[2] / "docs" / "pki-behaviours.md"

# Rows without a deadline have generous ones. The others wait for two or more of these, twice.
TABLE = (
    "| the PKI | slots | line | the operator is told | bought | repair | bought in the end | flashed |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
HEAD = f"""# What the line does when the PKI misbehaves

`make pki-table` makes this page: it tries every row at a whole line (virtual bench, development PKI and daemon as processes), fails if the line does
anything else, and then repairs the PKI and sees both boards pass where they are. At the end `station pki reconcile` leaves no request whose outcome is
unknown, and every certificate in the PKI's own list is a unit's or an orphan, by its serial number.

Two boards are plugged in. If their slots differ, the first is named first. *void, waiting* is a board that the line's pause has voided, and that goes on
where it was when the line resumes; *waiting, not begun* is a board of which the station has done nothing yet. *Bought* counts the certificates in the
PKI's own list for the first and the second board, *flashed* how often each got factory data. The recipe asks for certificates of {MINIMUM_DAYS} days,
and for serial numbers in requests.

{TABLE}"""

PATIENT = {**SHORT_DEADLINES, "STATION__PKI__CHECK_EVERY": "0.2"}
SHORT = {**PATIENT, "STATION__PKI__CONNECT_WITHIN": "4", "STATION__PKI__REPLY_WITHIN": "4"}

WITHIN = 300.0

# What differs from run to run in a fault's evidence.
HIDDEN = (
    (r"(https?)://[0-9a-z.]+:[0-9]+", r"\1://HOST:PORT"),
    (r"127\.0\.0\.1:[0-9]+", "HOST:PORT"),
    (r"/[^ ]+/line/", ""),
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.+]+( UTC)?", "TIME"),
    (r"\b[0-9a-f]{16,64}\b", "HEX"),
    (r"serial number [0-9A-F]+", "serial number HEX"),
    (r"CN=LT[0-9]+", "CN=SERIAL"),
    (r"for [0-9]+ s more", "for N s more"),
)
LIFETIMES = (
    20,
    80,
    320,
)  # seconds of a certificate that is to expire after the start; longer ones if the machine is slow


class RowFailed(Exception):
    """A row whose behaviour is not as expected."""


@dataclass(frozen=True, slots=True)
class Row:
    """What the run has seen of one behaviour."""

    name: str
    told: str
    """The sentence and the evidence of the fault of line or slot."""
    after: tuple[int, int]
    """Certificates for each board's request, when both had passed."""


@contextmanager
def standing(folder: Path, deadlines: dict[str, str]) -> Iterator["Table"]:
    """A line with two slots, as a process, and its PKI."""
    recipe = recipe_with(folder, f'[attestation]\nminimum_days = {MINIMUM_DAYS}\ncommon_name = "serial-number"')
    with patch.dict(os.environ, deadlines), Line.standing(folder, 2, recipe=recipe) as line:
        table = Table(line)
        yield table
        try:
            table.check_accounts()
        except AssertionError as exc:
            raise RowFailed(f"at the end: {exc}") from exc


class Table:
    """One running line at which rows are tried one after the other."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.switches = pki_line.Switches(line.folder)
        self._station = load_credential(line.folder / "pki", "tls/station")
        self._boards: list[Path] = []

    def tried(self, row: Behaviour) -> Row:
        """Raises `RowFailed` unless the line does what the row says."""
        try:
            return self._tried(row)
        except AssertionError as exc:
            raise RowFailed(f"{row.name}: {exc}") from exc

    def _tried(self, row: Behaviour) -> Row:
        before = {name: self.switches.fired(name) for name in row.switches}
        self._prepare(row)
        told = self._plug_in(row)
        for name in row.switches:
            assert self.switches.fired(name) > before[name], f"the switch {name} never fired"
        held = self._bought() if row.trial is not Trial.EXPIRED else (0, 0)
        assert held == row.bought, f"certificates: {held}, expected {row.bought}"
        self._heal(row)
        after = self._bought()
        expected = tuple(number + (slot != PASSES) for number, slot in zip(row.bought, row.boards, strict=True))
        assert after == expected, f"certificates at the end: {after}, expected {expected}"
        flashed = tuple(pki_line.flashed(self.line.folder, slot.uid or "") for slot in self._status.slots)
        assert flashed == row.flashed, f"flashed {flashed}, expected {row.flashed}"
        self._pull_out()
        return Row(row.name, told, after)

    def _prepare(self, row: Behaviour) -> None:
        self.switches.set(row.switches)
        match row.trial:
            case Trial.RESTART:
                self._restart()
            case Trial.EXPIRED:
                self._stop()
                self._valid_for(-3600)
            case Trial.EXPIRES:
                self._start_until_it_expires()
            case Trial.PLUG | Trial.PULL:
                pass

    def _start_until_it_expires(self) -> None:
        for seconds in LIFETIMES:
            end = self._valid_for(seconds)
            self._restart()
            if self._status.line.state == "open":
                break
        assert self._status.line.state == "open", "the certificate expired before the station worked"
        self._until("the certificate has expired", lambda: datetime.now(UTC) > end + timedelta(seconds=1))

    def _plug_in(self, row: Behaviour) -> str:
        """Waits until line and slots are as expected; returns what the operator is told."""
        if row.trial is Trial.EXPIRED:
            return self._plug_in_without_station(row)
        if row.trial is Trial.PULL:
            self._pull_and_come_back()
            self._settled(1, PASSES)
            self._plug(2)
        elif row.together:
            self._plug(1)
            self._plug(2)
        else:
            self._plug(1)
            self._settled(1, row.boards[0])
            self._plug(2)
        for number, wanted in enumerate(row.boards, start=1):
            self._settled(number, wanted)
        self._until(f"the line is paused by {row.line}", lambda: self._status.line.fault == row.line)
        self._until(f"the operator reads {row.says}", lambda: row.says in self._told())
        return self._told()

    def _plug_in_without_station(self, row: Behaviour) -> str:
        self._plug(1)
        self._plug(2)
        with pytest.raises(LineFailed, match=row.says) as caught:
            self.line.start_daemon()
        return _masked(str(caught.value).splitlines()[-1])

    def _pull_and_come_back(self) -> None:
        before = len(pki_line.issued(self.line.folder))
        self._plug(1)
        self._until("a certificate is issued", lambda: len(pki_line.issued(self.line.folder)) > before)
        uid = self._status.slots[0].uid
        assert uid is not None
        key = pki_line.keys(self.line.folder)[uid]
        bench.ask(self.line.folder, "unplug", ports=[1])
        self._settled(1, Slot("empty", None, "board.removed"))
        self._until("its answer is kept", lambda: key in pki_line.certified(self.line.folder))
        bench.ask(self.line.folder, "plug", ports=[1], new=False, radio={})

    def _heal(self, row: Behaviour) -> None:
        """Sets the switches back, does what a person has to do, and waits until both boards have passed where they are."""
        if row.trial in {Trial.EXPIRED, Trial.EXPIRES}:
            saved(self.line.folder / "pki", "station", self._station)
        self.switches.set(dict.fromkeys(row.switches, 0))
        match row.repair:
            case Repair.RELEASE:
                control.ask(self.line.folder / "station.sock", "release")
            case Repair.AGAIN:
                for slot in self._status.slots:
                    control.ask(self.line.folder / "station.sock", "pki_again", uid=slot.uid, reason="the PKI works")
            case Repair.REPLUG:
                self._plug_in_again(*(number for number, slot in enumerate(row.boards, start=1) if slot != PASSES))
            case Repair.START:
                self.line.start_daemon()
            case Repair.NOTHING | Repair.ITSELF:
                pass
        for number in (1, 2):
            self._settled(number, PASSES)
        assert self._status.line.state == "open"

    def _plug_in_again(self, *numbers: int) -> None:
        bench.ask(self.line.folder, "unplug", ports=list(numbers))
        self._until("they are out", lambda: all(self._status.slots[number - 1].state == "empty" for number in numbers))
        bench.ask(self.line.folder, "plug", ports=list(numbers), new=False, radio={})

    def _plug(self, number: int) -> None:
        (board,) = bench.ask(self.line.folder, "plug", ports=[number], new=True, radio={})
        self._boards.append(self.line.folder / "boards" / str(board["probe"]))

    def _pull_out(self) -> None:
        bench.ask(self.line.folder, "unplug", ports=[])
        for number in (1, 2):
            self._settled(number, Slot("empty"))
        while self._boards:
            shutil.rmtree(self._boards.pop())  # 17 MB each; the bench has let go of it now

    def _valid_for(self, seconds: float) -> datetime:
        """Gives the station a certificate that is valid for so long; returns when it ends."""
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        authority = load_credential(self.line.folder / "pki", "tls/ca")
        saved(self.line.folder / "pki", "station", authority.subordinate(replace(station_template(), valid_until=end)))
        return end

    def _stop(self) -> None:
        daemon = self.line.processes["daemon"]
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(WITHIN)

    def _restart(self) -> None:
        self._stop()
        self.line.start_daemon()

    def _bought(self) -> tuple[int, int]:
        counted, keys = pki_line.bought(self.line.folder), pki_line.keys(self.line.folder)
        first, second = (counted[keys.get(slot.uid or "", "")] for slot in self._status.slots)
        return first, second

    def _told(self) -> str:
        status = self._status
        return _masked(status.line.reason or next((slot.reason for slot in status.slots if slot.reason), ""))

    @property
    def _status(self) -> Status:
        return self.line.status()

    def _settled(self, number: int, wanted: Slot) -> None:
        def shows() -> bool:
            slot = self._status.slots[number - 1]
            return Slot(slot.state, slot.verdict, slot.fault) == wanted

        self._until(f"slot {number} shows {wanted}", shows)

    def _until(self, what: str, so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN
        while not so():
            assert time.monotonic() < deadline, f"{what}; there is {self._shown()}"
            time.sleep(0.02)

    def _shown(self) -> str:
        status = self._status
        slots = [(slot.state, slot.verdict, slot.fault, slot.reason) for slot in status.slots]
        return f"{status.line}, {slots}, certificates {self._bought()}"

    def check_accounts(self) -> None:
        """By the PKI's own list no request is left whose outcome nobody knows, and each certificate is a unit's or an orphan."""
        left = pki_line.reconciled(self.line)
        assert not left[OrphanKind.UNKNOWN], left
        pki_line.check_accounts(self.line.folder)


def _masked(told: str) -> str:
    for pattern, word in HIDDEN:
        told = re.sub(pattern, word, told)
    return told


def page(seen: Sequence[Row]) -> str:
    """The page with these rows, which are those of `BEHAVIOURS`."""
    told = {row.name: row for row in seen}
    return HEAD + "".join(_cells(row, told[row.name]) for row in BEHAVIOURS)


def names(text: str) -> list[str]:
    """The behaviours in a page's table."""
    return [line.split(" | ")[0].removeprefix("| ") for line in text.partition(TABLE)[2].splitlines()]


def _cells(row: Behaviour, seen: Row) -> str:
    slots = [_shown(slot) for slot in row.boards]
    line = "open" if row.line is None else f"paused, `{row.line}`"
    if row.trial is Trial.EXPIRED:
        line = "not started"
    cells = [
        row.name,
        slots[0] if slots[0] == slots[1] else f"{slots[0]}; {slots[1]}",
        line,
        seen.told.replace("|", "\\|") or "nothing",
        f"{row.bought[0]}, {row.bought[1]}",
        row.repair.value,
        f"{seen.after[0]}, {seen.after[1]}",
        f"{row.flashed[0]}, {row.flashed[1]}",
    ]
    return f"| {' | '.join(cells)} |\n"


def _shown(slot: Slot) -> str:
    match slot:
        case Slot("waiting", None):
            return "waiting, not begun"
        case Slot("waiting"):
            return "void, waiting"
        case Slot(state, _, str(fault)):
            return f"{state}, `{fault}`"
        case Slot(state):
            return state


def tried(rows: Sequence[Behaviour]) -> list[Row | RowFailed]:
    """Tries rows that need the same deadlines, at one line; at a new one after a failure."""
    seen, left = list[Row | RowFailed](), list(rows)
    while left:
        with tempfile.TemporaryDirectory() as folder:
            try:
                with standing(Path(folder) / "line", SHORT if rows[0].slow else PATIENT) as table:
                    while left:
                        seen.append(_timed(table, left.pop(0)))
            except RowFailed as exc:  # the other rows need a line that works
                seen.append(exc)
                sys.stdout.write(f"FAILED    {exc}\n")
                sys.stdout.flush()
    return seen


def _timed(table: Table, row: Behaviour) -> Row:
    began = time.monotonic()
    seen = table.tried(row)
    sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {row.name}\n")
    sys.stdout.flush()
    return seen


def groups(rows: Sequence[Behaviour]) -> list[list[Behaviour]]:
    """The rows for each line: those that wait for deadlines have their own."""
    patient = [row for row in rows if not row.slow]
    slow = [row for row in rows if row.slow]
    return [group for group in (slow[::2], slow[1::2], patient[::2], patient[1::2]) if group]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if a behaviour is not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", nargs="*")
    texts = parser.parse_args(arguments).text
    rows = [row for row in BEHAVIOURS if not texts or any(text in row.name for text in texts)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        outcomes = [outcome for group in pool.map(tried, groups(rows)) for outcome in group]
    seen = {row.name: row for row in outcomes if isinstance(row, Row)}
    wrong = [str(outcome) for outcome in outcomes if isinstance(outcome, RowFailed)]
    if not texts and not wrong:
        PAGE.write_text(page([seen[row.name] for row in rows]), encoding="utf-8")
    for text in wrong:
        sys.stdout.write(f"wrong: {text}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
