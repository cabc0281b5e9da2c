# SPDX-License-Identifier: Apache-2.0
"""Forgets the passcodes of units some days after their last pass, or soon after their label was bound, beside the line's work."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from station.adapters.ledger import Ledger, label_prints, label_reader
from station.config.sections import LabelSection
from station.domain.secrets_deed import AUTOMATIC
from station.domain.target import UID
from station.faults import LineFault

log = structlog.get_logger()

EVERY = 3600.0
BOUND_EVERY = 60.0  # where units are forgotten once their label is bound
AT_ONCE = 100  # units between two looks at the settings


class Forgetting:
    """`settings` are asked each time; `check_clock` raises while the clock is contradicted."""

    def __init__(
        self,
        ledger: Ledger,
        path: Path,
        settings: Callable[[], LabelSection],
        check_clock: Callable[[], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._path = path
        self._settings = settings
        self._check_clock = check_clock
        self._now = now

    async def run(self) -> None:
        while True:
            await self.once()
            await asyncio.sleep(BOUND_EVERY if self._settings().forget == "after-bound" else EVERY)

    async def _due(self, settings: LabelSection) -> tuple[list[UID], str]:
        """Some of the units that are to be forgotten now, and why."""
        if settings.forget == "after-bound":
            return await asyncio.to_thread(label_prints.bound, self._path, AT_ONCE), "its label is bound to it"
        self._check_clock()  # by a wrong clock every unit may be old, and nothing brings a passcode back
        before = self._now() - timedelta(days=settings.days)
        due = await asyncio.to_thread(label_reader.due, self._path, before, AT_ONCE)
        return due, f"{settings.days} days after its last pass"

    async def once(self) -> int:
        """One round; returns how many units were forgotten. A fault of the ledger ends the round, and is told by the ledger."""
        count = 0
        try:
            while (settings := self._settings()).forget != "never":
                due, reason = await self._due(settings)
                for uid in due:
                    await self._ledger.forget(uid, who=AUTOMATIC, reason=reason)
                count += len(due)
                if len(due) < AT_ONCE:
                    break
        except LineFault as fault:
            log.warning("units.unforgotten", fault=fault.code)
        if count:
            log.info("units.forgotten", units=count)
        return count
