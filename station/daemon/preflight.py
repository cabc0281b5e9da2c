# SPDX-License-Identifier: Apache-2.0
"""Checks everything that a line needs, before any board is touched and again while the line is paused."""

import time

from station.adapters.partner import script
from station.adapters.pki.relay import Relay
from station.adapters.system import resources
from station.daemon.parts import Parts
from station.faults import LineFault

READ_BACK = 1 << 16  # bytes: more than one run reads from a board


class Preflight:
    """The checks of one daemon."""

    def __init__(self, parts: Parts, slots: int) -> None:
        self._parts = parts
        self._slots = slots
        self._pki_answered: float | None = None

    @property
    def pki_answered_seconds_ago(self) -> float | None:
        """Seconds since the PKI last answered; None before its first answer, and without a PKI."""
        return None if self._pki_answered is None else time.monotonic() - self._pki_answered

    async def check(self) -> None:
        """Raises the fault that keeps the line from working."""
        parts = self._parts
        parts.claims.check()
        await parts.ledger.check()
        await resources.check(self._slots)
        largest = max((len(image.content) for image in parts.recipe.images), default=0)  # a laboratory may flash none
        parts.installation.scratch.check(READ_BACK + largest)
        parts.installation.check_loader()
        try:
            await parts.relay.check()
        except LineFault:
            parts.clock.check()  # with a wrong clock, good certificates look invalid
            raise
        parts.clock.check()
        if isinstance(parts.relay, Relay):
            self._pki_answered = time.monotonic()
        delivery = parts.recipe.delivery
        if delivery is not None and delivery.script is not None:
            await script.check(delivery.script, parts.transcripts.recorder(0))
