# SPDX-License-Identifier: Apache-2.0
"""One attempt in the ledger (`interfaces.AttemptJournal`): checks each event against the domain's table, then makes it durable.

An event on which nothing rests before the attempt's next unit of work is written by that one.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NoReturn, TypeVar

import structlog
from sqlalchemy import Connection

from station.adapters.ledger import (
    adoption,
    attempts,
    identities,
    issuance,
    leases,
    lots,
    origin,
    shared_state,
    soundness,
)
from station.adapters.ledger.adoption import Adopter
from station.adapters.ledger.attempts import Entry, Followed, Sum
from station.adapters.ledger.custody import Custody
from station.adapters.ledger.driver import Savepoint
from station.adapters.ledger.issuance_ledger import IssuanceLedger
from station.adapters.ledger.pairing import MOST_DRAFTS, PairingKey
from station.adapters.ledger.sharing import Shared
from station.adapters.ledger.vault import Vault
from station.adapters.ledger.writer import UnitOfWork
from station.adapters.system.verifiers import NoPairLeft
from station.domain import claiming
from station.domain.attempt import (
    Attempt,
    Confirmed,
    CoprocessorReady,
    CredentialsChosen,
    CredentialsDelivered,
    CSRReceived,
    Event,
    IdentityReserved,
    Phase,
    ProcedureChosen,
    Record,
    StepFinished,
    StepStarted,
    UnitIdentified,
    Verdict,
)
from station.domain.claiming import OwnKnowledge, Way
from station.domain.credentials import Credentials
from station.domain.identity import Draft, Identity, IdentityState, NewIdentity, OnboardingSecrets
from station.domain.issuance import Asked
from station.domain.past import Past
from station.domain.target import UID, Target
from station.domain.work_order import Left, Traced
from station.faults import Fault, LineFault
from station.faults.line import LedgerUnavailable
from station.interfaces import RecordedRecipe, Reports, SecretSource

log = structlog.get_logger()

T = TypeVar("T")

# The next step, look-up or verdict is asked for at once and is durable before its caller goes on, so these events are durable
# before anything is done to the board. If the daemon is killed before, they are lost, and the attempt is void.
WITH_THE_NEXT: frozenset[type[Event]] = frozenset(
    {
        StepFinished,
        UnitIdentified,
        IdentityReserved,
        ProcedureChosen,
        CoprocessorReady,
        CSRReceived,
        CredentialsChosen,
        CredentialsDelivered,
        Confirmed,
    }
)


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
        begun: Sum,
        custody: Custody,
        requests: IssuanceLedger,
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
        self._sum = self._written = begun  # `_written` without the events in `_held`
        self._first: Phase | None = begun.attempt.phase  # until it is entered
        self._held: list[Entry] = []
        self._custody = custody
        self._requests = requests
        self._pairing = pairing
        self._vault = vault
        self._secrets = secrets
        self._reports = reports
        self._shared = shared
        self._own: tuple[UID, OwnKnowledge] | None = None
        """What the ledger knew of the board when it was last asked for its past, for the claim that comes next."""
        self._found: tuple[UID, Identity | None] | None = None
        """The board's identity as it was then, for whoever asks for that next."""

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
    async def step(self, phase: Phase, *intents: Record) -> AsyncIterator[None]:
        """Journals the step and its intents durably, at once, before its body runs; its end with its seconds with the next event.

        The attempt was begun with its first step, which is not journaled again. A body that raises leaves the step open.
        """
        first, self._first = self._first, None
        if first is None:
            await self._append(StepStarted(phase), *intents)
        elif phase is not first or intents:
            msg = f"the attempt has begun with {first.value} alone, not with {phase.value}"
            raise ValueError(msg)
        else:
            self._custody.check_files()  # an attempt is begun without that, and no board is touched without it
        log.info("step.started", step=phase.value)
        began = time.monotonic()
        yield
        seconds = round(time.monotonic() - began, 3)
        await self._append(StepFinished(phase, seconds))
        log.info("step.finished", step=phase.value, seconds=seconds)

    async def record(self, event: Record) -> None:
        """Records an event: durably, or, of those `WITH_THE_NEXT`, together with what the attempt asks for next.

        Raises `ValueError`, and writes nothing, if the attempt does not allow the event; that unit of work raises it if the
        identity does not.
        """
        await self._append(event)

    async def finish(self, verdict: Verdict) -> None:
        await self._append(verdict)

    async def past_of(self, uid: UID) -> Past:
        as_of = self._requests.changes
        known = await self._carried_out(partial(self._known, uid=uid), self._custody.do)
        past, self._own, self._found, asked = known
        if asked is not None:
            self._requests.foresee(uid, asked, as_of)
        return past

    async def find_identity(self, uid: UID) -> Identity | None:
        known, self._found = self._found, None
        if known is not None and known[0] == uid and not self.attempt.laboratory:
            return known[1]
        owned = not self.attempt.laboratory  # a sample is what it was
        found = partial(identities.find, uid=uid, vault=self._vault, owned=owned)
        return await self._carried_out(found, self._custody.do)

    async def reserve_identity(self, draft: Draft) -> Identity:
        """Reserves a drafted identity durably; raises the fault of a lot from which no unit may begin."""
        for _ in range(MOST_DRAFTS):  # again only if another unit may have the same passcode and discriminator
            secrets, at = await self._new_secrets(), self._clock.now()
            mark, new = self._pairing.mark(secrets), draft(secrets, at)
            reserved = partial(self._reserved, new=new, mark=mark, at=at)
            identity, left = await self._carried_out(reserved, self._custody.do_once)
            if left is not None and left.begins_to_end:
                log.warning("lot.ends_soon", lot=left.lot, units_left=left.units, numbers_left=left.numbers)
            if identity is not None:
                return identity
        raise LedgerUnavailable(
            f"{MOST_DRAFTS} new pairs of passcode and discriminator were all taken: this ledger has no room for more units"
        )

    async def sample_identity(self, draft: Draft) -> Identity:
        """An identity for a board that has none and is a sample: it is recorded nowhere, and uses no serial number."""
        new = draft(await self._samples_secrets(), self._clock.now())
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

    async def _samples_secrets(self) -> OnboardingSecrets:
        """Secrets that stand on a board from now on, so that no other may have them, nor has."""
        for _ in range(MOST_DRAFTS):  # again if a unit has got the pair meanwhile, or its incarnation has ended
            taken = await self._new_secrets()
            if self._shared is None:
                return taken
            burned = partial(leases.burn, fleet=self._shared.fleet, onboarding=taken)
            if await self._carried_out(burned, self._custody.do_once):
                return taken
        raise LedgerUnavailable(f"{MOST_DRAFTS} pairs of passcode and discriminator were all taken")

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

    async def claim(self, target: Target) -> bool:
        """Asks the centre about the board unless this ledger knows it as it is, and takes it over (`domain.claiming`).

        Returns whether the board's factory data must still prove that it is as this ledger left it.
        """
        shared, uid, key = self._shared, target.uid, target.agent_key
        if shared is None or self.attempt.laboratory:
            return False
        own, self._own, self._found = self._own, None, None  # it may take time, and change the identity
        if own is None or own[0] != uid:
            own = uid, await self._carried_out(partial(self._knowledge, uid=uid), self._custody.do)
        if own[1].suffices(key):
            return False
        answer = None if shared.claims is None else await shared.claims.claim(uid)
        way = claiming.way(uid, key, own[1], answer, self._station)
        if answer is None or way is not Way.ADOPT:
            return way is Way.OWN
        by = Adopter(self._pairing, self._vault, self._recipe)
        self._requests.changed()
        adopted = partial(adoption.adopt, claim=answer, by=by, at=self._clock.now())
        await self._carried_out(adopted, self._custody.do_once)
        log.info("unit.adopted", uid=str(uid))
        return False

    def _known(
        self, connection: Connection, uid: UID
    ) -> tuple[Past, tuple[UID, OwnKnowledge] | None, tuple[UID, Identity | None] | None, Asked | None]:
        """The board's past, and beside it what is asked for next, each of which would be a unit of work of its own for each board."""
        past = origin.past(connection, uid)
        if self.attempt.laboratory:
            return past, None, None, None
        asked = issuance.asked(connection, uid)
        try:
            found = uid, identities.find(connection, uid, self._vault, owned=True)
        except Fault:  # whoever asks for the identity gets it
            return past, None, None, asked
        if self._shared is None:
            return past, None, found, asked
        try:
            return past, (uid, self._knowledge(connection, uid)), None, asked
        except LineFault:  # of a ledger that has ended: the claim raises it
            return past, None, None, asked

    def _knowledge(self, connection: Connection, uid: UID) -> OwnKnowledge:
        shared_state.check_gives_out(connection, self._station)
        return adoption.knowledge(connection, uid, self._number)

    async def adopt(self, credentials: Credentials, uid: UID) -> None:
        """Records the certificate as this board's, durably; raises `KeyShared` when the key is another's."""
        self._requests.changed()
        adopted = partial(issuance.adopt, credentials=credentials, uid=uid, at=self._clock.now())
        await self._carried_out(adopted, self._custody.do_once)

    async def _append(self, *events: Event) -> None:
        entries = attempts.summed_up(self._sum, self._clock.now(), events)
        self._held += entries
        _, self._sum = entries[-1]
        if any(type(event) not in WITH_THE_NEXT for event in events):
            ended = isinstance(events[-1], Verdict)
            await self._carried_out(_nothing, self._custody.do_anyhow if ended else self._custody.do)

    async def _carried_out(
        self,
        work: UnitOfWork[T],
        do: Callable[[UnitOfWork[tuple[Followed, Callable[[], T]]]], Awaitable[tuple[Followed, Callable[[], T]]]],
    ) -> T:
        """What `work` returns or raises, as `do` carries it out. The held events are written before it, whatever comes of it."""
        # Set before the wait, since the queued work is carried out even if this attempt is cancelled meanwhile.
        (held, self._held), (written, self._written) = (self._held, []), (self._written, self._sum)
        try:
            followed, outcome = await do(partial(self._after, written, held, work))
        except Fault:
            self._held, self._written = (
                held,
                written,
            )  # the ledger's own: nothing was written, and the verdict takes them along
            raise
        except Exception:  # attempt or identity do not allow an event, and nothing was written
            self._sum = self._written = written
            raise
        self._traced = followed.traced or self._traced
        if followed.quarantined:
            log.warning("unit.quarantined", fault=self.attempt.fault)
        if self._reports is not None and any(type(event) in self._reports.wanted for event, _ in held):
            self._reports.written()
        return outcome()

    def _after(
        self, written: Sum, held: Sequence[Entry], work: UnitOfWork[T], connection: Connection
    ) -> tuple[Followed, Callable[[], T]]:
        """Writes the held events, and then `work`'s statements, which alone are undone if it raises."""
        followed = Followed()
        if held:
            followed = attempts.append(connection, self._number, written, held, self._reports, self._quarantine_after)
        try:
            with nullcontext() if work is _nothing else Savepoint.around(connection):
                result = work(connection)
        except Exception as exc:
            if soundness.is_databases_own(exc):
                raise
            return followed, partial(_raised, exc)
        return followed, lambda: result


def _raised(exc: Exception) -> NoReturn:
    raise exc


def _nothing(_: Connection) -> None:
    """The work of events alone."""
