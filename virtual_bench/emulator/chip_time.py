"""Time as the chip has it, in whole nanoseconds since its reset. Pure.

A core that polls for something does not run in circles until it comes: it comes at once, and that much time has passed.
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
        """The moment that is so far away."""
        return self.now + round(seconds * SECOND)

    def reach(self, moment: int) -> None:
        self.now = max(self.now, moment)

    def await_moment(self, moment: int) -> None:
        """Someone polls for what comes at that moment. An interrupt that comes before has to be served before."""
        interrupt = self.next_interrupt()
        if interrupt < moment:
            self.reach(interrupt)
            self.interrupt()
        else:
            self.reach(moment)

    def await_in_vain(self) -> None:
        """Someone polls for what never comes: a millisecond has passed."""
        self.await_moment(self.now + MILLISECOND)
