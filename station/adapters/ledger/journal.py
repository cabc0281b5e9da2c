# SPDX-License-Identifier: Apache-2.0
"""One attempt in the ledger: the domain's table is asked first, then the event is made durable (`interfaces.AttemptJournal`)."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from station.adapters.ledger import attempts, identities, issuance, origin
from station.adapters.ledger.attempts import Sum
from station.adapters.ledger.custody import Custody
from station.adapters.ledger.identities import Reservation
from station.adapters.ledger.pairing import PairingKey
from station.domain.attempt import (
    Attempt,
    CredentialsFound,
    Event,
    LaboratoryUnit,
    Phase,
    Record,
    StepFinished,
    StepStarted,
    Verdict,
)
from station.domain.identity import Identity
from station.domain.target import UID, Target
from station.factory_data.device_information import random_rotating_device_id
from station.interfaces import SecretSource
from station.recipe.recipe import Delivered, Recipe

log = structlog.get_logger()


class Clock:
    """Moments of one attempt: the date is read once, so that they follow one another even if somebody sets the clock."""

    def __init__(self) -> None:
        self._epoch = datetime.now(UTC) - timedelta(seconds=time.monotonic())

    def now(self) -> datetime:
        moment = self._epoch + timedelta(seconds=time.monotonic())
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)  # as the ledger keeps it


class AttemptJournal:
    """An attempt in the ledger, from its first event to its verdict."""

    def __init__(
        self,
        number: int,
        clock: Clock,
        started_at: datetime,
        custody: Custody,
        pairing: PairingKey,
        secrets: SecretSource,
    ) -> None:
        self._number = number
        self._clock = clock
        self._sum = Sum(started_at, started_at)
        self._custody = custody
        self._pairing = pairing
        self._secrets = secrets

    @property
    def number(self) -> int:
        return self._number

    @property
    def attempt(self) -> Attempt:
        return self._sum.attempt

    @asynccontextmanager
    async def step(self, phase: Phase) -> AsyncIterator[None]:
        """Journals the step durably before its body runs, and its end with its seconds unless the body raises."""
        await self._append(StepStarted(phase))
        log.info("step.started", step=phase.value)
        began = time.monotonic()
        yield
        seconds = round(time.monotonic() - began, 3)
        await self._append(StepFinished(phase, seconds))
        log.info("step.finished", step=phase.value, seconds=seconds)

    async def record(self, event: Record) -> None:
        """`ValueError` where attempt or identity do not allow the event; nothing is written then."""
        await self._append(event)

    async def finish(self, verdict: Verdict) -> None:
        await self._append(verdict)

    async def check_ours(self, target: Target) -> None:
        """Raises `UnitElsewhere` where the board has a key that this ledger cannot have given it, unless it was released."""
        if target.agent_key is not None:
            await self._custody.do(partial(origin.check, uid=target.uid, key=target.agent_key))

    async def reserve_identity(self, target: Target, recipe: Recipe) -> Identity:
        """The board's own, or a new one, or the laboratory's; raises `LotExhausted` or `SerialNumberTaken`."""
        if recipe.given is not None:
            await self._append(LaboratoryUnit())
            return recipe.given.of(target.uid)
        identity = await self._custody.do(partial(identities.find, uid=target.uid))
        while identity is None:  # once, but for the rare pair of passcode and discriminator that another unit has
            secrets = await self._secrets.take()
            pairing_hash = self._pairing.hash_of(secrets)
            new = Reservation(
                uid=target.uid,
                lot=recipe.lot,
                secrets=secrets,
                pairing_hash=pairing_hash,
                rotating_device_id=random_rotating_device_id(),
                at=self._clock.now(),
            )
            identity = await self._custody.do_once(partial(identities.reserve, new=new))
        return identity

    async def adopt(self, delivered: Delivered, uid: UID) -> None:
        """Durably this board's from now on, but for a laboratory's unit; raises `KeyShared` when the key is another's."""
        credentials = delivered.credentials
        if credentials.are_development and not self.attempt.laboratory:
            await self._append(LaboratoryUnit())
        if not self.attempt.laboratory:
            adopting = partial(issuance.adopt, credentials=credentials, uid=uid, at=self._clock.now())
            await self._custody.do_once(adopting)
        found = CredentialsFound(credentials.key, credentials.dac_serial_number, delivered.key_storage)
        await self._append(found)

    async def _append(self, event: Event) -> None:
        before = self._sum
        # Known before the wait: what is queued is carried out even if this attempt is cancelled meanwhile.
        self._sum = now = before.after(self._clock.now(), event)
        try:
            work = partial(attempts.append, number=self._number, event=event, now=now)
            await (self._custody.do_anyhow(work) if isinstance(event, Verdict) else self._custody.do(work))
        except ValueError:
            self._sum = before  # the identity's table refused, and nothing was written
            raise
