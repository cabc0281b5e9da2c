# SPDX-License-Identifier: Apache-2.0
"""Faults planted in a station's process, each at one place: the referee must find every one of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from unittest.mock import patch

from psycopg import AsyncConnection

from station.adapters.centre import blocks
from station.adapters.centre.caller import Caller
from station.adapters.centre.centre import Centre
from station.domain.shared import Request


def expire() -> None:
    """Blocks run out: the centre gives away again what another station has not used up."""
    given: Callable[[AsyncConnection, Caller, Request], Awaitable[Sequence[int]]] = vars(blocks)["_next"]

    async def again(connection: AsyncConnection, caller: Caller, request: Request) -> Sequence[int]:
        found = await connection.execute(
            "SELECT number FROM block WHERE lot = %s AND station <> %s AND state = 'held' ORDER BY number LIMIT %s",
            [request.lot, caller.station, request.blocks],
        )
        expired = [number for (number,) in await found.fetchall()]
        return expired or await given(connection, caller, request)

    patch.object(blocks, "_next", again).start()


def nodedup() -> None:
    """The centre takes lines wherever its cursor stands."""
    patch.object(Centre, "follows", staticmethod(lambda _known, _first, _previous: True)).start()


def localpair() -> None:
    """The station takes the pairs that it has drawn, whoever has them already."""

    async def all_of_them(_connection: AsyncConnection, _caller: Caller, hashes: Sequence[int]) -> Sequence[int]:
        return hashes

    patch.object(blocks, "_pairs", all_of_them).start()


BUGS: Mapping[str, Callable[[], None]] = {"expire": expire, "nodedup": nodedup, "localpair": localpair}
