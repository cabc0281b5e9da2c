# SPDX-License-Identifier: Apache-2.0
"""Pauses between requests: as the PKI asks for them by Retry-After, kept over attempts and restarts, else a random back-off."""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from station.interfaces import IssuanceJournal

LONGEST_WAIT = 86_400.0  # seconds; a PKI that asks for more is asked again after a day
_random = secrets.SystemRandom()
_BEGAN = datetime.now(UTC), time.monotonic()


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, and how many requests may be at the PKI at once."""

    answer_within: float = 30.0
    """One board's whole wait: for its turn at the PKI, for every request, and for the pauses between requests."""
    reply_within: float = 10.0
    """A stopping station waits so long for the answers to its last requests."""
    first_pause: float = 0.25
    longest_pause: float = 8.0
    least_pause: float = 0.1
    """No pause is shorter, whatever the PKI asks for."""
    least_decision: float = 1.0
    """Between two questions about a pending request, doubled each time up to `longest_decision`, unless the PKI asks for more."""
    longest_decision: float = 60.0
    at_once: int = 8

    def pause(self, asked: int, after: float | None) -> float:
        """Until the next try: as the PKI asked, else a random time up to a limit that doubles each time."""
        if after is not None:
            return max(self.least_pause, min(after, LONGEST_WAIT) * _random.uniform(1.0, 1.1))
        limit = min(self.longest_pause, self.first_pause * 2.0 ** min(asked - 1, 60))
        return max(self.least_pause, _random.uniform(0.0, limit))

    def until_decided(self, asked: int, after: float | None) -> float:
        """Until the next question about a request that the PKI decides later."""
        patience = min(self.longest_decision, self.least_decision * 2.0 ** min(asked - 1, 60))
        return max(patience, min(after or 0.0, LONGEST_WAIT))


class Waits:
    """The time before which one endpoint does not want to be asked."""

    def __init__(self, journal: IssuanceJournal, endpoint: str) -> None:
        self._journal = journal
        self._endpoint = endpoint
        self._until: datetime | None = None
        self._known = False

    async def left(self) -> float:
        """Seconds to wait; 0 if the endpoint may be asked."""
        if not self._known:
            self._until, self._known = await self._journal.waiting_until(self._endpoint), True
        return seconds_until(self._until)

    @property
    def left_as_known(self) -> float:
        """Seconds to wait, as far as they are known without the journal."""
        return seconds_until(self._until)

    async def ask(self, seconds: float) -> None:
        """The endpoint has asked for a pause."""
        self._until, self._known = in_seconds(seconds), True
        await self._journal.record_wait(self._endpoint, self._until)

    async def forgive(self) -> None:
        """A person has looked at the PKI: it may be asked now."""
        if await self.left() > 0:
            await self.ask(0.0)


def in_seconds(seconds: float) -> datetime:
    """That time by this process's clock, see `seconds_until`."""
    return _now() + timedelta(seconds=seconds)


def seconds_until(moment: datetime | None) -> float:
    """0 for None and for a time past.

    By the wall clock as it was at this process's start, and has gone on since: whoever sets it meanwhile, or NTP, moves no wait. Times
    of an earlier process may be by another clock, so it is never more than `LONGEST_WAIT`.
    """
    return 0.0 if moment is None else min(max((moment - _now()).total_seconds(), 0.0), LONGEST_WAIT)


def _now() -> datetime:
    wall, monotonic = _BEGAN
    return wall + timedelta(seconds=time.monotonic() - monotonic)
