# SPDX-License-Identifier: Apache-2.0
"""Onboarding secrets of units that could be commissioned."""

from dataclasses import replace

from station.domain.identity import OnboardingSecrets
from station.matter.onboarding import spake2p
from tests.builders.bench import Secrets


class TrueSecrets(Secrets):
    """Secrets whose verifier is their passcode's."""

    async def take(self) -> OnboardingSecrets:
        made = await super().take()
        return replace(made, verifier=spake2p.verifier(made.passcode, made.salt, made.iterations))
