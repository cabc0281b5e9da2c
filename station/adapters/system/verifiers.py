# SPDX-License-Identifier: Apache-2.0
"""Onboarding secrets, made ahead in a thread: a verifier is slow on purpose (`SecretSource`)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from station.domain.identity import OnboardingSecrets
from station.faults import LineFault
from station.matter.onboarding import spake2p
from station.matter.onboarding.passcode import Discriminator, Passcode


class VerifierPool:
    """Keeps `size` secrets ready, for the length of an `async with` block."""

    def __init__(self, iterations: int, size: int) -> None:
        self._iterations = iterations
        self._size = size
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verifiers")
        self._ahead: deque[Future[OnboardingSecrets]] = deque()

    async def __aenter__(self) -> Self:
        for _ in range(self._size):
            self._order()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._worker.shutdown(cancel_futures=True)  # waits for the secret in the making, some milliseconds

    async def take(self) -> OnboardingSecrets:
        """Secrets that no other unit has. Waits if none are ready, and raises the error if making one failed."""
        self._order()
        return await asyncio.wrap_future(self._ahead.popleft())

    def _order(self) -> None:
        self._ahead.append(self._worker.submit(_make, self._iterations))


class PairedSecrets:
    """The same with pairs of passcode and discriminator from elsewhere, for the length of an `async with` block.

    `pair` returns the next pair, or None if there is none now, for which `take` raises the fault that `none_left` makes.
    """

    def __init__(
        self,
        iterations: int,
        size: int,
        pair: Callable[[], Awaitable[tuple[Passcode, Discriminator] | None]],
        none_left: Callable[[], LineFault],
    ) -> None:
        self._iterations = iterations
        self._size = size
        self._pair = pair
        self._none_left = none_left
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verifiers")
        self._ahead: deque[Future[OnboardingSecrets]] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._worker.shutdown(cancel_futures=True)

    async def take(self) -> OnboardingSecrets:
        """Secrets with a pair that no other unit has; raises the fault that says why there is none."""
        while len(self._ahead) <= self._size and (pair := await self._pair()) is not None:
            self._ahead.append(self._worker.submit(_made, self._iterations, *pair))
        if not self._ahead:
            raise self._none_left()
        return await asyncio.wrap_future(self._ahead.popleft())


def _make(iterations: int) -> OnboardingSecrets:
    return _made(iterations, Passcode.random(), Discriminator.random())


def _made(iterations: int, passcode: Passcode, discriminator: Discriminator) -> OnboardingSecrets:
    salt = spake2p.random_salt()
    return OnboardingSecrets(
        passcode=passcode,
        discriminator=discriminator,
        salt=salt,
        iterations=iterations,
        verifier=spake2p.verifier(passcode, salt, iterations),
    )
