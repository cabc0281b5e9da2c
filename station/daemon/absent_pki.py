# SPDX-License-Identifier: Apache-2.0
"""Stands in for the PKI and the secret source where the recipe needs neither. Using it is a bug of the station."""

from station.domain.credentials import Credentials
from station.domain.identity import OnboardingSecrets
from station.domain.target import UID


class WithoutPKI:
    """`interfaces.Authority` and `interfaces.SecretSource`."""

    async def check(self) -> None:
        """Nothing can be unavailable."""

    async def issue_dac(self, csr: bytes, uid: UID) -> Credentials:  # noqa: ARG002  the port's signature
        raise ValueError("there is no PKI in this work")

    async def take(self) -> OnboardingSecrets:
        raise ValueError("there are no identities to be made in this work")
