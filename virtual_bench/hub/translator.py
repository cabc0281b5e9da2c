# SPDX-License-Identifier: Apache-2.0
"""The transaction translator of a USB hub, whose bandwidth full-speed probes share. Pure, except for the given wait."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

USEFUL = 1.0e6  # bytes a second of the 12 Mbit/s; 19 packets of 64 bytes a millisecond would be 1.216 MB/s at best
HUB_PORTS = 7  # per hub: ports 1 to 7 share a translator, then ports 8 to 14, and so on
SLICE = 0.02  # seconds after which a transfer recomputes its share


class HubKind(StrEnum):
    """How many translators a hub has."""

    MULTI_TT = "multi-tt"
    SINGLE_TT = "single-tt"


class Translator:
    """Divides its bandwidth among the downloads and uploads of the moment; none gets more than it can use.

    A download counts from its erase to its last byte, also while the flash is busy, since its probe keeps polling the
    loader.
    """

    def __init__(self, useful: float = USEFUL) -> None:
        self._useful = useful
        self._rates: list[float] = []

    async def carry(self, size: int, rate: float, pause: Callable[[float], Awaitable[None]]) -> None:
        """Moves the given number of bytes for a transfer that counts; `pause` lets the seconds pass."""
        left = float(size)
        while left > 0:
            share = self.share(rate)
            moved = min(left, share * SLICE)
            await pause(moved / share)
            left -= moved

    def share(self, rate: float) -> float:
        """The share of a transfer of this rate.

        A transfer that needs less than an even share leaves the rest to the others.
        """
        left, others = self._useful, sorted(self._rates)
        while others and others[0] * len(others) <= left:
            left -= others.pop(0)
        return min(rate, left / len(others)) if others else rate

    @contextmanager
    def used(self, rate: float) -> Iterator[None]:
        """Counts a transfer of this rate for the block."""
        self._rates.append(rate)
        try:
            yield
        finally:
            self._rates.remove(rate)
