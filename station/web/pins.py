# SPDX-License-Identifier: Apache-2.0
"""PINs that people type, whatever for: one look-up at a time, and one delay for an address that types wrong ones."""

import asyncio
import time
from collections.abc import Callable

import structlog

from station.adapters.system.people_file import PeopleFile
from station.domain.people import Person
from station.web.aside import aside
from station.web.sessions import Sessions

log = structlog.get_logger()


class PINs:
    """Whose PIN it is. `sessions` has the tokens of those who change something, and the delays."""

    def __init__(self, people: PeopleFile, clock: Callable[[], float] = time.monotonic) -> None:
        self.people = people
        self.clock = clock
        self.sessions = Sessions(clock)
        self._turn = asyncio.Lock()

    async def owner(self, pin: str, address: str) -> Person | None:
        """Whose PIN this is; a wrong one delays the address. Raises `Delayed` or `PeopleUnusable`."""
        self.sessions.begin_try(address)
        async with self._turn:  # each takes memory and a core for a moment
            person = await aside(self.people.by_pin, pin)
        if person is None:
            log.warning("web.pin_wrong", address=address)
        else:
            self.sessions.forgive(address)
        return person

    async def bearer(self, authorization: str, *, scans: bool = False) -> Person | None:
        """Who sends this `Authorization`: somebody with a token that a PIN has bought, or a program. Raises `PeopleUnusable`.

        For `scans`, a token for the shift is good, too, as long as its owner is among the people.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        person = self.sessions.on_shift(token) if scans else None
        if person is not None:
            return person if person in await aside(self.people.people) else None
        return self.sessions.person(token) or await aside(self.people.by_token, token)
