# SPDX-License-Identifier: Apache-2.0
"""The chip's time, in whole nanoseconds since its reset. Pure.

When a core polls for an event, its loop is not executed: the clock advances to the event at once. A core that has
waited for long in one turn stops there, so that it acts no more than that before the bench's clock has come as far.
"""

from collections.abc import Callable

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
NEVER = 1 << 80
LEAP = 20 * MILLISECOND  # of waits in one turn; an erasure and a computation on the curve take longer


class ChipTime:
    """The chip's clock."""

    def __init__(self) -> None:
        self.now = 0
        self._waited = 0  # in this turn
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
        reached = max(self.now, min(interrupt, moment))
        self._waited += reached - self.now
        self.now = reached
        if interrupt < moment or self.has_leapt():
            self.interrupt()

    def begin_turn(self) -> None:
        self._waited = 0

    def has_leapt(self) -> bool:
        """Whether the waits of this turn are too long for another instruction."""
        return self._waited > LEAP

    def await_in_vain(self) -> None:
        """Advances by a millisecond for a core that polls for an event that never comes."""
        self.await_moment(self.now + MILLISECOND)
