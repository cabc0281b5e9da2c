# SPDX-License-Identifier: Apache-2.0
"""The Protocols through which the replication uses the centre and the station's ledger."""

from collections.abc import Sequence
from typing import Protocol

from station.domain.shared import Claim, Cursor, Enrolment, Grant, Line, Request, Word
from station.domain.target import UID


class Centre(Protocol):
    """The centre as one station uses it: every method is one transaction, and may be repeated after a lost answer.

    A method raises `CentreUnreachable` if nobody knows whether it was carried out, and `CentreRefused` if it was not.
    """

    async def enrol(self, ledger: str, place: str, head: bytes) -> Enrolment:
        """Begins an incarnation of this station. Every earlier one is closed, and its blocks are burned.

        `ledger` is 32 hexadecimal digits by chance, new for each incarnation: the same one gets the same answer again. `head`
        is the hash that its journal's first line goes on from.
        """

    async def hello(self, incarnation: int, next_line: int, tick: int, fleet_check: str) -> Word:
        """Compares what the ledger knows with what the centre knows of it, and the fleet key's check value."""

    async def grant(self, incarnation: int, request: Request) -> Grant: ...

    async def push(self, incarnation: int, first: int, previous: bytes, lines: Sequence[Line]) -> Cursor:
        """Takes the lines, at most `MOST_LINES`, if `first` and the hash before it are where the centre's cursor stands.

        Returns the cursor, wherever it stands now. Closed incarnations may push.
        """

    async def claim(self, incarnation: int, uid: UID) -> Claim: ...

    async def give_back(self, incarnation: int, lot: str, numbers: Sequence[int]) -> None:
        """Returns whole unused blocks, which the station has durably given up before."""
