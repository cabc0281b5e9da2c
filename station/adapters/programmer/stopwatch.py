# SPDX-License-Identifier: Apache-2.0
"""When the programmer has printed what, and when bytes came from the board: a `Traffic` that only looks at the clock.

The moments are those at which the station has read a line. A programmer that keeps its lines back until it ends would show
nothing but its end, see `Laps.told_at_once`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from station.adapters.programmer.evidence import MemoryRead
from station.adapters.programmer.output import Transcript
from station.domain.target import Region
from station.faults import Fault

TOLD_AT_ONCE = 0.02  # of a run's time: the most that is left from its first line to its end


@dataclass(slots=True)
class Laps:
    """The moments of one run of the programmer, in seconds of one clock; None for what the run has not shown."""

    began: float
    spoke: float | None = None
    connected: float | None = None
    recognised: float | None = None
    """The board's UID was read, which every run does first."""
    proofs: list[float] = field(default_factory=list)
    """One moment for each file that was written, and that was verified, and each region that was read, in their order."""
    reset: float | None = None
    started: float | None = None
    """The firmware in RAM was started."""
    ended: float | None = None
    _transcript: Transcript = field(default_factory=Transcript)

    @property
    def told_at_once(self) -> bool:
        """Whether all lines of the ended run came at its end, so that nothing but its whole time is known."""
        if self.spoke is None or self.ended is None:
            return False
        return self.ended - self.spoke < TOLD_AT_ONCE * (self.ended - self.began)

    def take(self, line: str, now: float) -> None:
        """Takes the next line that the run has printed."""
        transcript = self._transcript
        transcript.feed(line)
        self.spoke = now if self.spoke is None else self.spoke
        if transcript.connected and self.connected is None:
            self.connected = now
        if transcript.uid is not None and self.recognised is None:
            self.recognised = now
        proven = sum(
            item.done if isinstance(item, MemoryRead) else item.complete + item.verified for item in transcript.items
        )
        if proven > len(self.proofs):
            self.proofs.append(now)
        if "reset" in transcript.facts and self.reset is None:
            self.reset = now
        if "started" in transcript.facts and self.started is None:
            self.started = now


class Stopwatch:
    """The runs of a board's programmer, and the moments at which bytes came from its serial port."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.runs: list[Laps] = []
        self._heard: list[float] = []
        self._clock = clock

    @property
    def last(self) -> Laps:
        """The run that began last."""
        return self.runs[-1]

    @property
    def first_heard(self) -> float:
        """The moment of the first bytes since `listen`; raises `ValueError` if there were none."""
        if not self._heard:
            raise ValueError("no byte has come")
        return self._heard[0]

    def listen(self) -> None:
        """From now on bytes count for `first_heard`."""
        self._heard = []

    def now(self) -> float:
        return self._clock()

    def run_began(self, command: Sequence[str]) -> None:  # noqa: ARG002  a `Traffic`
        self.runs.append(Laps(self._clock()))

    def run_said(self, line: str) -> None:
        self.last.take(line, self._clock())

    def run_refused(self, reason: Exception) -> None:
        """See `Traffic`."""

    def run_ended(self, status: int) -> None:  # noqa: ARG002  a `Traffic`
        self.last.ended = self._clock()

    def run_left(self) -> None:
        """See `Traffic`."""

    def was_read(self, region: Region, content: bytes, meant: bytes | None = None) -> None:
        """See `Traffic`."""

    def port_opened(self) -> None:
        """See `Traffic`."""

    def port_refused(self, fault: Fault) -> None:
        """See `Traffic`."""

    def sent(self, data: bytes) -> None:
        """See `Traffic`."""

    def received(self, data: bytes) -> None:  # noqa: ARG002  a `Traffic`
        self._heard.append(self._clock())

    def port_lost(self) -> None:
        """See `Traffic`."""
