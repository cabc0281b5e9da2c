# SPDX-License-Identifier: Apache-2.0
"""Decides whether a board belongs to this ledger, which identity and certificates it has, and whether it is a laboratory unit."""

import secrets
from datetime import datetime

from station.domain.attempt import CredentialsFound, LaboratoryUnit
from station.domain.identity import Identity, NewIdentity, OnboardingSecrets
from station.domain.target import UID, Target
from station.factory_data.device_information import ROTATING_DEVICE_ID_SIZE
from station.interfaces import AttemptLedger
from station.recipe.recipe import Delivered, Recipe


async def check_ours(target: Target, ledger: AttemptLedger) -> None:
    """Raises `UnitElsewhere` if the board holds a key but this ledger has neither provisioned nor released it."""
    if target.agent_key is not None:
        (await ledger.past_of(target.uid)).check_ours(target.uid, target.agent_key)


async def identity_of(uid: UID, recipe: Recipe, ledger: AttemptLedger) -> Identity:
    """Returns the identity that the recipe gives to every board; else the board's own from the ledger; else a new one."""
    if recipe.given is not None:
        await mark_laboratory(ledger)
        return recipe.given.of(uid)

    def draft(onboarding: OnboardingSecrets, at: datetime) -> NewIdentity:
        return NewIdentity.of(uid, recipe.lot, onboarding, at=at, random=secrets.token_bytes(ROTATING_DEVICE_ID_SIZE))

    return await ledger.find_identity(uid) or await ledger.reserve_identity(draft)


async def adopt(delivered: Delivered, uid: UID, ledger: AttemptLedger) -> None:
    """Records the delivered certificates as this board's; raises `KeyShared` if the key is another board's.

    ST's development DAC is on many boards, so it marks a laboratory unit and becomes nobody's certificate.
    """
    credentials = delivered.credentials
    if credentials.are_development:
        await mark_laboratory(ledger)
    if not ledger.attempt.laboratory:
        await ledger.adopt(credentials, uid)
    await ledger.record(CredentialsFound(credentials.key, credentials.dac_serial_number, delivered.key_storage))


async def mark_laboratory(ledger: AttemptLedger) -> None:
    """Journals that this attempt makes a laboratory unit; no other function records that event."""
    if not ledger.attempt.laboratory:
        await ledger.record(LaboratoryUnit())
