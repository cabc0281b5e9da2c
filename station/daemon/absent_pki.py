# SPDX-License-Identifier: Apache-2.0
"""Stands in for the PKI and the secret source where the recipe needs neither. Using it is a bug of the station."""

from station.domain.credentials import Credentials
from station.domain.identity import OnboardingSecrets
from station.domain.target import UID


class WithoutPKI:
    """`interfaces.Authority` and `interfaces.SecretSource`."""

    async def check(self) -> None:
        """Raises nothing, since there is no PKI to be unavailable."""

    async def check_askable(self, uid: UID) -> None:
        """Raises nothing, since nobody is asked."""

    async def askable(self, uid: UID) -> None:
        """Waits for nothing."""

    async def issue_dac(self, csr: bytes, uid: UID) -> Credentials:  # noqa: ARG002  the port's signature
        raise ValueError("this recipe has no PKI")

    async def take(self) -> OnboardingSecrets:
        raise ValueError("this recipe makes no onboarding secrets")
