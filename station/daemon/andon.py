# SPDX-License-Identifier: Apache-2.0
"""Shows the line on a lamp: looks at the slots as the page does, tells the program of `[andon]`, and starts it again once it is lost.

Nothing of it costs the line anything: the program is never waited for.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

import structlog

from station.adapters.andon.lamp import Lamp, LampLost
from station.line.status import AndonStatus
from station.web.door import Door
from station.web.hub import LOOK_EVERY, LOOKS_PER_BEAT
from station.web.models import Line
from station.web.signals import beat_line, state_line

log = structlog.get_logger()

AGAIN_AFTER, AT_MOST = 1.0, 60.0  # seconds; doubled each time, until the program has lived for the longest pause


class Andon:
    """`command` is the program with its arguments."""

    def __init__(self, door: Door, command: Sequence[str]) -> None:
        self._door = door
        self._command = command
        self._up = False
        self._reason: str | None = None

    @property
    def status(self) -> AndonStatus:
        return AndonStatus(up=self._up, reason=self._reason)

    async def run(self) -> None:
        """Keeps the lamp lit until it is cancelled."""
        pause = AGAIN_AFTER
        while True:
            began = time.monotonic()
            try:
                async with Lamp.lit(self._command) as lamp:
                    log.info("andon.started")
                    self._up, self._reason = True, None
                    await self._feed(lamp)
            except LampLost as exc:
                self._reason = str(exc)
            except Exception as exc:  # a bug of ours, which the line's tasks in the same group must not pay for
                self._reason = type(exc).__name__
                log.exception("andon.failed")
            finally:
                self._up = False
            if time.monotonic() - began >= AT_MOST:
                pause = AGAIN_AFTER
            log.warning("andon.lost", reason=self._reason, seconds=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, AT_MOST)

    async def _feed(self, lamp: Lamp) -> None:
        """Tells each change, and beats once a second: only after a look, as the page's beat."""
        sight, looks = _Sight(self._door), 0
        while True:
            if (line := sight.change()) is not None:
                lamp.tell(line)
            if looks % LOOKS_PER_BEAT == 0:
                lamp.look()
                lamp.tell(beat_line())
            looks += 1
            await lamp.listen(LOOK_EVERY)


class _Sight:
    """What one program has been told."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._marks: Mapping[str, object] = {}
        self._states: dict[str, str] = {}
        self._told: tuple[Line, dict[str, str]] | None = None

    def change(self) -> bytes | None:
        """The whole state if something has changed since the last look."""
        marks = self._door.marks()
        changed = [name for name, mark in marks.items() if self._marks.get(name) != mark]
        self._marks = marks
        self._states |= {name: self._door.slot(name).state for name in changed}
        now = self._door.line(), dict(self._states)
        if now == self._told:
            return None
        self._told = now
        return state_line(self._door.about.station, *now)
