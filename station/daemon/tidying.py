# SPDX-License-Identifier: Apache-2.0
"""Keeps the attempts' transcripts within the configured age and size, at the start and then every hour, beside the line's work."""

import asyncio
import time
from collections.abc import Callable, Collection
from pathlib import Path

import structlog

from station.adapters.system import retention
from station.adapters.system.retention import Limits
from station.config.sections import RetentionSection
from station.faults import LineFault

log = structlog.get_logger()

EVERY = 3600.0
DAY = 86400.0
MIB = 1 << 20


class Tidying:
    """`attempts_at_work` and `settings` are asked each time; `check_clock` raises while the clock is contradicted."""

    def __init__(
        self,
        folder: Path,
        settings: Callable[[], RetentionSection],
        attempts_at_work: Callable[[], Collection[int]],
        check_clock: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._attempts_at_work = attempts_at_work
        self._check_clock = check_clock
        self._now = now
        self._due = asyncio.Event()

    def soon(self) -> None:
        """The next round begins now, since the settings have changed."""
        self._due.set()

    async def run(self) -> None:
        """Removes what is too old or too much, until it is cancelled."""
        while True:
            self._due.clear()
            await self.once()
            try:
                async with asyncio.timeout(EVERY):
                    await self._due.wait()
            except TimeoutError:
                pass

    async def once(self) -> None:
        """One round. What cannot be removed is told, and stops nothing."""
        limits = limits_of(self._settings())
        try:
            self._check_clock()
        except LineFault:  # by a wrong clock every transcript may be old
            return
        try:
            found = await asyncio.to_thread(retention.kept, self._folder)
            # Asked after the look: an attempt that begins later has no transcript among those that were found.
            gone = retention.surplus(found, limits, self._attempts_at_work(), self._now())
            removed = await asyncio.to_thread(retention.remove, self._folder, gone)
        except OSError as exc:
            log.warning(
                "transcripts.unremoved", file=exc.filename or str(self._folder), reason=exc.strerror or str(exc)
            )
            return
        if removed:
            log.info("transcripts.removed", files=len(removed), size=sum(each.size for each in removed))


def limits_of(settings: RetentionSection) -> Limits:
    """The settings in seconds and bytes."""
    return Limits(settings.transcript_days * DAY or None, settings.transcripts_mib * MIB or None)
