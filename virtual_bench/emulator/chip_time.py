# SPDX-License-Identifier: Apache-2.0
"""The chip's time, in whole nanoseconds since its reset. Pure.

When a core polls for an event, its loop is not executed: the clock advances to the event at once. After a long wait
the core stops there, so that it does not act before the bench's clock has come as far.
"""

from collections.abc import Callable

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
NEVER = 1 << 80
LEAP = (
    5 * MILLISECOND
)  # longer than the transmission of a full FIFO, shorter than an erasure and a computation on the curve


class ChipTime:
    """The chip's clock."""

    def __init__(self) -> None:
        self.now = 0
        self._leapt = False
        self.next_interrupt: Callable[[], int] = lambda: NEVER
        self.interrupt: Callable[[], None] = lambda: None

    def after(self, seconds: float) -> int:
        """The moment that is this number of nanoseconds from now."""
        return self.now + round(seconds * SECOND)

    def reach(self, moment: int) -> None:
        self.now = max(self.now, moment)

    def await_moment(self, moment: int) -> None:
        """Advances to the moment of an event that the core polls for, but not past an earlier interrupt."""
        interrupt = self.next_interrupt()
        if interrupt < moment:
            self.reach(interrupt)
            self.interrupt()
        elif moment - self.now > LEAP:
            self.reach(moment)
            self._leapt = True
            self.interrupt()
        else:
            self.reach(moment)

    def has_leapt(self) -> bool:
        """Whether the core has stopped after a long wait since the last call."""
        leapt, self._leapt = self._leapt, False
        return leapt

    def await_in_vain(self) -> None:
        """Advances by a millisecond for a core that polls for an event that never comes."""
        self.await_moment(self.now + MILLISECOND)
