# SPDX-License-Identifier: Apache-2.0
"""Tokens that are good for a while, and the delay after a wrong PIN. Pure but for the clock and chance.

A PIN buys a token for two minutes, with which a person may change something, or one for the shift, which is good for scans of
labels alone: nobody types a PIN for each unit. Wrong PINs delay the address that they
come from, each twice as long as the one before, and never anybody else.
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Generic, TypeVar

from station.domain.people import Person

SECONDS = 120.0
SHIFT_SECONDS = 8 * 3600.0
LONGEST_DELAY = 60.0
MOST_SESSIONS = 256
MOST_ADDRESSES = 4096
_OF_ONE_PC = 64  # bits

Holder = TypeVar("Holder")


@dataclass(frozen=True, slots=True)
class Delayed(Exception):
    """This address has to wait."""

    seconds: float


@dataclass(slots=True)
class _Guesses:
    """The wrong PINs of one address: how many in a row, and when it may try again."""

    wrong: int = 0
    until: float = 0.0


class Tokens(Generic[Holder]):
    """Tokens that are good for `seconds`, at most `most` of them: the oldest goes. `clock` counts seconds, steadily."""

    def __init__(self, seconds: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._most = most
        self._clock = clock
        self._held: OrderedDict[bytes, tuple[Holder, float]] = OrderedDict()

    def open(self, holder: Holder) -> str:
        """A new token."""
        token = secrets.token_urlsafe(32)
        self._held[_name(token)] = holder, self._clock() + self.seconds
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return token

    def holder(self, token: str) -> Holder | None:
        """Whose token this is, as long as it is good."""
        found = self._held.get(_name(token))
        if found is None:
            return None
        holder, until = found
        if until > self._clock():
            return holder
        del self._held[_name(token)]
        return None

    def left(self, token: str) -> float:
        """Seconds for which the token is still good."""
        found = self._held.get(_name(token))
        return 0.0 if found is None else max(0.0, found[1] - self._clock())

    def close(self, token: str) -> None:
        """Ends the token, if it is one."""
        self._held.pop(_name(token), None)


class Sessions:
    """The tokens of people who change something, and the addresses that have to wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: Tokens[Person] = Tokens(SECONDS, MOST_SESSIONS, clock)
        self._shifts: Tokens[Person] = Tokens(SHIFT_SECONDS, MOST_SESSIONS, clock)
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    def begin_try(self, address: str) -> None:
        """Called before a PIN is looked up, which counts as wrong until `forgive`, so that tries at once gain nothing.

        Raises `Delayed`.
        """
        now, place = self._clock(), place_of(address)
        guesses = self._guesses.pop(place, None) or _Guesses()
        self._guesses[place] = guesses
        if len(self._guesses) > MOST_ADDRESSES:
            self._guesses.popitem(last=False)
        if guesses.until > now:
            raise Delayed(guesses.until - now)
        guesses.wrong += 1
        guesses.until = now + min(2.0 ** (guesses.wrong - 1), LONGEST_DELAY)

    def forgive(self, address: str) -> None:
        """The PIN was right: the address waits no longer."""
        self._guesses.pop(place_of(address), None)

    def delay(self, address: str) -> float:
        """For how many seconds the address has to wait now."""
        guesses = self._guesses.get(place_of(address)) or _Guesses()
        return max(0.0, guesses.until - self._clock())

    def open(self, person: Person, address: str) -> str:
        """The token of a person whose PIN was right."""
        self.forgive(address)
        return self._tokens.open(person)

    def person(self, token: str) -> Person | None:
        """Whose token this is, as long as it is good."""
        return self._tokens.holder(token)

    def open_shift(self, person: Person, address: str) -> str:
        """The token for scans of a person whose PIN was right."""
        self.forgive(address)
        return self._shifts.open(person)

    def on_shift(self, token: str) -> Person | None:
        """Whose token for scans this is, as long as it is good."""
        return self._shifts.holder(token)


def place_of(address: str) -> str:
    """What counts as one address: in IPv6 the network, in which a PC chooses its addresses itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return address if parsed.is_loopback else str(IPv6Network((parsed.packed, _OF_ONE_PC), strict=False))


def _name(token: str) -> bytes:
    """What is kept of a token: whoever reads this process's memory later finds none, and a look-up tells nothing by its time."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
