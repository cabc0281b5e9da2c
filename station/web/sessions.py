# SPDX-License-Identifier: Apache-2.0
"""A PIN buys a token for two minutes, with which a person may change something. Pure but for the clock and chance.

Wrong PINs delay the address that they come from, each twice as long as the one before, and never anybody else.
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from station.domain.people import Person

SECONDS = 120.0
LONGEST_DELAY = 60.0
MOST_SESSIONS = 256
MOST_ADDRESSES = 4096


@dataclass(frozen=True, slots=True)
class Delayed(Exception):
    """This address has to wait."""

    seconds: float


@dataclass(slots=True)
class _Guesses:
    """The wrong PINs of one address: how many in a row, and when it may try again."""

    wrong: int = 0
    until: float = 0.0


class Sessions:
    """The tokens that are good now, and the addresses that have to wait. `clock` counts seconds, steadily."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[bytes, tuple[Person, float]] = OrderedDict()
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    def begin_try(self, address: str) -> None:
        """Called before a PIN is looked up, which counts as wrong until `open`, so that tries at once gain nothing.

        Raises `Delayed`.
        """
        now = self._clock()
        guesses = self._guesses.pop(address, None) or _Guesses()
        self._guesses[address] = guesses
        if len(self._guesses) > MOST_ADDRESSES:
            self._guesses.popitem(last=False)
        if guesses.until > now:
            raise Delayed(guesses.until - now)
        guesses.wrong += 1
        guesses.until = now + min(2.0 ** (guesses.wrong - 1), LONGEST_DELAY)

    def delay(self, address: str) -> float:
        """For how many seconds the address has to wait now."""
        guesses = self._guesses.get(address) or _Guesses()
        return max(0.0, guesses.until - self._clock())

    def open(self, person: Person, address: str) -> str:
        """The token of a person whose PIN was right."""
        self._guesses.pop(address, None)
        token = secrets.token_urlsafe(32)
        self._sessions[_name(token)] = person, self._clock() + SECONDS
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def person(self, token: str) -> Person | None:
        """Whose token this is, as long as it is good."""
        found = self._sessions.get(_name(token))
        if found is None:
            return None
        person, until = found
        if until > self._clock():
            return person
        del self._sessions[_name(token)]
        return None


def _name(token: str) -> bytes:
    """What is kept of a token: whoever reads this process's memory later finds none, and a look-up tells nothing by its time."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
