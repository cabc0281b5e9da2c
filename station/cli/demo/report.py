# SPDX-License-Identifier: Apache-2.0
"""A demonstration's live display, and its report at the end."""

import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from station.adapters.ledger.reader import AttemptSummary, LedgerReader
from station.cli.consoles import coloured, styled
from station.cli.demo.line import DemoFailed, DemoLine
from station.config.problems import ConfigurationInvalid, Problem
from station.domain.attempt import Phase
from station.line.status import SlotStatus

STUCK_AFTER = 180.0  # seconds without any change
LOOK_EVERY = 0.2
SPOKEN_PHASES = 16  # boards; a log of more boards' phases is too long to read
STEPS = (
    Phase.RECOGNISE,
    Phase.FLASH_DATA,
    Phase.FLASH_PROVISIONER,
    Phase.AWAIT_CSR,
    Phase.RELAY_TO_PKI,
    Phase.DELIVER,
    Phase.FLASH_OPERATIONAL,
    Phase.CONFIRM,
)


@dataclass(frozen=True, slots=True)
class Expected:
    """The verdict that a board should get."""

    verdict: str = "pass"
    fault: str | None = None


def expectations(faults: Path | None, boards: int) -> dict[str, Expected]:
    """The fault file's expected verdicts, by slot; a board without an entry must pass. Raises `ConfigurationInvalid`."""
    expected = {str(number): Expected() for number in range(1, boards + 1)}
    if faults is None:
        return expected
    try:
        entries = tomllib.loads(faults.read_text(encoding="utf-8")).get("fault", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigurationInvalid([Problem(faults, "", f"is not TOML: {exc}")]) from exc
    problems = []
    for number, entry in enumerate(entries, start=1):
        try:
            board, expect = str(entry["board"]), entry["expect"]
            wanted = Expected(expect["verdict"], expect.get("fault"))
        except (KeyError, TypeError):
            problems.append(Problem(faults, f"fault[{number}]", "needs board and expect = { verdict = …, fault = … }"))
            continue
        if board not in expected:
            problems.append(Problem(faults, f"fault[{number}].board", f"there are boards 1 to {boards}, not {board}"))
        expected[board] = wanted
    if problems:
        raise ConfigurationInvalid(problems)
    return expected


def watch(console: Console, line: DemoLine, boards: int) -> Mapping[str, AttemptSummary]:
    """Shows the line until every board has its verdict; returns each slot's last attempt. Raises `DemoFailed`."""
    screen = _Screen(console, boards)
    changed, before = time.monotonic(), ""
    with screen:
        while True:
            slots = line.status().slots
            screen.show(slots)
            now = " ".join(f"{slot.state}{slot.step}{slot.attempt}" for slot in slots)
            if now != before:
                changed, before = time.monotonic(), now
            if not any(slot.state in {"running", "waiting"} for slot in slots):
                ended = _last_attempts(line)
                if len(ended) == boards:
                    return ended
            if time.monotonic() - changed > STUCK_AFTER:
                raise DemoFailed(
                    f"nothing has happened for {STUCK_AFTER:.0f} s; the daemon's log is in {line.folder}/logs"
                )
            time.sleep(LOOK_EVERY)


def _last_attempts(line: DemoLine) -> dict[str, AttemptSummary]:
    attempts = LedgerReader(line.folder / "ledger.sqlite").attempts()
    return {attempt.slot: attempt for attempt in attempts if attempt.verdict is not None}


class _Screen:
    """A live table on a terminal; elsewhere a line for every change."""

    def __init__(self, console: Console, boards: int) -> None:
        self._console = console
        self._boards = boards
        self._began = time.monotonic()
        self._said: dict[str, str] = {}
        self._live = Live(console=console, refresh_per_second=5) if console.is_terminal else None

    def __enter__(self) -> None:
        if self._live is not None:
            self._live.start()

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, slots: list[SlotStatus]) -> None:
        for slot in slots:
            self._remember(slot)
        if self._live is not None:
            self._live.update(self._table(slots))

    def _remember(self, slot: SlotStatus) -> None:
        name, now = slot.slot, self._words(slot)
        if now == self._said.get(name):
            return
        self._said[name] = now
        ended = slot.state in {"pass", "fail", "void", "out of service"}
        if self._live is None and (ended or (slot.step and self._boards <= SPOKEN_PHASES)):
            self._console.print(f"{time.monotonic() - self._began:7.1f} s  slot {name:>3}  {now}", soft_wrap=True)

    @staticmethod
    def _words(slot: SlotStatus) -> str:
        if slot.step:
            return slot.step.replace("_", " ")
        return f"{slot.state}: {slot.fault}" if slot.fault else slot.state

    def _table(self, slots: list[SlotStatus]) -> Group:
        table = Table("slot", "board", "state", "phase", "progress", "seconds", "why", box=None, header_style="bold")
        for slot in slots:
            table.add_row(
                slot.slot,
                slot.uid or slot.probe or "",
                coloured(slot.state),
                (slot.step or "").replace("_", " "),
                ProgressBar(total=len(STEPS), completed=len(slot.steps), width=24),
                f"{slot.seconds:.1f}" if slot.attempt else "",
                slot.fault or "",
            )
        running = sum(slot.state == "running" for slot in slots)
        passed = sum(slot.state == "pass" for slot in slots)
        summary = f"{running} running, {passed} passed, {time.monotonic() - self._began:.0f} s"
        return Group(table, styled((summary, "bold")))


@dataclass(frozen=True, slots=True)
class Report:
    """One entry for each board, and their totals."""

    boards: tuple[AttemptSummary, ...]
    seconds: float

    @classmethod
    def of(cls, attempts: Mapping[str, AttemptSummary]) -> "Report":
        """Wall time is from the first attempt's beginning to the last one's end."""
        boards = tuple(sorted(attempts.values(), key=lambda attempt: int(attempt.slot)))
        began = min(attempt.started_at for attempt in boards)
        ended = max(attempt.started_at.timestamp() + attempt.seconds for attempt in boards)
        return cls(boards, ended - began.timestamp())

    def count(self, verdict: str) -> int:
        return sum(board.verdict == verdict for board in self.boards)

    def as_json(self) -> dict[str, object]:
        return {
            "boards": [
                {
                    "slot": board.slot,
                    "probe": board.probe,
                    "uid": board.uid,
                    "verdict": board.verdict,
                    "fault": board.fault,
                    "seconds": round(board.seconds, 3),
                    "phases": {name: round(seconds, 3) for name, seconds in board.steps.items()},
                    "serial_number": board.serial_number,
                    "dac_serial_number": board.dac_serial_number,
                }
                for board in self.boards
            ],
            "totals": {
                "boards": len(self.boards),
                "pass": self.count("pass"),
                "fail": self.count("fail"),
                "void": self.count("void"),
                "seconds": round(self.seconds, 3),
            },
        }

    def surprises(self, expected: Mapping[str, Expected]) -> list[str]:
        """A sentence for every board that did not get its expected verdict."""
        return [
            f"board {board.slot} ended as {_words(Expected(board.verdict or '', board.fault))}, expected {_words(wanted)}"
            for board in self.boards
            if (wanted := expected[board.slot]).verdict != board.verdict
            or (wanted.fault is not None and wanted.fault != board.fault)
        ]


def _words(verdict: Expected) -> str:
    return f"{verdict.verdict} ({verdict.fault})" if verdict.fault else verdict.verdict


def report_table(report: Report) -> Group:
    """The report for people."""
    table = Table("slot", "uid", "verdict", "seconds", "serial number", "DAC", "fault", box=None, header_style="bold")
    for board in report.boards:
        table.add_row(
            board.slot,
            board.uid or "",
            coloured(board.verdict or ""),
            f"{board.seconds:.1f}",
            board.serial_number or "",
            (board.dac_serial_number or "")[:16],
            board.fault or "",
        )
    counts = f"{len(report.boards)} boards: {report.count('pass')} pass, {report.count('fail')} fail, {report.count('void')} void"
    return Group("", table, styled((f"{counts} in {report.seconds:.1f} s", "bold")))
