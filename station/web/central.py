# SPDX-License-Identifier: Apache-2.0
"""The stations that share the ledger, as the centre knows them: asked when somebody wants to see them, and never for the line."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

WITHIN = 3.0  # seconds for the centre's answer
FRESH_FOR = 5.0  # seconds for which all who ask get one answer, also that the centre is away
UNHEARD = timedelta(minutes=1)  # a station that works tells something each second
NO_READER = (
    "This station may not ask the centre: set `reader` in the section [shared] of its configuration to the address of "
    "the centre with a role that only reads. The line works without it."
)


class CentreAway(Exception):
    """Nobody can be asked now; the text says why, and that the line goes on."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Counts(_Model):
    """Attempts of one station, slot, hour or fault; the laboratory's do not count."""

    name: str
    passed: int
    failed: int
    void: int

    @property
    def share(self) -> float | None:
        """The yield: passes of those judged."""
        judged = self.passed + self.failed
        return self.passed / judged if judged else None


class SharingStation(Counts):
    """One station, with its attempts since the hour before this one began."""

    own: bool
    """Whether it is the one that answers."""
    heard_at: datetime | None
    """When the centre heard of it last; null if never."""
    lag_seconds: float | None
    """How old the newest line of its journal was when the centre got it; null if it has told nothing."""
    items_left: int
    """Serial numbers of its blocks that the centre knows of no unit for."""
    units_an_hour: float


class SharedView(_Model):
    """All stations, and the yields of the last 24 hours."""

    asked_at: datetime
    """By the centre's clock."""
    since: datetime
    """The beginning of the hour before this one, from which the stations' attempts are counted."""
    stations: list[SharingStation]
    """Those that need somebody first."""
    hours: list[Counts]
    slots: list[Counts]
    """Those with most fails."""
    faults: list[Counts]
    anomalies: int
    """Contradictions between the journals that wait for a person."""

    @property
    def share(self) -> float | None:
        """The yield of all stations."""
        passed, failed = (sum(getattr(each, name) for each in self.stations) for name in ("passed", "failed"))
        return passed / (passed + failed) if passed + failed else None

    @property
    def units_an_hour(self) -> float:
        return sum(each.units_an_hour for each in self.stations)

    def needs_somebody(self, station: SharingStation) -> bool:
        """Whether somebody should go and look after a station."""
        return self.is_unheard(station) or not station.items_left

    def is_unheard(self, station: SharingStation) -> bool:
        """Whether the centre has not heard of a station for a minute."""
        return station.heard_at is None or self.asked_at - station.heard_at > UNHEARD

    @property
    def unheard(self) -> int:
        return sum(map(self.is_unheard, self.stations))

    @property
    def dry(self) -> int:
        """Stations without serial numbers."""
        return sum(not each.items_left for each in self.stations)


class Central:
    """The way to the centre for whoever may read. `look` asks it in a thread, and raises `CentreAway`; None without `reader`."""

    def __init__(self, look: Callable[[], SharedView] | None) -> None:
        self._look = look
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="centre")
        self._turn = asyncio.Lock()
        self._known: tuple[float, SharedView | CentreAway] | None = None

    async def stations(self) -> SharedView:
        """What the centre knows now, or knew some seconds ago; raises `CentreAway`."""
        if self._look is None:
            raise CentreAway(NO_READER)
        async with self._turn:
            if self._known is None or time.monotonic() - self._known[0] > FRESH_FOR:
                answer = await self._asked(self._look)
                self._known = time.monotonic(), answer
            known = self._known[1]
        if isinstance(known, CentreAway):
            raise CentreAway(str(known))
        return known

    async def _asked(self, look: Callable[[], SharedView]) -> SharedView | CentreAway:
        try:
            async with asyncio.timeout(WITHIN):
                return await asyncio.get_running_loop().run_in_executor(self._thread, look)
        except CentreAway as exc:
            return exc
        except TimeoutError:
            return CentreAway(f"The centre has not answered within {WITHIN:.0f} s. The line goes on without it.")
