# SPDX-License-Identifier: Apache-2.0
"""Watches a demonstration until every board has its verdict: a live picture on a terminal, elsewhere lines of text."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from station.adapters.ledger.reader import AttemptSummary, LedgerReader
from station.cli.consoles import styled
from station.cli.demo.line import DemoFailed, DemoLine
from station.cli.demo.picture import note, picture
from station.cli.demo.view import Ending, View, pace, totals
from station.line.status import SlotStatus, Status

STUCK_AFTER = 180.0  # seconds without any change
LOOK_EVERY = 0.2
LOGGED_WITHIN = 5.0  # the log may be late after the ledger, and may lose lines
SUMMED_UP_EVERY = 5.0
SPOKEN_STEPS = 16  # boards; a text with more boards' steps is too long to read


class FinishedAttempts:
    """The `attempt.finished` lines of a log that grows: each attempt once, with its fault's sentence."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0
        self.endings: list[Ending] = []

    def look(self) -> list[Ending]:
        """Reads on, and returns the attempts that have ended since the last look."""
        new = []
        if self._log.exists():
            with self._log.open("rb") as log:
                log.seek(self._read)
                *lines, _unfinished = log.read().split(b"\n")
            self._read += sum(len(line) + 1 for line in lines)
            new = [_ending(entry) for line in lines if (entry := json.loads(line))["event"] == "attempt.finished"]
        self.endings += new
        return new


def _ending(entry: Mapping[str, object]) -> Ending:
    fault, sentence, step = (
        None if (told := entry.get(key)) is None else str(told) for key in ("fault", "reason", "step")
    )
    return Ending(
        attempt=int(str(entry["attempt"])),
        slot=str(entry["slot"]),
        verdict=str(entry["verdict"]),
        seconds=float(str(entry["seconds"])),
        fault=fault,
        sentence=sentence,
        step=step,
    )


def watch(console: Console, line: DemoLine, boards: int) -> tuple[Mapping[str, AttemptSummary], tuple[Ending, ...]]:
    """Shows the line until every board has its verdict. Raises `DemoFailed`.

    Returns each slot's last attempt, from the ledger, and the ends of all attempts, from the log.
    """
    finished = FinishedAttempts(line.folder / "logs" / "station.jsonl")
    display = _Display(console, boards)
    changed, before = time.monotonic(), ""
    with display:
        while True:
            status = line.status()
            display.show(status, finished)
            slots = status.slots
            now = " ".join(f"{slot.state}{slot.step}{slot.attempt}" for slot in slots)
            if now != before:
                changed, before = time.monotonic(), now
            quiet = time.monotonic() - changed
            if not any(slot.state in {"running", "waiting"} for slot in slots):
                ended = _last_attempts(line)
                logged = {ending.attempt for ending in finished.endings} >= {each.number for each in ended.values()}
                if len(ended) == boards and (logged or quiet > LOGGED_WITHIN):
                    return ended, tuple(finished.endings)
            if quiet > STUCK_AFTER:
                raise DemoFailed(f"nothing has happened for {STUCK_AFTER:.0f} s")
            time.sleep(LOOK_EVERY)


def _last_attempts(line: DemoLine) -> dict[str, AttemptSummary]:
    attempts = LedgerReader(line.folder / "ledger.sqlite").attempts()
    return {attempt.slot: attempt for attempt in attempts if attempt.verdict is not None}


class _Display:
    """Fills a terminal with the picture, drawn anew for the terminal's present size; elsewhere prints each change."""

    def __init__(self, console: Console, boards: int) -> None:
        self._console = console
        self._boards = boards
        self._began = time.monotonic()
        self._view = View((), (), 0.0)
        self._said: dict[str, str | None] = {}
        self._summed_up = 0.0
        drawable = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(self, console=console, screen=True, refresh_per_second=5) if drawable else None

    def __enter__(self) -> None:
        """Nothing is drawn before the daemon's first status."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leaves the terminal as it was before; after an interruption repeats what would be lost with the picture."""
        if self._live is not None:
            self._live.stop()
            if kind is not None:
                for ending in self._view.bad:
                    self._print(note(ending))
        if kind is not None:
            self._print(styled(f"{totals(self._view)}; {pace(self._view)}"))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from picture(self._view, options.max_width, options.height or console.height)

    def show(self, status: Status, finished: FinishedAttempts) -> None:
        new = finished.look()
        trouble = status.line.reason if status.line.fault else None
        self._view = View.of(status.slots, finished.endings, time.monotonic() - self._began, trouble)
        if self._live is not None:
            self._live.start()  # the first time
        else:
            for slot in status.slots:
                self._say_step(slot)
            for ending in new:
                self._print(note(ending))
            self._say("line", f"The line is paused: {trouble}" if trouble else None)
            self._sum_up()

    def _say_step(self, slot: SlotStatus) -> None:
        if slot.step and self._boards <= SPOKEN_STEPS:
            self._say(slot.slot, f"slot {slot.slot} {slot.step.replace('_', ' ')}")

    def _say(self, about: str, now: str | None) -> None:
        if now != self._said.get(about):
            self._said[about] = now
            self._print(styled(now or "The line is open again"))

    def _sum_up(self) -> None:
        if self._view.judged and self._view.seconds > self._summed_up + SUMMED_UP_EVERY:
            self._summed_up = self._view.seconds
            self._print(styled(f"{totals(self._view)}; {pace(self._view)}"))

    def _print(self, text: Text) -> None:
        self._console.print(Text.assemble(f"{self._view.seconds:7.1f} s  ", text), soft_wrap=True)
