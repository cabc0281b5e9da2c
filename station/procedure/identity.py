# SPDX-License-Identifier: Apache-2.0
"""Decides whether a board belongs to this ledger, which identity and certificates it has, and whether it is a laboratory unit."""

import secrets
from datetime import datetime

from station.domain.attempt import CredentialsFound, LaboratoryUnit
from station.domain.identity import Identity, NewIdentity, OnboardingSecrets
from station.domain.target import UID, Target
from station.factory_data.device_information import ROTATING_DEVICE_ID_SIZE
from station.interfaces import AttemptLedger, Route
from station.procedure.job import Job
from station.recipe.recipe import Delivered, Recipe


async def check_ours(target: Target, ledger: AttemptLedger) -> None:
    """Raises `UnitElsewhere` if the board has a key that this ledger cannot have given it and nobody has released the board."""
    if target.agent_key is not None:
        (await ledger.past_of(target.uid)).check_ours(target.uid, target.agent_key)


async def admit(job: Job, target: Target) -> None:
    """Takes samples, which are not counted. Raises `SamplesAreDue`, `UnitQuarantined` or `UnitScrapped` for other boards."""
    if await job.is_sample(target):
        await mark_laboratory(job.ledger)
    else:
        await check_not_put_away(target.uid, job.ledger)


async def claim(job: Job, target: Target) -> bool:
    """Asks the stations' centre about a board that this ledger does not know as it is, unless all boards get one given identity.

    Returns whether the board's factory data must still prove that it is as this ledger left it.
    """
    return job.recipe.given is None and await job.ledger.claim(target)


async def check_not_put_away(uid: UID, ledger: AttemptLedger) -> None:
    """Raises `UnitQuarantined` or `UnitScrapped` if the unit must not be touched."""
    (await ledger.past_of(uid)).disposition.check(uid)


async def check_routed(uid: UID, route: Route | None, ledger: AttemptLedger) -> None:
    """Asks the MES whether this board belongs here now, unless it is a sample. Raises `NotRouted`, or `MESUnavailable` if the line waits."""
    if route is not None and not ledger.attempt.laboratory:
        identity = await ledger.find_identity(uid)
        await ledger.record(await route.check(uid, identity.serial_number if identity else None))


async def identity_of(uid: UID, recipe: Recipe, ledger: AttemptLedger) -> Identity:
    """The board's identity: the one in the ledger, a new one, or the fixed one of a recipe for the laboratory."""
    if recipe.given is not None:
        await mark_laboratory(ledger)
        return recipe.given.of(uid)

    def draft(onboarding: OnboardingSecrets, at: datetime) -> NewIdentity:
        return NewIdentity.of(uid, recipe.lot, onboarding, at=at, random=secrets.token_bytes(ROTATING_DEVICE_ID_SIZE))

    make = ledger.sample_identity if ledger.attempt.laboratory else ledger.reserve_identity
    return await ledger.find_identity(uid) or await make(draft)


async def adopt(delivered: Delivered, uid: UID, ledger: AttemptLedger) -> None:
    """Records the delivered certificates as this board's. ST's development DAC makes it a laboratory unit, which owns none."""
    credentials = delivered.credentials
    if credentials.are_development:
        await mark_laboratory(ledger)
    if not ledger.attempt.laboratory:
        await ledger.adopt(credentials, uid)
    await ledger.record(CredentialsFound(credentials.key, credentials.dac_serial_number, delivered.key_storage))


async def mark_laboratory(ledger: AttemptLedger) -> None:
    """Journals that this attempt makes a laboratory unit. No other code writes that event."""
    if not ledger.attempt.laboratory:
        await ledger.record(LaboratoryUnit())
