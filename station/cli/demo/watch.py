# SPDX-License-Identifier: Apache-2.0
"""Watches a demonstration until every board has its verdict: shows what `station watch` shows, from the same stream."""

import os
import time
from collections.abc import Mapping

from rich.console import Console

from station.adapters.ledger.reader import AttemptSummary, LedgerReader
from station.cli.demo.endings import Ending, FinishedAttempts
from station.cli.demo.line import DemoFailed, DemoLine
from station.cli.watch import source
from station.cli.watch.display import Display, speaks_unicode
from station.cli.watch.following import follow
from station.cli.watch.picture import Pen
from station.cli.watch.words import Words
from station.web.follower import Follower

STUCK_AFTER = 180.0  # seconds without any change
LOGGED_WITHIN = 5.0  # the log may be late after the ledger, and may lose lines


def watch(console: Console, line: DemoLine, boards: int) -> tuple[Mapping[str, AttemptSummary], tuple[Ending, ...]]:
    """Shows the line until every board has its verdict. Raises `DemoFailed`.

    Returns each slot's last attempt, from the ledger, and the ends of all attempts, from the log.
    """
    pen = Pen(Words.of("en"), speaks_unicode(console, os.environ.get("TERM", "")), line.page)
    display = Display(console, pen)
    boards_end = _End(line, boards, display)
    follow(display, Follower(source.at(line.page), display, trust=source.trusting(None)), boards_end.has_come)
    if boards_end.failure is not None:
        raise boards_end.failure
    return boards_end.attempts, tuple(boards_end.finished.endings)


class _End:
    """Whether every board has its verdict by now, or the demonstration has failed."""

    def __init__(self, line: DemoLine, boards: int, display: Display) -> None:
        self._line = line
        self._boards = boards
        self._display = display
        self._changed, self._before = time.monotonic(), ""
        self.finished = FinishedAttempts(line.folder / "logs" / "station.jsonl")
        self.attempts: Mapping[str, AttemptSummary] = {}
        self.failure: DemoFailed | None = None

    def has_come(self) -> bool:
        slots = self._display.known.slots.values()
        now = " ".join(f"{slot.state}{slot.step}{slot.attempt}" for slot in slots)
        if now != self._before:
            self._changed, self._before = time.monotonic(), now
        quiet = time.monotonic() - self._changed
        self.failure = self._line.trouble()
        if self._display.is_live and not any(slot.state in {"running", "waiting"} for slot in slots):
            self.finished.look()
            self.attempts = _last_attempts(self._line)
            logged = {each.attempt for each in self.finished.endings} >= {a.number for a in self.attempts.values()}
            if len(self.attempts) == self._boards and (logged or quiet > LOGGED_WITHIN):
                return True
        if quiet > STUCK_AFTER:
            self.failure = DemoFailed(f"nothing has happened for {STUCK_AFTER:.0f} s")
        return self.failure is not None


def _last_attempts(line: DemoLine) -> dict[str, AttemptSummary]:
    attempts = LedgerReader(line.folder / "ledger.sqlite").attempts()
    return {attempt.slot: attempt for attempt in attempts if attempt.verdict is not None}
