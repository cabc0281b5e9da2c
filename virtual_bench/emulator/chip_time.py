# SPDX-License-Identifier: Apache-2.0
"""The chip's time, in whole nanoseconds since its reset. Pure.

When a core polls for an event, its loop is not executed: the clock advances to the event at once.
"""

from collections.abc import Callable

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
NEVER = 1 << 80


class ChipTime:
    """The chip's clock."""

    def __init__(self) -> None:
        self.now = 0
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
        else:
            self.reach(moment)

    def await_in_vain(self) -> None:
        """Advances by a millisecond for a core that polls for an event that never comes."""
        self.await_moment(self.now + MILLISECOND)
