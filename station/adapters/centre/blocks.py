# SPDX-License-Identifier: Apache-2.0
"""Blocks of serial numbers at the centre: what it gives, takes back, and is told of by journals. In SQL."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from station.adapters.centre.anomalies import Kind, note
from station.adapters.centre.caller import Caller, Known
from station.adapters.centre.told import Told, of
from station.adapters.centre.trouble import CentreRefused
from station.domain.facts import BlockGivenBack, BlockReceived
from station.domain.shared import Grant, Refusal, Request


async def given(connection: AsyncConnection, caller: Caller, request: Request) -> Sequence[int]:
    """The blocks that the request was given before, if its answer was lost."""
    found = await connection.execute(
        "SELECT number FROM block WHERE station = %s AND incarnation = %s AND request = %s AND lot = %s"
        " AND state = 'held' ORDER BY number",
        [caller.station, caller.incarnation, request.number, request.lot],
    )
    return [number for (number,) in await found.fetchall()]


async def grant(connection: AsyncConnection, caller: Caller, request: Request) -> Grant:
    """Gives the request what it was given before, or as many of the lot's next blocks as there are."""
    first, size, form = await _lot(connection, request.lot)
    blocks = await given(connection, caller, request)
    if blocks:
        found = await connection.execute(
            "SELECT hash FROM pairing WHERE hash = ANY(%s::bigint[]) AND station = %s AND incarnation = %s",
            [list(request.hashes), caller.station, caller.incarnation],
        )
        hashes: Sequence[int] = [value for (value,) in await found.fetchall()]
        ticked = await connection.execute("SELECT tick FROM central")
    else:
        await _check_approved(connection, request)
        hashes = await _pairs(connection, caller, request.hashes)
        blocks = await _next(connection, caller, request)
        # The last statement, since all stations wait for this row. A freeze meanwhile undoes the grant.
        ticked = await connection.execute("UPDATE central SET tick = tick + 1 WHERE frozen IS NULL RETURNING tick")
    row = await ticked.fetchone()
    if row is None:
        raise CentreRefused(Refusal.RESTORED, "the centre was frozen a moment ago")
    return Grant(blocks, hashes, row[0], first=first, size=size, format=form)


async def give_back(connection: AsyncConnection, caller: Caller, lot: str, numbers: Sequence[int]) -> None:
    await connection.execute(
        "UPDATE block SET state = 'returned'"
        " WHERE lot = %s AND number = ANY(%s::bigint[]) AND station = %s AND incarnation = %s AND state = 'held'",
        [lot, list(numbers), caller.station, caller.incarnation],
    )


async def burn(connection: AsyncConnection, caller: Caller, lot: str, number: int) -> None:
    """Enters a block that nobody was given, and of which a serial number is used all the same."""
    await connection.execute("SELECT 1 FROM lot WHERE name = %s FOR UPDATE", [lot])
    await connection.execute(
        "INSERT INTO block (lot, number, station, incarnation, request, release, state)"
        " VALUES (%s, %s, %s, %s, '', '', 'burned') ON CONFLICT DO NOTHING",
        [lot, number, caller.station, caller.incarnation],
    )


async def take_in(connection: AsyncConnection, known: Known, facts: Sequence[Told]) -> None:
    """Enters blocks that the centre has forgotten since it was set back, and takes back what was given back."""
    caller = known.caller
    received = [fact for _, fact in of(BlockReceived, facts)]
    if received:
        await _remember(connection, known, received)
    for _, fact in of(BlockGivenBack, facts):
        await give_back(connection, caller, fact.lot, [fact.number])


async def _lot(connection: AsyncConnection, name: str) -> tuple[int, int, str]:
    found = await connection.execute("SELECT first, size, serial_format FROM lot WHERE name = %s", [name])
    row = await found.fetchone()
    if row is None:
        raise CentreRefused(
            Refusal.LOT_UNKNOWN, f"it has no lot {name}; make it known with `station central lots add {name}`"
        )
    first, size, form = row
    return first, size, form


async def _check_approved(connection: AsyncConnection, request: Request) -> None:
    found = await connection.execute(
        "SELECT 1 FROM approval WHERE lot = %s AND release = %s", [request.lot, request.release]
    )
    if await found.fetchone() is None:
        raise CentreRefused(
            Refusal.NOT_APPROVED,
            f"release {request.release} is not approved for lot {request.lot};"
            f" approve it with `station central approve {request.release}`",
        )


async def _pairs(connection: AsyncConnection, caller: Caller, hashes: Sequence[int]) -> Sequence[int]:
    """Enters the candidates, and returns those that no unit of the fleet can have: in order, as `units.lock` does."""
    added = await connection.execute(
        "INSERT INTO pairing (hash, station, incarnation)"
        " SELECT n.hash, %s, %s FROM unnest(%s::bigint[]) AS n(hash) ORDER BY n.hash ON CONFLICT DO NOTHING"
        " RETURNING hash",
        [caller.station, caller.incarnation, list(hashes)],
    )
    return [value for (value,) in await added.fetchall()]


async def _next(connection: AsyncConnection, caller: Caller, request: Request) -> Sequence[int]:
    """Gives the lot's next blocks, in few statements: other stations wait for its row until the transaction has ended."""
    numbers = list[int]()
    while missing := request.blocks - len(numbers):
        moved = await connection.execute(
            "UPDATE lot SET next_block = least(o.next_block + %s, (lot.size + lot.grid - 1) / lot.grid)"
            " FROM (SELECT name, next_block FROM lot WHERE name = %s FOR UPDATE) o WHERE lot.name = o.name"
            " RETURNING o.next_block, lot.next_block",
            [missing, request.lot],
        )
        first, until = await moved.fetchone() or (0, 0)
        if first == until:
            break
        given = await connection.execute(
            "INSERT INTO block (lot, number, station, incarnation, request, release)"
            " SELECT %s, n.number, %s, %s, %s, %s FROM generate_series(%s::bigint, %s::bigint) AS n(number)"
            " ON CONFLICT DO NOTHING RETURNING number",  # of blocks that a station used unasked there are rows already
            [
                request.lot,
                caller.station,
                caller.incarnation,
                request.number,
                request.release,
                first,
                until - 1,
            ],
        )
        numbers += [number for (number,) in await given.fetchall()]
    if not numbers:
        raise CentreRefused(
            Refusal.LOT_EXHAUSTED,
            f"all blocks of lot {request.lot} are given; add another lot with `station central lots add`",
        )
    return numbers


async def _remember(connection: AsyncConnection, known: Known, received: Sequence[BlockReceived]) -> None:
    caller = known.caller
    state = "burned" if known.closed else "held"
    found = await connection.execute(
        "SELECT n.lot, n.number, n.request, n.release, b.station, b.incarnation"
        " FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[]) AS n(lot, number, request, release)"
        " JOIN lot l ON l.name = n.lot AND n.number < (l.size + l.grid - 1) / l.grid AND n.number >= 0"
        " LEFT JOIN block b ON b.lot = n.lot AND b.number = n.number ORDER BY n.lot, n.number",
        [
            [fact.lot for fact in received],
            [fact.number for fact in received],
            [fact.request for fact in received],
            [fact.release for fact in received],
        ],
    )
    others = []
    for lot, number, request, release, station, incarnation in await found.fetchall():
        if station is None:
            # Stations ask for blocks one after the other at this row, so none is given meanwhile.
            await connection.execute("SELECT 1 FROM lot WHERE name = %s FOR UPDATE", [lot])
            added = await connection.execute(
                "INSERT INTO block (lot, number, station, incarnation, request, release, state)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1",
                [lot, number, caller.station, caller.incarnation, request, release, state],
            )
            if await added.fetchone():
                await connection.execute(
                    "UPDATE lot SET next_block = greatest(next_block, %s) WHERE name = %s", [number + 1, lot]
                )
                continue
        if (station, incarnation) != (caller.station, caller.incarnation):
            others.append((f"{lot} {number} {caller.name} {caller.incarnation}", {"lot": lot, "block": number}))
    await note(connection, Kind.SECOND_BLOCK, caller, others)
