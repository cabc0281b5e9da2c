# SPDX-License-Identifier: Apache-2.0
"""What a line's live display shows at one moment: a row for each slot, and the attempts that have ended. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from station.domain.attempt import Phase
from station.line.status import SlotStatus

# The seconds of each step on an idle line (docs/performance.md). They only weigh the steps against one another.
SECONDS: Mapping[str, float] = {
    Phase.RECOGNISE.value: 0.9,
    Phase.FLASH_DATA.value: 1.4,
    Phase.FLASH_PROVISIONER.value: 0.6,
    Phase.AWAIT_CSR.value: 1.1,
    Phase.RELAY_TO_PKI.value: 0.02,
    Phase.DELIVER.value: 0.4,
    Phase.FLASH_OPERATIONAL.value: 11.3,
    Phase.CONFIRM.value: 1.0,
}
EARLY = 0.02  # of all work: while less is done, an estimate of the rest would be a guess


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


@dataclass(frozen=True, slots=True)
class Row:
    """One slot. `state` is a verdict once its board has one, even if the board was pulled or the slot is out of service."""

    slot: str
    board: str = ""
    state: str = "empty"
    step: str | None = None
    done: float = 0.0
    """The finished share of the work on this board, from 0 to 1."""
    seconds: float | None = None
    left: float | None = None
    """Seconds that the board in work still needs, if it goes on at the pace of its finished steps."""

    @classmethod
    def of(cls, slot: SlotStatus, last: Ending | None) -> "Row":
        """The row of a slot whose newest finished attempt is `last`."""
        if slot.step is None and last is not None and slot.state not in {"running", "waiting"}:
            return cls(slot.slot, slot.uid or slot.probe or "", last.verdict, None, 1.0, last.seconds)
        seconds = slot.seconds if slot.attempt else None
        return cls(slot.slot, slot.uid or slot.probe or "", slot.state, slot.step, _done(slot), seconds, _left(slot))


def _done(slot: SlotStatus) -> float:
    """Counts the finished steps, and of the present one as much as its usual time says."""
    finished = sum(SECONDS.get(step, 0.0) for step in slot.steps)
    since = max(0.0, slot.seconds - sum(slot.steps.values()))
    present = min(since, SECONDS.get(slot.step, 0.0)) if slot.step and slot.step not in slot.steps else 0.0
    return min(1.0, (finished + present) / sum(SECONDS.values()))


def _left(slot: SlotStatus) -> float | None:
    usual = sum(SECONDS.get(step, 0.0) for step in slot.steps)
    if slot.step is None or not usual:
        return None
    pace = sum(seconds for step, seconds in slot.steps.items() if step in SECONDS) / usual
    return pace * sum(SECONDS.values()) * (1 - _done(slot))


@dataclass(frozen=True, slots=True)
class View:
    """The whole line at one moment."""

    rows: tuple[Row, ...]
    endings: tuple[Ending, ...]
    """All attempts that have ended, in their order."""
    seconds: float
    """Since the boards were plugged in."""
    trouble: str | None = None
    """The reason why the line is paused."""

    @classmethod
    def of(cls, slots: Sequence[SlotStatus], endings: Sequence[Ending], seconds: float, trouble: str | None) -> "View":
        last = {ending.slot: ending for ending in endings}
        return cls(tuple(Row.of(slot, last.get(slot.slot)) for slot in slots), tuple(endings), seconds, trouble)

    @property
    def bad(self) -> tuple[Ending, ...]:
        """The attempts that did not end in a pass."""
        return tuple(ending for ending in self.endings if ending.verdict != "pass")

    @property
    def judged(self) -> int:
        """Boards with a verdict that will not be tried again."""
        return sum(self.count(verdict) for verdict in ("pass", "fail", "void"))

    def count(self, state: str) -> int:
        return Counter(row.state for row in self.rows)[state]

    @property
    def an_hour(self) -> float | None:
        """Boards an hour so far; None before the first verdict."""
        return self.judged / self.seconds * 3600 if self.judged and self.seconds > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds until every board has its verdict, if the work goes on as it did; None while that is a guess.

        Boards in work go on side by side, each at its own pace: the median does not wait for one that is mute. Boards that
        have not begun come at the pace of the whole line.
        """
        in_work = [row.left for row in self.rows if row.left is not None]
        estimates = [median(in_work)] if in_work else []
        done = sum(row.done for row in self.rows) / len(self.rows) if self.rows else 0.0
        if done > EARLY and any(row.done == 0 for row in self.rows):
            estimates.append(self.seconds * (1 - done) / done)
        return max(estimates, default=None)


def totals(view: View) -> str:
    """The verdicts so far: `20 passed, 1 failed, 2 void of 40`."""
    return f"{view.count('pass')} passed, {view.count('fail')} failed, {view.count('void')} void of {len(view.rows)} boards"


def pace(view: View) -> str:
    """Time so far, boards an hour and time left, as far as they are known."""
    words = [f"{clock(view.seconds)} gone"]
    if view.an_hour is not None:
        words.append(f"{view.an_hour:.0f} boards an hour")
    if view.judged == len(view.rows):
        words.append("all boards have their verdicts")
    elif view.left is not None:
        words.append(f"about {clock(view.left + 1)} left")
    return ", ".join(words)


def clock(seconds: float) -> str:
    """Minutes and seconds, such as 0:07 or 75:00."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def spoken(ending: Ending) -> str:
    """The fault's code, the step it came in, and its sentence."""
    where = f" in {ending.step.replace('_', ' ')}" if ending.step else ""
    return f"{ending.fault or 'no fault'}{where}: {ending.sentence or 'no sentence in the log'}"
