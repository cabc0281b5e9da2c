# SPDX-License-Identifier: Apache-2.0
"""The daemon with a clock for the MES that a test moves on: `python -m tests.mes.steered_daemon run --config …`.

The file that STEERED_CLOCK names has the seconds by which that clock is ahead of this computer's.
"""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from station import __main__
from station.adapters.outbox.pump import Clock
from station.daemon import mes

VARIABLE = "STEERED_CLOCK"
LOOKED_EVERY = 0.02


class SteeredClock(Clock):
    """Ends its waits when the test's time has come."""

    def __init__(self) -> None:
        self._file = Path(os.environ[VARIABLE])

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self._file.read_text(encoding="ascii")))

    async def wait(self, news: asyncio.Event, seconds: float) -> None:
        until = self.now() + timedelta(seconds=seconds)
        while not news.is_set() and self.now() < until:
            await asyncio.sleep(LOOKED_EVERY)


class Steering:
    """The test's end of that clock."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock"
        self.seconds = 0.0
        self.forward(0)

    def forward(self, seconds: float) -> None:
        self.seconds += seconds
        begun = self.file.with_suffix(".new")
        begun.write_text(str(self.seconds), encoding="ascii")
        begun.replace(self.file)


if __name__ == "__main__":
    with patch.object(mes, "SystemClock", SteeredClock):
        __main__.main()
