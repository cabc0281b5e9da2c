# SPDX-License-Identifier: Apache-2.0
"""An event loop whose clock jumps to the next deadline instead of waiting for it: a replay takes no time, whatever it waited for."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


class WaitsForEver(Exception):
    """Nothing is left that could happen."""


class _Jumping(selectors.SelectSelector):
    """Reports what is ready now; where nothing is, moves the clock."""

    now = 0.0

    def select(  # type: ignore[explicit-any]  # a selector's key carries anything
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise WaitsForEver
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(work: Coroutine[object, object, T]) -> T:
    """Runs the work to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)
