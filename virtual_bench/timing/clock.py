# SPDX-License-Identifier: Apache-2.0
"""The one clock of the bench: every delay passes through it, multiplied by the time scale."""

import asyncio

SHORTEST_PERIOD = 0.5  # real seconds: an endless repetition would keep the bench busy at time scale 0


class Clock:
    """Scaled seconds on the running loop's clock; at scale 0 nothing takes any time."""

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def now(self) -> float:
        """Real seconds, on the loop's clock."""
        return asyncio.get_running_loop().time()

    @property
    def stands_still(self) -> bool:
        """Whether the time scale is 0, so that transfers cannot compete."""
        return not self._scale

    def scaled(self, seconds: float) -> float:
        return seconds * self._scale

    async def sleep(self, seconds: float) -> None:
        if self._scale and seconds > 0:
            await asyncio.sleep(self.scaled(seconds))
