# SPDX-License-Identifier: Apache-2.0
"""Blocks and pairs for the hours in which the centre may be away: how many, and when they are asked for."""

from dataclasses import dataclass
from math import ceil

from station.adapters.ledger.shared_state import Standing
from station.domain.shared import FEWEST_ITEMS, GRID, MOST_ITEMS, Request
from station.replication.interfaces import Centre, SharedLedger, SharedReader

MOST_BLOCKS = 32  # of a request: its pairs are written in one unit of work, for which the line's own must wait


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the line makes now: the lot from which new units come, None while there is none, and the release."""

    lot: str | None
    release: str


def to_hold(busiest_hour: int, hours: float) -> int:
    """Items that a station holds: for so many hours of its busiest one."""
    return min(MOST_ITEMS, max(FEWEST_ITEMS, ceil(busiest_hour * hours)))


def missing_blocks(items: int, hold: int) -> int:
    """Blocks to ask for, at most those of one request. None are asked for until a whole one is missing."""
    return min(MOST_BLOCKS, max(0, hold - items) // GRID)


async def lease(
    centre: Centre, reader: SharedReader, ledger: SharedLedger, standing: Standing, wanted: Wanted, hold: int
) -> Request | None:
    """Asks once, if something is missing or an answer was lost. Returns the request that was granted; None: nothing is missing.

    It may be for another lot or release, if that answer was lost. A request is durable before it is sent, so that it can be asked again, and brings the same blocks.
    """
    request = reader.open_request()
    if request is None:
        if wanted.lot is None:
            return None
        blocks = missing_blocks(reader.leases(wanted.lot, wanted.release).items, hold)
        if not blocks:
            return None
        request = await ledger.begin_request(wanted.lot, wanted.release, blocks)
    await ledger.granted(request, await centre.grant(standing.incarnation, request))
    return request


async def forget_unwanted(reader: SharedReader, ledger: SharedLedger, wanted: Wanted) -> None:
    """Forgets a refused request that is not for what the line makes now."""
    request = reader.open_request()
    if request is not None and (request.lot, request.release) != (wanted.lot, wanted.release):
        await ledger.drop_request()
