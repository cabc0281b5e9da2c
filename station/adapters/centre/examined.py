# SPDX-License-Identifier: Apache-2.0
"""An examination of the centre before a line depends on it: as whom its role is known, and whether its lot can be given. In SQL."""

from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import AsyncConnection

from station.adapters.centre.connection import Connection
from station.adapters.centre.version import KNOWN
from station.domain.shared import Refusal


@dataclass(frozen=True, slots=True)
class Examined:
    """What a station finds at the centre.

    `station` is the name by which the role is known; None for a role of no station. `ahead` are the seconds by which the
    centre's clock is ahead. `lot` says why no block of the lot is given for the release; None if one may be.
    """

    role: str
    station: str | None
    revision: str | None
    fleet_check: str | None
    frozen: str | None
    ahead: float
    lot: Refusal | None

    @property
    def is_of_this_version(self) -> bool:
        return self.revision == KNOWN


async def examine(connection: Connection, lot: str | None, release: str) -> Examined:
    """Asks as a station does, and changes nothing; raises `CentreUnreachable`, and `CentreBroken` where there is no centre."""

    async def asked(session: AsyncConnection) -> Examined:
        found = await session.execute(
            "SELECT session_user, (SELECT version_num FROM central_version), s.name, c.fleet_check, c.frozen, clock_timestamp(),"
            "   EXISTS (SELECT FROM lot WHERE name = %s),"
            "   EXISTS (SELECT FROM approval WHERE lot = %s AND release = %s)"
            " FROM central c LEFT JOIN station s ON s.db_role = session_user",
            [lot, lot, release],
        )
        row = await found.fetchone()
        assert row is not None
        role, revision, name, fleet_check, frozen, now, known, approved = row
        refusal = None if known and approved else Refusal.NOT_APPROVED if known else Refusal.LOT_UNKNOWN
        ahead = (now - datetime.now(UTC)).total_seconds()
        return Examined(role, name, revision, fleet_check, frozen, ahead, None if lot is None else refusal)

    return await connection.transaction(asked)


async def reads(connection: Connection) -> str:
    """The role of a connection for questions. Raises `CentreUnreachable`, and `CentreBroken` if it may not ask them."""

    async def asked(session: AsyncConnection) -> str:
        await session.execute("SELECT FROM unit_shown LIMIT 1")
        row = await (await session.execute("SELECT session_user")).fetchone()
        assert row is not None
        return str(row[0])

    return await connection.transaction(asked)
