# SPDX-License-Identifier: Apache-2.0
"""Onboarding secrets, made ahead in a thread: a verifier is slow on purpose (`SecretSource`)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from station.domain.identity import OnboardingSecrets
from station.matter.onboarding import spake2p
from station.matter.onboarding.passcode import Discriminator, Passcode

Pair = tuple[Passcode, Discriminator]


class NoPairLeft(Exception):
    """The source of pairs has none."""


async def random_pair() -> Pair | None:
    return Passcode.random(), Discriminator.random()


class VerifierPool:
    """Keeps `size` secrets ready, for the length of an `async with` block; for pairs by chance, or for those that `pair` gives.

    `pair` returns None if there is none now. A pair whose secrets nobody took is left to its source.
    """

    def __init__(self, iterations: int, size: int, pair: Callable[[], Awaitable[Pair | None]] = random_pair) -> None:
        self._iterations = iterations
        self._size = size
        self._pair = pair
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verifiers")
        self._ahead: deque[Future[OnboardingSecrets]] = deque()

    async def __aenter__(self) -> Self:
        await self._order(self._size)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._worker.shutdown(cancel_futures=True)  # waits for the secret in the making, some milliseconds

    async def take(self) -> OnboardingSecrets:
        """Secrets that no other unit has. Waits if none are ready, and raises the error if making one failed.

        Raises `NoPairLeft`.
        """
        await self._order(self._size + 1)
        if not self._ahead:
            raise NoPairLeft
        return await asyncio.wrap_future(self._ahead.popleft())

    async def _order(self, count: int) -> None:
        """Has so many in the making or ready, if there are as many pairs."""
        while len(self._ahead) < count and (pair := await self._pair()) is not None:
            self._ahead.append(self._worker.submit(_make, pair, self._iterations))


def _make(pair: Pair, iterations: int) -> OnboardingSecrets:
    passcode, discriminator = pair
    salt = spake2p.random_salt()
    return OnboardingSecrets(
        passcode=passcode,
        discriminator=discriminator,
        salt=salt,
        iterations=iterations,
        verifier=spake2p.verifier(passcode, salt, iterations),
    )
