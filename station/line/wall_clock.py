# SPDX-License-Identifier: Apache-2.0
"""Checks this computer's clock, which manufacturing dates and all times in the ledger depend on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from station.domain.attempt import ClockAccepted
from station.faults.line import ClockContradicted

log = structlog.get_logger()

TOLERANCE = timedelta(days=1)
LEDGER, PKI = "the ledger's last entry", "the PKI"


def check_against_ledger(now: datetime, last_entry: datetime | None) -> None:
    """Raises `ClockContradicted` if the ledger's last entry is more than a day later than now."""
    if last_entry is not None and now < last_entry - TOLERANCE:
        raise ClockContradicted(_shown(now), LEDGER, _shown(last_entry))


class WallClock:
    """The clock, checked against the time of the ledger's last entry and the PKI's time."""

    def __init__(self, last_entry: datetime | None, pki_time: Callable[[], datetime | None]) -> None:
        self._last_entry = last_entry
        self._pki_time = pki_time
        self._accepted: ClockAccepted | None = None

    def check(self) -> None:
        """Raises `ClockContradicted`. It is cheap and runs before every attempt."""
        now = datetime.now(UTC)
        self._check_against_pki(now)
        check_against_ledger(now, self._last_entry)

    def accept(self, *, pki_needed: bool) -> None:
        """Accepts the clock on a person's word, which means that a wrong clock made the ledger's last entry.

        Raises `ClockContradicted` if the PKI's time differs, or is unknown although `pki_needed`.
        """
        now, there, last = datetime.now(UTC), self._pki_time(), self._last_entry
        if there is None and pki_needed:
            raise ClockContradicted(_shown(now), PKI, "unknown yet")
        self._check_against_pki(now)
        if last is not None and now < last - TOLERANCE:
            self._accepted = ClockAccepted(_shown(now), _shown(last), _shown(there) if there else "none")
            self._last_entry = None
            log.warning("clock.accepted", clock=_shown(now), last_entry=_shown(last), pki=self._accepted.pki)

    def _check_against_pki(self, now: datetime) -> None:
        there = self._pki_time()
        if there is not None and abs(there - now) > TOLERANCE:
            raise ClockContradicted(_shown(now), PKI, _shown(there))

    def entered(self) -> ClockAccepted | None:
        """Notes that an attempt has begun now. Returns an event that its journal must record first, or None."""
        self._last_entry = datetime.now(UTC)
        accepted, self._accepted = self._accepted, None
        return accepted


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
