# SPDX-License-Identifier: Apache-2.0
"""Units and their identities at the centre, as the facts of a push change them: in SQL, and for all units of a push at once."""

from collections.abc import Collection, Mapping, Sequence

from psycopg import AsyncConnection

from station.adapters.centre import blocks
from station.adapters.centre.anomalies import Check, Kind, note
from station.adapters.centre.caller import Caller
from station.adapters.centre.told import Told, of
from station.domain.facts import IdentityAdvanced, IdentityTaken, UnitAdopted
from station.domain.shared import Rank
from station.domain.target import UID

_GIVE = """
WITH told AS (
  SELECT DISTINCT ON (t.uid) t.uid, t.lot, t.idx, t.rank
  FROM unnest(%(uids)s::bytea[], %(lots)s::text[], %(indexes)s::bigint[], %(ranks)s::smallint[])
    WITH ORDINALITY AS t(uid, lot, idx, rank, place)
  LEFT JOIN identity i ON i.lot = t.lot AND i.idx = t.idx
  WHERE coalesce(i.uid = t.uid, true) ORDER BY t.uid, t.rank DESC, t.place)
UPDATE unit SET rank = told.rank, lot = told.lot, idx = told.idx,
  station = CASE WHEN (unit.lot, unit.idx) = (told.lot, told.idx) THEN unit.station ELSE %(station)s END,
  incarnation = CASE WHEN (unit.lot, unit.idx) = (told.lot, told.idx) THEN unit.incarnation ELSE %(incarnation)s END
FROM told WHERE unit.uid = told.uid AND unit.rank < told.rank
"""
_CONTRADICTING = """
SELECT t.uid, t.lot, t.idx, i.uid, u.lot, u.idx
FROM unnest(%(uids)s::bytea[], %(lots)s::text[], %(indexes)s::bigint[]) AS t(uid, lot, idx)
JOIN unit u ON u.uid = t.uid LEFT JOIN identity i ON i.lot = t.lot AND i.idx = t.idx
WHERE i.uid <> t.uid OR (u.lot, u.idx) <> (t.lot, t.idx)
"""


async def lock(connection: AsyncConnection, caller: Caller, uids: Collection[UID]) -> None:
    """Locks the units, and enters those that are new: in the order of their UIDs, lest two stations wait for one another."""
    raw = sorted(uid.raw for uid in uids)
    await connection.execute(
        "INSERT INTO unit (uid, station, incarnation, epoch)"
        " SELECT n.uid, %s, %s, 0 FROM unnest(%s::bytea[]) AS n(uid) ORDER BY n.uid ON CONFLICT DO NOTHING",
        [caller.station, caller.incarnation, raw],
    )
    await connection.execute("SELECT 1 FROM unit WHERE uid = ANY(%s::bytea[]) ORDER BY uid FOR UPDATE", [raw])


async def take_identities(connection: AsyncConnection, caller: Caller, facts: Sequence[Told]) -> Sequence[Check]:
    """Enters the serial numbers that units got, and gives each unit the identity that has come highest."""
    checks = list[Check]()
    taken = sorted((fact for _, fact in of(IdentityTaken, facts)), key=lambda fact: (fact.lot, fact.index))
    if taken:
        await _enter(connection, caller, taken)
        checks.append(await _outside_block(connection, caller, taken))
        await _count(connection, caller, taken)
    if ranks := _ranks(facts):
        checks.append(await _give(connection, caller, ranks))
    return checks


async def adopt(connection: AsyncConnection, caller: Caller, facts: Sequence[Told]) -> None:
    """Has each adopted unit belong to its station, also at a centre that has forgotten the claim."""
    adopted = {fact.uid.raw: fact.epoch for _, fact in of(UnitAdopted, facts)}
    if adopted:
        await connection.execute(
            "UPDATE unit SET station = %s, incarnation = %s, epoch = n.epoch"
            " FROM unnest(%s::bytea[], %s::int[]) AS n(uid, epoch) WHERE unit.uid = n.uid AND unit.epoch < n.epoch",
            [caller.station, caller.incarnation, list(adopted), list(adopted.values())],
        )


async def _enter(connection: AsyncConnection, caller: Caller, taken: Sequence[IdentityTaken]) -> None:
    await connection.execute(
        "INSERT INTO identity (lot, idx, uid, station, incarnation, serial_number, sealed)"
        " SELECT n.lot, n.idx, n.uid, %s, %s, n.serial_number, n.sealed"
        " FROM unnest(%s::text[], %s::bigint[], %s::bytea[], %s::text[], %s::bytea[])"
        "   AS n(lot, idx, uid, serial_number, sealed)"
        " ORDER BY n.lot, n.idx ON CONFLICT DO NOTHING",
        [
            caller.station,
            caller.incarnation,
            [fact.lot for fact in taken],
            [fact.index for fact in taken],
            [fact.uid.raw for fact in taken],
            [fact.serial_number for fact in taken],
            [fact.sealed for fact in taken],
        ],
    )


def _ranks(facts: Sequence[Told]) -> Mapping[tuple[bytes, str, int], Rank]:
    """The highest rank that is told, by UID, lot and index."""
    ranks = dict[tuple[bytes, str, int], Rank]()
    for each in facts:
        match each.fact:
            case IdentityTaken(uid=uid, lot=lot, index=index):
                ranks.setdefault((uid.raw, lot, index), Rank.TAKEN)
            case IdentityAdvanced(uid=uid, lot=lot, index=index, rank=rank):
                ranks[uid.raw, lot, index] = max(ranks.get((uid.raw, lot, index), Rank.SEEN), Rank(rank))
            case _:
                pass
    return ranks


async def _give(connection: AsyncConnection, caller: Caller, ranks: Mapping[tuple[bytes, str, int], Rank]) -> Check:
    """Gives each unit the identity of the highest rank, unless it has one of this rank already, and looks what contradicts.

    Of two identities of one unit and one rank the one stays that was told first.
    """
    given = {
        "station": caller.station,
        "incarnation": caller.incarnation,
        "uids": [uid for uid, _, _ in ranks],
        "lots": [lot for _, lot, _ in ranks],
        "indexes": [index for _, _, index in ranks],
        "ranks": [rank.value for rank in ranks.values()],
    }
    await connection.execute(_GIVE, given)
    found = await connection.execute(_CONTRADICTING, given)

    async def check() -> None:
        doubles, seconds = [], []
        for uid, lot, index, owner, other_lot, other_index in await found.fetchall():
            detail = {"uid": uid.hex(), "lot": lot, "index": index}
            subject = f"{uid.hex()} {lot} {index}"
            if owner is not None and owner != uid:
                doubles.append((subject, {**detail, "of": owner.hex()}))
            else:
                seconds.append((subject, {**detail, "has_lot": other_lot, "has_index": other_index}))
        await note(connection, Kind.DOUBLE_IDENTITY, caller, doubles)
        await note(connection, Kind.SECOND_IDENTITY, caller, seconds)

    return check


async def _count(connection: AsyncConnection, caller: Caller, taken: Sequence[IdentityTaken]) -> None:
    """Counts what is taken out of the blocks of this incarnation."""
    await connection.execute(
        "UPDATE block SET taken = block.taken + n.taken FROM"
        " (SELECT l.name AS lot, t.idx / l.grid AS number, count(*) AS taken"
        "  FROM unnest(%s::text[], %s::bigint[]) AS t(lot, idx) JOIN lot l ON l.name = t.lot GROUP BY 1, 2) AS n"
        " WHERE (block.lot, block.number) = (n.lot, n.number) AND block.station = %s AND block.incarnation = %s",
        [[fact.lot for fact in taken], [fact.index for fact in taken], caller.station, caller.incarnation],
    )


async def _outside_block(connection: AsyncConnection, caller: Caller, taken: Sequence[IdentityTaken]) -> Check:
    """Looks for identities that lie in no block of their incarnation. A closed one may tell those of its burned blocks.

    A block that nobody was given is burned: it must not be given any more. Such identities contradict nothing if they are of the
    time when the station's ledger was standalone.
    """
    found = await connection.execute(
        "SELECT t.uid, t.lot, t.idx, t.idx / l.grid, b.number IS NULL AND t.idx BETWEEN 0 AND l.size - 1,"
        "   (SELECT joined FROM station WHERE id = %(station)s)"
        " FROM unnest(%(uids)s::bytea[], %(lots)s::text[], %(indexes)s::bigint[]) AS t(uid, lot, idx)"
        " LEFT JOIN lot l ON l.name = t.lot LEFT JOIN block b ON b.lot = t.lot AND b.number = t.idx / l.grid"
        " WHERE b.number IS NULL OR (b.station, b.incarnation) <> (%(station)s, %(incarnation)s)"
        "   OR b.state = 'returned' OR t.idx NOT BETWEEN 0 AND l.size - 1",
        {
            "station": caller.station,
            "incarnation": caller.incarnation,
            "uids": [fact.uid.raw for fact in taken],
            "lots": [fact.lot for fact in taken],
            "indexes": [fact.index for fact in taken],
        },
    )

    async def check() -> None:
        outside, unknown = [], set[tuple[str, int]]()
        for uid, lot, index, block, of_nobody, joined in await found.fetchall():
            if of_nobody:
                unknown.add((lot, block))
            if not (of_nobody and joined):
                outside.append((f"{uid.hex()} {lot} {index}", {"uid": uid.hex(), "lot": lot, "index": index}))
        for lot, block in sorted(unknown):
            await blocks.burn(connection, caller, lot, block)
        await note(connection, Kind.OUTSIDE_BLOCK, caller, outside)

    return check
