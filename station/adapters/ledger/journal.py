# SPDX-License-Identifier: Apache-2.0
"""One attempt in the ledger (`interfaces.AttemptJournal`): checks each event against the domain's table, then makes it durable."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from station.adapters.ledger import adoption, attempts, identities, issuance, leases, lots, origin, shared_state
from station.adapters.ledger.adoption import Adopter
from station.adapters.ledger.attempts import Sum
from station.adapters.ledger.custody import Custody
from station.adapters.ledger.pairing import MOST_DRAFTS, PairingKey
from station.adapters.ledger.sharing import Shared
from station.adapters.ledger.vault import Vault
from station.adapters.system.verifiers import NoPairLeft
from station.domain import claiming
from station.domain.attempt import (
    Attempt,
    Event,
    Phase,
    Record,
    StepFinished,
    StepStarted,
    Verdict,
)
from station.domain.claiming import OwnKnowledge, Way
from station.domain.credentials import Credentials
from station.domain.identity import Draft, Identity, IdentityState, NewIdentity, OnboardingSecrets
from station.domain.past import Past
from station.domain.target import UID, Target
from station.domain.work_order import Left, Traced
from station.faults.line import LedgerUnavailable
from station.interfaces import RecordedRecipe, Reports, SecretSource

log = structlog.get_logger()


class Clock:
    """The times of one attempt, from one reading of the date and the monotonic clock, so that setting the date cannot disorder them."""

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
        station: str,
        recipe: RecordedRecipe,
        traced: Traced,
        quarantine_after: int,
        clock: Clock,
        started_at: datetime,
        custody: Custody,
        pairing: PairingKey,
        vault: Vault,
        secrets: SecretSource,
        reports: Reports | None = None,
        shared: Shared | None = None,
    ) -> None:
        self._number = number
        self._station = station
        self._recipe = recipe
        self._traced = traced
        self._quarantine_after = quarantine_after
        self._clock = clock
        self._sum = Sum(started_at, started_at)
        self._custody = custody
        self._pairing = pairing
        self._vault = vault
        self._secrets = secrets
        self._reports = reports
        self._shared = shared

    @property
    def number(self) -> int:
        return self._number

    @property
    def traced(self) -> Traced:
        """The lot and the work order of the attempt: those of its unit, once that is known."""
        return self._traced

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
        """Records an event durably. Raises `ValueError`, and writes nothing, if attempt or identity do not allow the event."""
        await self._append(event)

    async def finish(self, verdict: Verdict) -> None:
        await self._append(verdict)

    async def past_of(self, uid: UID) -> Past:
        return await self._custody.do(partial(origin.past, uid=uid))

    async def find_identity(self, uid: UID) -> Identity | None:
        owned = not self.attempt.laboratory  # a sample is what it was
        return await self._custody.do(partial(identities.find, uid=uid, vault=self._vault, owned=owned))

    async def reserve_identity(self, draft: Draft) -> Identity:
        """Reserves a drafted identity durably; raises the fault of a lot from which no unit may begin."""
        for _ in range(MOST_DRAFTS):  # again only if another unit may have the same passcode and discriminator
            secrets, at = await self._new_secrets(), self._clock.now()
            mark, new = self._pairing.mark(secrets), draft(secrets, at)
            identity, left = await self._custody.do_once(partial(self._reserved, new=new, mark=mark, at=at))
            if left is not None and left.begins_to_end:
                log.warning("lot.ends_soon", lot=left.lot, units_left=left.units, numbers_left=left.numbers)
            if identity is not None:
                return identity
        raise LedgerUnavailable(
            f"{MOST_DRAFTS} new pairs of passcode and discriminator were all taken: this ledger has no room for more units"
        )

    async def sample_identity(self, draft: Draft) -> Identity:
        """An identity for a board that has none and is a sample: it is recorded nowhere, and uses no serial number."""
        new = draft(await self._new_secrets(), self._clock.now())
        if self._shared is not None:  # it stands on a board, and no other may have it
            await self._custody.do(partial(leases.burn, fleet=self._shared.fleet, onboarding=new.secrets))
        return Identity(
            uid=new.uid,
            ordinal=1,
            attempts=1,
            state=IdentityState.RESERVED,
            serial_number="SAMPLE",
            secrets=new.secrets,
            manufacturing_date=new.manufacturing_date,
            rotating_device_id=new.rotating_device_id,
        )

    async def _new_secrets(self) -> OnboardingSecrets:
        try:
            return await self._secrets.take()
        except NoPairLeft:
            assert self._shared is not None  # only the centre's pairs come to an end
            raise self._shared.none_left(self._traced.lot) from None

    def _reserved(
        self, connection: Connection, new: NewIdentity, mark: bytes, at: datetime
    ) -> tuple[Identity | None, Left | None]:
        if self._shared is not None:
            shared_state.check_gives_out(connection, self._station)
        identity = identities.reserve(connection, new, self._recipe, mark, at, self._vault)
        return identity, None if identity is None else lots.left_of(connection, identity.uid)

    async def claim(self, target: Target) -> None:
        """Asks the centre about the board unless this ledger knows it as it is, and takes it over (`domain.claiming`)."""
        shared, uid, key = self._shared, target.uid, target.agent_key
        if shared is None or self.attempt.laboratory:
            return
        own = await self._custody.do(partial(self._knowledge, uid=uid))
        if own.suffices(key):
            return
        answer = None if shared.claims is None else await shared.claims.claim(uid)
        way = claiming.way(uid, key, own, answer, self._station)
        if answer is None or way is not Way.ADOPT:
            return
        by = Adopter(self._pairing, self._vault, self._recipe)
        await self._custody.do_once(partial(adoption.adopt, claim=answer, by=by, at=self._clock.now()))
        log.info("unit.adopted", uid=str(uid))

    def _knowledge(self, connection: Connection, uid: UID) -> OwnKnowledge:
        shared_state.check_gives_out(connection, self._station)
        return adoption.knowledge(connection, uid, self._number)

    async def adopt(self, credentials: Credentials, uid: UID) -> None:
        """Records the certificate as this board's, durably; raises `KeyShared` when the key is another's."""
        await self._custody.do_once(partial(issuance.adopt, credentials=credentials, uid=uid, at=self._clock.now()))

    async def _append(self, event: Event) -> None:
        before = self._sum
        # Set before the wait, since the queued work is carried out even if this attempt is cancelled meanwhile.
        self._sum = now = before.after(self._clock.now(), event)
        try:
            work = partial(
                attempts.append,
                number=self._number,
                event=event,
                now=now,
                reports=self._reports,
                quarantine_after=self._quarantine_after,
            )
            followed = await (self._custody.do_anyhow(work) if isinstance(event, Verdict) else self._custody.do(work))
        except ValueError:
            self._sum = before  # the identity's table refused, and nothing was written
            raise
        self._traced = followed.traced or self._traced
        if followed.quarantined:
            log.warning("unit.quarantined", fault=self.attempt.fault)
        if self._reports is not None and type(event) in self._reports.wanted:
            self._reports.written()
