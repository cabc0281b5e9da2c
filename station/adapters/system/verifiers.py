# SPDX-License-Identifier: Apache-2.0
"""Onboarding secrets, made ahead in a thread: a verifier is slow on purpose (`SecretSource`)."""

import asyncio
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from station.domain.identity import OnboardingSecrets
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


def _make(iterations: int) -> OnboardingSecrets:
    passcode, salt = Passcode.random(), spake2p.random_salt()
    return OnboardingSecrets(
        passcode=passcode,
        discriminator=Discriminator.random(),
        salt=salt,
        iterations=iterations,
        verifier=spake2p.verifier(passcode, salt, iterations),
    )
