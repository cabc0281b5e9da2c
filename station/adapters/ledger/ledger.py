# SPDX-License-Identifier: Apache-2.0
"""The ledger as the daemon uses it: attempts, identities and certificates, durable before the caller gets them."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

from sqlalchemy import Connection

from station.adapters.ledger import (
    attempts,
    dispositions,
    identities,
    incarnations,
    interventions,
    label_prints,
    lots,
    origin,
    secrets_deeds,
    shared_opening,
    sqlite,
    vault,
)
from station.adapters.ledger.attempts import Sum
from station.adapters.ledger.auditing import Audit
from station.adapters.ledger.commit_times import CommitTimes
from station.adapters.ledger.custody import Custody, Gate
from station.adapters.ledger.issuance_ledger import IssuanceLedger
from station.adapters.ledger.journal import AttemptJournal, Clock
from station.adapters.ledger.outbox import Outbox
from station.adapters.ledger.pairing import PairingKey
from station.adapters.ledger.register import Register, folder_for
from station.adapters.ledger.sample_ledger import SampleLedger
from station.adapters.ledger.shared import SharedLedger
from station.adapters.ledger.sharing import Shared
from station.adapters.ledger.station_keys import StationKeys
from station.adapters.ledger.vault import Vault
from station.adapters.ledger.writer import Writer
from station.adapters.system import version
from station.domain.attempt import ClockAccepted, Event, StepStarted
from station.domain.disposition import QUARANTINE_AFTER
from station.domain.identity import Identity
from station.domain.intervention import Decision, Intervention
from station.domain.labelling import LabelDeed, LabelState, PrintReason
from station.domain.secrets_deed import Act, SecretsDeed
from station.domain.target import UID
from station.domain.transitions import FIRST_STEP
from station.domain.work_order import LotClosed, LotOpened, LotPaused, LotResumed
from station.faults import LineFault
from station.interfaces import RecordedRecipe, Reports, SecretSource


class Ledger:
    """The only writer of its file.

    A call waits while the file cannot be written, and raises `LedgerUnavailable` once no further try can help.
    """

    def __init__(
        self,
        path: Path,
        station: str,
        writer: Writer,
        custody: Custody,
        pairing: PairingKey,
        opened: Vault,
        reports: Reports | None = None,
        shared: Shared | None = None,
    ) -> None:
        self._path = path
        self._station = station
        self._writer = writer
        self._custody = custody
        self._pairing = pairing
        self._vault = opened
        self._reports = reports
        self.outbox = Outbox(path, custody)
        self.issuance = IssuanceLedger(custody)
        self.samples = SampleLedger(custody)
        self.audit = Audit(custody, station)
        self.shared = None if shared is None else SharedLedger(custody, shared, opened)
        """What the replication does with the ledger; None for a standalone one."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path,
        *,
        station: str,
        register: Path | None = None,
        key: Path | None = None,
        only: bool = False,
        patience: float = math.inf,
        reports: Reports | None = None,
        shared: Shared | None = None,
    ) -> AsyncIterator[Self]:
        """The ledger at `path`, made or brought up to date; with `shared`, one that shares its numbers with other stations.

        Raises `LedgerUnavailable`, also while another daemon has it. Raises `LedgerMoved` if the machine's `register`
        remembers another or a newer ledger here, and `LedgerDamaged`. `key` is the file of the station's key, if it is
        not where the station keeps it by itself. `only`: a station of this name has one ledger on
        this machine. Opening blocks the loop, since the station can do nothing without a ledger. Later the ledger tries
        a file that cannot be written again for `patience` seconds. `reports` makes the messages that go into the outbox.
        """
        folder = folder_for(path, register)
        known, keys = Register(folder), StationKeys.of(folder, path, key)
        with sqlite.writing(path, Gate(path, station, known, only=only), keys) as connection:
            with sqlite.translated(path):
                with connection.begin():
                    new = incarnations.standing(connection) is None
                    opened = Vault.of(path, connection, keys)
                    shared_opening.check(connection, path, shared)
                pairing = PairingKey.beside(path, connection, opened, make=new)
            with Custody.taken(connection, path, station, known, patience) as custody:
                yield cls(path, station, custody.writer, custody, pairing, opened, reports, shared)

    @property
    def status(self) -> dict[str, object]:
        """The ledger's state, for `station status`."""
        fault, lost = self._writer.failure or self._writer.trouble, self._custody.lost
        state = "closed" if self._writer.failure else "waiting" if fault else "lost" if lost else "open"
        told = fault or lost
        return {
            "state": state,
            "path": str(self._path),
            "commits": self.commits,
            "reason": told.evidence["reason"] if told else None,
        }

    @property
    def commits(self) -> int:
        """How often its file has changed since it was opened."""
        return self._writer.commits

    @property
    def wrong(self) -> LineFault | None:
        """The fault that keeps it from recording a verdict at this moment."""
        return self._writer.failure or self._writer.trouble or self._custody.lost

    @property
    def commit_times(self) -> CommitTimes:
        return self._writer.commit_times

    async def check(self) -> None:
        """Raises the `LineFault` that keeps the ledger from giving out identities."""
        if (trouble := self._writer.trouble) is not None:
            raise copy(trouble)
        await self._custody.check()

    async def troubled(self) -> LineFault:
        """Waits until writing fails, or its reason changes. Raises the fault that closes the ledger for good."""
        while True:
            await self._writer.news.wait()
            self._writer.news.clear()
            if self._writer.failure is not None:
                raise copy(self._writer.failure)
            if (trouble := self._writer.trouble) is not None:
                return trouble

    @property
    def trouble(self) -> LineFault | None:
        """The fault that keeps the file from being written now; callers wait, and the ledger tries again."""
        return self._writer.trouble

    async def attempt(
        self,
        *,
        slot: str,
        probe: str,
        tty: str,
        recipe: RecordedRecipe,
        secrets: SecretSource,
        quarantine_after: int = QUARANTINE_AFTER,
        accepted: ClockAccepted | None = None,
    ) -> AttemptJournal:
        """A new attempt, durably begun with its first step, before which a person may have `accepted` the clock.

        So many fails put its unit into quarantine; 0: none do.
        """
        clock = Clock()
        at = clock.now()
        first: list[Event] = [StepStarted(FIRST_STEP)] if accepted is None else [accepted, StepStarted(FIRST_STEP)]
        entries = attempts.summed_up(Sum(at, at), at, first)
        number, traced = await self._custody.do_anyhow(
            partial(
                attempts.begin,
                station=self._station,
                version=version.running(),
                slot=slot,
                probe=probe,
                tty=tty,
                recipe=recipe,
                at=at,
                first=entries,
            )
        )
        _, begun = entries[-1]
        return AttemptJournal(
            number,
            self._station,
            recipe,
            traced,
            quarantine_after,
            clock,
            begun,
            self._custody,
            self.issuance,
            self._pairing,
            self._vault,
            secrets,
            self._reports,
            None if self.shared is None else self.shared.shared,
        )

    async def close_open_attempts(self, fault: str) -> list[int]:
        """Voids the attempts that an earlier run of this station left without a verdict, as of their last events.

        Returns their numbers.
        """
        at = datetime.now(UTC)
        work = partial(attempts.close_open, station=self._station, fault=fault, at=at, reports=self._reports)
        return await self._custody.do(work)

    async def last_entry(self) -> datetime | None:
        """The time of the newest entry, by the clock of that time; None for an empty ledger."""
        return await self._custody.do(attempts.last_entry)

    async def rebuild(self) -> None:
        """Computes every summary column anew from the events."""
        await self._custody.do(attempts.rebuild)

    async def identity(self, uid: UID) -> Identity | None:
        """The identity that belongs to this board, if it has one."""
        return await self._custody.do(partial(identities.find, uid=uid, vault=self._vault))

    async def record_secrets_deed(self, deed: SecretsDeed) -> None:
        """Records durably what is about to be done with label data; raises `DecisionRefused`."""
        deed.check()
        await self._custody.do(partial(secrets_deeds.record, station=self._station, deed=deed))

    async def label_state(self, uid: UID) -> LabelState:
        """How often the unit's label was printed, and whether its newest print is bound."""
        return await self._custody.do(partial(label_prints.state_of, uid=uid))

    async def record_label(self, deed: LabelDeed) -> None:
        """Records durably what became of a label; raises `DecisionRefused`."""
        deed.check()
        await self._custody.do_once(partial(label_prints.record, station=self._station, deed=deed))

    async def begin_print(self, deed: LabelDeed, reason: PrintReason, reprints: int, *, engineer: bool) -> None:
        """Records durably that a label is printed, before a byte of it leaves; raises `DecisionRefused`."""
        deed.check()

        def begin(connection: Connection) -> None:
            label_prints.begin_print(connection, self._station, deed, reason, reprints, engineer=engineer)

        await self._custody.do_once(begin)

    async def label_by_itself(self, recipe: str, *, on: bool) -> None:
        """Whether the units that pass by this recipe from now on get labels by themselves."""
        work = label_prints.begin_labels if on else label_prints.end_labels
        await self._custody.do(partial(work, recipe=recipe))

    async def require_labels(self, recipe_sha256: str) -> None:
        """The units of this recipe are done, in their work order, once their label is bound."""
        await self._custody.do(partial(label_prints.require, recipe_sha256=recipe_sha256))

    async def made_by(self, uid: UID) -> str | None:
        """The name of the recipe of the board's newest passed attempt in production."""
        return await self._custody.do(partial(attempts.recipe_of_passed, uid=uid))

    async def work_order_of(self, uid: UID) -> str | None:
        """The number of the work order for which the unit was made; None for a unit of a recipe's lot."""
        return await self._custody.do(partial(lots.work_order, uid=uid))

    async def forget(self, uid: UID, *, who: str, reason: str) -> bool:
        """Shreds the unit's onboarding secrets. Returns whether there were any left; raises `DecisionRefused`."""
        deed = SecretsDeed(datetime.now(UTC), who, reason, Act.FORGET, uid=uid)
        deed.check()

        def shred(connection: Connection) -> bool:
            forgotten = vault.forget_unit(connection, uid)
            if forgotten:
                self._writer.log_to_empty = True
                secrets_deeds.record(connection, self._station, deed)
            return forgotten

        return await self._custody.do(shred)

    @property
    def vault(self) -> Vault:
        """Opens what readers of the ledger's file find sealed."""
        return self._vault

    async def release_unit(self, uid: UID, *, account: str, reason: str) -> None:
        """Lets a board with a key from elsewhere be provisioned as a new one; raises `DecisionRefused`."""
        at = datetime.now(UTC)
        await self._custody.do(partial(origin.release, uid=uid, decision=Decision(account, reason), at=at))

    async def release_from_quarantine(self, uid: UID, decision: Decision) -> None:
        """Lets a unit in quarantine be tried again; raises `DecisionRefused`."""
        await self._custody.do(partial(dispositions.release, uid=uid, decision=decision, at=datetime.now(UTC)))

    async def scrap(self, uid: UID, decision: Decision) -> str | None:
        """Burns the board's identity for ever; raises `DecisionRefused`. Returns the serial number of the DAC to revoke."""
        work = partial(dispositions.scrap, uid=uid, decision=decision, at=datetime.now(UTC))
        return await self._custody.do_once(work)

    async def open_lot(self, lot: LotOpened, decision: Decision) -> None:
        """Opens a lot for a work order; raises `DecisionRefused`."""
        await self._custody.do_once(partial(lots.open_new, opened=lot, decision=decision, at=datetime.now(UTC)))

    async def change_lot(
        self, changed: LotPaused | LotResumed | LotClosed, decision: Decision, *, recipe: str | None = None
    ) -> None:
        """Pauses, resumes or closes a lot; raises `DecisionRefused`. `recipe`: SHA-256 of the one that it is resumed for."""
        work = partial(lots.change, changed=changed, recipe=recipe, decision=decision, at=datetime.now(UTC))
        await self._custody.do(work)

    async def record_interventions(self, done: Sequence[Intervention]) -> None:
        """Records a person's deeds, also while the files are not where they were: a person must always be able to hold a slot."""
        await self._custody.do_anyhow(partial(interventions.record, station=self._station, done=done))
