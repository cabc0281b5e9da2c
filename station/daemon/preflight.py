# SPDX-License-Identifier: Apache-2.0
"""The checks that run before the first board is touched, and again while the line is paused."""

import time

from station.adapters.partner import script
from station.adapters.pki.relay import Relay
from station.adapters.system import resources
from station.daemon.parts import Parts
from station.faults import LineFault

READ_BACK = 1 << 16  # bytes, more than one run reads from a board


class Preflight:
    """The checks of one daemon."""

    def __init__(self, parts: Parts, slots: int) -> None:
        self._parts = parts
        self._slots = slots

    @property
    def pki_answered_seconds_ago(self) -> float | None:
        """Seconds since the PKI's last answer; None before the first one, and without a PKI."""
        relay = self._parts.relay
        answered = relay.answered if isinstance(relay, Relay) else None
        return None if answered is None else time.monotonic() - answered

    async def check(self) -> None:
        """Raises the fault that prevents the line from working."""
        parts = self._parts
        parts.claims.check()
        parts.revocations.check()
        parts.mes.check()
        await parts.mes.check_up()
        if parts.shared is not None:
            parts.shared.check()
        await parts.ledger.check()
        await resources.check(self._slots)
        # A laboratory may flash no image.
        largest = max((len(image.content) for image in parts.recipe.images), default=0)
        parts.installation.scratch.check(READ_BACK + largest)
        parts.installation.check_loader()
        try:
            await parts.relay.check()
        except LineFault:
            parts.clock.check()  # a wrong clock makes good certificates invalid
            raise
        parts.clock.check()
        delivery = parts.recipe.delivery
        if delivery is not None and delivery.script is not None:
            await script.check(delivery.script, parts.transcripts.recorder(0))
