# SPDX-License-Identifier: Apache-2.0
"""The relay's journal of requests to the PKI (`interfaces.IssuanceJournal`), and what people decide about them, in the ledger."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from station.adapters.ledger import issuance, orphans
from station.adapters.ledger.custody import Custody
from station.adapters.ledger.writer import UnitOfWork
from station.domain.credentials import Credentials
from station.domain.intervention import Decision
from station.domain.issuance import Asked, KeyRecord, Reconciled
from station.domain.target import UID
from station.faults import LineFault
from station.interfaces import RefusedAnswer

T = TypeVar("T")

FORESEEN = 256  # boards: more than any line has slots


class IssuanceLedger:
    """A call waits while the file cannot be written, as the ledger's own."""

    def __init__(self, custody: Custody) -> None:
        self._custody = custody
        self._foreseen: dict[UID, Asked] = {}
        self.changes = 0
        """Counts the calls that may change what the PKI owes a board."""

    @property
    def trouble(self) -> LineFault | None:
        """The fault that keeps the file from being written now; callers wait, and the ledger tries again."""
        return self._custody.writer.trouble

    async def of_key(self, key: str, uid: UID) -> KeyRecord:
        """What there is of this board's key; raises `KeyShared` when another board has its certificate."""
        return await self._custody.do(partial(issuance.record_of, key=key, uid=uid))

    async def submitted(self, key: str, csr: bytes, uid: UID) -> int:
        """Records a request durably before it is sent. Returns how many earlier requests for this key had no answer.

        Raises `PKIAnswerLost` if they are too many.
        """
        return await self._change_once(partial(issuance.submit, key=key, csr=csr, uid=uid, at=datetime.now(UTC)))

    async def record_issued(self, key: str, credentials: Credentials, surplus: Sequence[bytes] = ()) -> None:
        """Records a DAC durably before it is handed out, with the other certificates of its answer that no unit gets.

        Raises `CredentialsInvalid` when its serial number is not new.
        """
        work = partial(issuance.issue, key=key, credentials=credentials, surplus=surplus, at=datetime.now(UTC))
        await self._change_once(work)

    async def record_rejected(self, key: str, reason: str) -> None:
        """Records that the PKI refused the last request, and issued no certificate."""
        await self._change(partial(issuance.reject, key=key, reason=reason, at=datetime.now(UTC)))

    async def record_refused(self, key: str, answer: RefusedAnswer) -> None:
        """Records an answer that the station refused, with every certificate in it."""
        await self._change_once(partial(issuance.refuse, key=key, answer=answer, at=datetime.now(UTC)))

    async def record_surplus(self, key: str, certificates: Sequence[bytes]) -> int:
        """Records certificates that the PKI's own list has and no unit gets. Returns how many are new."""
        work = partial(orphans.found, key=key, certificates=certificates, at=datetime.now(UTC))
        return await self._change(work)

    async def record_pending(self, key: str, due: datetime) -> None:
        """Records that the PKI has the last request for this key, and is not to be asked about it before `due`."""
        await self._change(partial(issuance.pend, key=key, due=due))

    async def record_wait(self, endpoint: str, until: datetime) -> None:
        """Records that this endpoint is not to be asked before `until`."""
        await self._custody.do(partial(issuance.wait, endpoint=endpoint, until=until))

    async def is_unanswered(self, key: str) -> bool:
        """Whether the answer to a request for this key was lost, even if its board has been excused for it."""
        return await self._custody.do(partial(issuance.is_unanswered, key=key))

    async def asked(self, uid: UID) -> Asked:
        """What the PKI owes this board."""
        known = self._foreseen.pop(uid, None)
        return await self._custody.do(partial(issuance.asked, uid=uid)) if known is None else known

    def foresee(self, uid: UID, asked: Asked, as_of: int) -> None:
        """Takes what another unit of work has read of this board, for whoever asks next; `as_of`: the `changes` when that was queued."""
        if as_of == self.changes:  # else a later unit may have changed it
            self._foreseen[uid] = asked
            if len(self._foreseen) > FORESEEN:  # nobody asks about a board that is refused
                del self._foreseen[next(iter(self._foreseen))]

    def changed(self) -> None:
        """What was foreseen may not be so any more."""
        self._foreseen.clear()
        self.changes += 1

    async def waiting_until(self, endpoint: str) -> datetime | None:
        """The time before which this endpoint is not to be asked; None if it has named none."""
        return await self._custody.do(partial(issuance.waiting_until, endpoint=endpoint))

    async def excuse(self, uid: UID, decision: Decision) -> int:
        """Allows the PKI to be asked for this board again. Returns how many requests stay without an answer.

        Raises `DecisionRefused`.
        """
        return await self._change(partial(orphans.excuse, uid=uid, decision=decision, at=datetime.now(UTC)))

    async def close_orphan(self, name: str, decision: Decision) -> None:
        """Takes an orphan off the list after a person has dealt with it; raises `DecisionRefused`."""
        await self._change(partial(orphans.close, name=name, decision=decision, at=datetime.now(UTC)))

    async def reconcile(self, told: orphans.Told, decision: Decision) -> Reconciled:
        """Compares the requests and certificates with the PKI's own list, and records what it tells of the orphans."""
        work = partial(orphans.reconcile, told=told, decision=decision, at=datetime.now(UTC))
        return await self._change(work)

    async def _change(self, work: UnitOfWork[T]) -> T:
        self.changed()
        return await self._custody.do(work)

    async def _change_once(self, work: UnitOfWork[T]) -> T:
        """The same, for work that must never be repeated."""
        self.changed()
        return await self._custody.do_once(work)
