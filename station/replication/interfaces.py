# SPDX-License-Identifier: Apache-2.0
"""The Protocols through which the replication uses the centre and the station's ledger."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from station.adapters.ledger.leases import Leases
from station.adapters.ledger.shared import Stopped
from station.adapters.ledger.shared_state import Standing
from station.domain.shared import Claim, Cursor, Enrolment, Grant, Line, Request, Word
from station.domain.target import UID


class Centre(Protocol):
    """The centre as one station uses it: every method is one transaction, and may be repeated after a lost answer.

    A method raises `CentreUnreachable` if nobody knows whether it was carried out, and `CentreRefused` if it was not.
    """

    async def enrol(self, ledger: str, place: str, head: bytes, incarnation: int | None = None) -> Enrolment:
        """Begins an incarnation of this station. Every earlier one is closed, and its blocks are burned.

        `ledger` is 32 hexadecimal digits by chance, new for each incarnation: the same one gets the same answer again. `head`
        is the hash that its journal's first line goes on from. `incarnation` is the number that a centre which was set back
        had given this ledger, and has forgotten.
        """

    async def hello(self, incarnation: int, next_line: int, tick: int, fleet_check: str) -> Word:
        """Compares what the ledger knows with what the centre knows of it, and the fleet key's check value."""

    async def grant(self, incarnation: int, request: Request) -> Grant: ...

    async def push(self, incarnation: int, first: int, previous: bytes, lines: Sequence[Line]) -> Cursor:
        """Takes the lines, at most `MOST_LINES`, if `first` and the hash before it are where the centre's cursor stands.

        Returns the cursor, wherever it stands now. Closed incarnations may push.
        """

    async def enter(self, incarnation: int, uids: Collection[UID]) -> frozenset[UID]:
        """Claims those of the units that nobody has claimed before, all in one question. Returns which those are."""

    async def claim(self, incarnation: int, uid: UID) -> Claim: ...

    async def give_back(self, incarnation: int, lot: str, numbers: Sequence[int]) -> None:
        """Returns whole unused blocks, which the station has durably given up before."""


class SharedReader(Protocol):
    """Reads of the station's ledger. A method raises `LedgerUnavailable`, and is called in the replication's thread only."""

    def standing(self) -> Standing: ...

    def unsent(self, after: int, most: int) -> Sequence[Line]:
        """The lines of this incarnation after the one of this number, at most `most`."""

    def hash_at(self, number: int) -> bytes | None:
        """The hash of this incarnation's line; for 0 the one that the first line goes on from. None: it is not there."""

    def lot(self) -> str | None:
        """The lot from which new units come, also while it is paused; None while there is none."""

    def leases(self, lot: str, release: str) -> Leases: ...

    def busiest_hour(self, now: datetime) -> int:
        """Units in the busiest hour of the last seven days."""

    def open_request(self) -> Request | None:
        """The request whose answer the ledger has not recorded."""


class SharedLedger(Protocol):
    """Writes of the station's ledger, durable when a method returns. A method raises `LineFault` where nothing can be written."""

    async def begin_enrolment(self, place: str) -> tuple[str, bytes]:
        """The id under which the ledger asks to be enrolled, and the hash that its journal will go on from.

        The same as before while an enrolment's answer is open, else a new id.
        """

    async def enrolled(self, enrolment: Enrolment, ledger: str) -> None:
        """Begins this incarnation, without blocks and pairs; does nothing if it has begun already."""

    async def acknowledged(self, number: int) -> None:
        """The centre has the lines up to this one."""

    async def stopped(self, why: Stopped) -> None: ...

    async def begin_request(self, lot: str, release: str, blocks: int) -> Request:
        """A request with new candidates for pairs."""

    async def granted(self, request: Request, grant: Grant) -> None: ...

    async def drop_request(self) -> None:
        """Forgets the open request, which the centre has refused."""

    async def give_up(self, lot: str | None, release: str) -> Mapping[str, Sequence[int]]:
        """Gives up every whole unused block that is not of this lot and release, of which the journal tells the centre.

        Returns their numbers by lot.
        """

    async def checkpoint(self, sign: Callable[[int, bytes], bytes]) -> None:
        """Tells a signature over the newest line's number and hash."""

    async def prune(self, keep_days: int) -> int:
        """Removes lines that the centre has and that are older. Returns how many."""
