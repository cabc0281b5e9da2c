# SPDX-License-Identifier: Apache-2.0
"""The attempts that have ended in a demonstration, from the daemon's log, and what to do about each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from station.adapters.system.shown import shown
from station.cli.consoles import coloured, styled

TO_DO = {"fail": "put the board into the reject bin", "void": "plug it in again"}


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one attempt. `sentence` is the fault's, and says what happened and what to do."""

    attempt: int
    slot: str
    verdict: str
    seconds: float
    fault: str | None = None
    sentence: str | None = None
    step: str | None = None


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


def note(ending: Ending) -> Text:
    """Slot and verdict of an attempt, and its fault's code, step and sentence."""
    where = f" in {ending.step.replace('_', ' ')}" if ending.step else ""
    why = f" {ending.fault or 'no fault'}{where}: {ending.sentence or 'no sentence in the log'}"
    return Text.assemble(
        f"slot {shown(ending.slot)} ", coloured(ending.verdict), styled(why if ending.verdict != "pass" else "")
    )


def to_do(bad: Sequence[Ending]) -> str:
    """What an operator does after each verdict among these."""
    return "; ".join(
        f"{verdict}: {words}" for verdict, words in TO_DO.items() if any(e.verdict == verdict for e in bad)
    )
