# SPDX-License-Identifier: Apache-2.0
"""A station's claim on a unit, which is its own from then on, and what the centre knows of the unit. In SQL."""

from collections.abc import Collection, Sequence

from psycopg import AsyncConnection

from station.adapters.centre.caller import Caller
from station.adapters.centre.trouble import CentreRefused
from station.adapters.centre.version import KNOWN
from station.domain.credentials import Credentials
from station.domain.shared import Claim, KnownUnit, Rank, Refusal
from station.domain.target import UID

# One statement for all of it, since every board waits for its answer. In order of UID, so that no two stations wait for each other.
_ENTER = """
WITH asking AS (
  SELECT s.id, s.name, i.closed, v.version_num = %(version)s AS known
  FROM central_version v, station s JOIN incarnation i ON i.station = s.id
  WHERE s.db_role = session_user AND i.number = %(incarnation)s
), added AS (
  INSERT INTO unit (uid, station, incarnation, epoch)
  SELECT u.uid, asking.id, %(incarnation)s, 1 FROM asking, unnest(%(uids)s::bytea[]) AS u (uid)
  WHERE asking.known AND NOT asking.closed ORDER BY u.uid
  ON CONFLICT DO NOTHING RETURNING uid
)
SELECT asking.known AND NOT asking.closed, (SELECT coalesce(array_agg(uid), '{}') FROM added) FROM asking
"""


async def enter(connection: AsyncConnection, incarnation: int, uids: Collection[UID]) -> frozenset[UID] | None:
    """Enters the units that nobody has claimed yet, and returns which those were.

    None if the incarnation may enter none; `caller.incarnation` tells why.
    """
    values = {"version": KNOWN, "incarnation": incarnation, "uids": [uid.raw for uid in uids]}
    row = await (await connection.execute(_ENTER, values)).fetchone()
    if row is None or not row[0]:
        return None
    return frozenset(UID(bytes(raw)) for raw in row[1])


async def claim(connection: AsyncConnection, caller: Caller, uid: UID) -> Claim:
    """Enters the unit, or takes it over from another station. One that is the station's already keeps its epoch."""
    added = await connection.execute(
        "INSERT INTO unit (uid, station, incarnation, epoch) VALUES (%s, %s, %s, 1) ON CONFLICT DO NOTHING RETURNING 1",
        [uid.raw, caller.station, caller.incarnation],
    )
    if await added.fetchone():
        return Claim(uid, epoch=1, known=None, was_ours=False)
    found = await connection.execute(
        "SELECT station, incarnation, epoch, rank FROM unit WHERE uid = %s FOR UPDATE", [uid.raw]
    )
    station, incarnation, epoch, rank = await found.fetchone() or (0, 0, 0, 0)
    ours = (station, incarnation) == (caller.station, caller.incarnation)
    if not ours:
        epoch += 1
        await connection.execute(
            "UPDATE unit SET station = %s, incarnation = %s, epoch = %s WHERE uid = %s",
            [caller.station, caller.incarnation, epoch, uid.raw],
        )
    known = await _known(connection, caller, uid) if rank else None
    return Claim(uid, epoch=epoch, known=known, was_ours=ours)


async def _known(connection: AsyncConnection, caller: Caller, uid: UID) -> KnownUnit:
    found = await connection.execute(
        "SELECT u.lot, u.idx, u.rank, u.release, i.serial_number, i.sealed, s.name FROM unit u"
        " JOIN identity i ON i.lot = u.lot AND i.idx = u.idx AND i.uid = u.uid JOIN station s ON s.id = i.station"
        " WHERE u.uid = %s",
        [uid.raw],
    )
    row = await found.fetchone()
    if row is None:
        raise CentreRefused(
            Refusal.RESTORED,
            f"it has forgotten the identity of unit {uid}: the station that took it must come and tell",
        )
    lot, index, rank, release, serial_number, sealed, began_at = row
    return KnownUnit(
        lot=lot,
        index=index,
        serial_number=serial_number,
        sealed=sealed,
        rank=Rank(rank),
        certificates=await _certificates(connection, uid),
        pending=await _pending(connection, caller, uid),
        began_at=began_at,
        release=release or "",
    )


async def _certificates(connection: AsyncConnection, uid: UID) -> Sequence[tuple[str, Credentials]]:
    found = await connection.execute(
        "SELECT c.key, c.dac, p.content FROM certificate c JOIN pai p ON p.id = c.pai WHERE c.uid = %s"
        " ORDER BY c.told_at, c.key",
        [uid.raw],
    )
    return [(key.hex(), Credentials(dac=dac, pai=pai)) for key, dac, pai in await found.fetchall()]


async def _pending(connection: AsyncConnection, caller: Caller, uid: UID) -> Sequence[tuple[str, str]]:
    """Keys whose request another incarnation has sent and not yet answered; nobody waits for a retired one."""
    found = await connection.execute(
        "SELECT DISTINCT r.key, s.name FROM request r JOIN station s ON s.id = r.station"
        " JOIN incarnation i ON i.station = r.station AND i.number = r.incarnation"
        " WHERE r.uid = %s AND NOT r.answered AND NOT i.retired"
        "   AND (r.station, r.incarnation) <> (%s, %s)"
        "   AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.key = r.key) ORDER BY r.key, s.name",
        [uid.raw, caller.station, caller.incarnation],
    )
    return [(key.hex(), name) for key, name in await found.fetchall()]
