# SPDX-License-Identifier: Apache-2.0
"""The ledger's figures for pages and API, each counted once for all who ask within some seconds: it may take a while."""

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from station.adapters.ledger import lot_counts, selection
from station.adapters.ledger.lot_counts import LotCounts
from station.adapters.ledger.selection import Selection
from station.config.problems import ConfigurationInvalid
from station.domain.numbers import Numbers
from station.recipe.files.limits import planned, step_limits
from station.web.aside import aside

FRESH_FOR = 5.0  # seconds

Asked = TypeVar("Asked", bound=Hashable)
Found = TypeVar("Found")


class Counted:
    """Counts attempts and lots of the ledger at `path`, for the recipe at `recipe`. Every method raises `LedgerUnavailable`."""

    def __init__(self, path: Path, recipe: Path) -> None:
        self._recipe = recipe
        self._numbers: _Fresh[Selection, Numbers] = _Fresh(
            lambda wanted: selection.numbers(path, wanted, self._of_recipe(step_limits))
        )
        self._lots: _Fresh[None, list[LotCounts]] = _Fresh(lambda _: lot_counts.counted(path, self._of_recipe(planned)))

    async def numbers(self, wanted: Selection) -> Numbers:
        """The figures of the selected attempts, with the limits of the recipe as it is now."""
        return await self._numbers.found(wanted)

    async def lots(self) -> list[LotCounts]:
        """The counts of each lot, the newest first."""
        return await self._lots.found(None)

    def _of_recipe(self, read: Callable[[Path], Mapping[str, Found]]) -> Mapping[str, Found]:
        try:
            return read(self._recipe)
        except (ConfigurationInvalid, OSError):  # the line runs with the recipe that it has read
            return {}


class _Fresh(Generic[Asked, Found]):
    """The answers to the last questions, as long as they are fresh. Questions are answered in a thread, one at a time."""

    def __init__(self, count: Callable[[Asked], Found]) -> None:
        self._count = count
        self._known: dict[Asked, tuple[float, Found]] = {}
        self._turn = asyncio.Lock()

    async def found(self, asked: Asked) -> Found:
        async with self._turn:
            known = self._known.get(asked)
            if known is None or time.monotonic() - known[0] > FRESH_FOR:
                known = time.monotonic(), await aside(self._count, asked)
                self._known = {each: old for each, old in self._known.items() if known[0] - old[0] <= FRESH_FOR}
                self._known[asked] = known
            return known[1]
