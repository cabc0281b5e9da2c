# SPDX-License-Identifier: Apache-2.0
"""Faults planted in a station's process, each at one place: the referee must find every one of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from unittest.mock import patch

from psycopg import AsyncConnection

from station.adapters.centre import blocks
from station.adapters.centre.caller import Caller
from station.adapters.centre.centre import Centre
from station.adapters.ledger.shared import Stopped
from station.adapters.ledger.shared_state import Standing
from station.domain import claiming
from station.domain.claiming import OwnKnowledge, Way
from station.domain.past import Past
from station.domain.shared import Claim, Request
from station.domain.target import UID
from station.replication import pushing, replicator
from station.replication.interfaces import Centre as CentreOfStation
from station.replication.interfaces import SharedLedger, SharedReader
from station.replication.pushing import Pushed


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


def nofence() -> None:
    """A ledger that was put back, or knows less than the centre, goes on as if nothing had happened."""

    async def come_up_anyhow(
        centre: CentreOfStation, reader: SharedReader, ledger: SharedLedger, place: str
    ) -> Standing:
        if not reader.standing().incarnation:
            name, head = await ledger.begin_enrolment(place)
            await ledger.enrolled(await centre.enrol(name, place, head), name)
        return reader.standing()

    async def go_on(_ledger: SharedLedger, standing: Standing, cursor: int, _why: Stopped) -> Pushed:
        return Pushed(cursor, standing.lines - cursor)

    patch.object(replicator, "come_up", come_up_anyhow).start()
    patch.object(pushing, "_stop", go_on).start()


def noevidence() -> None:
    """The station goes by what it knows, and does not look at what stands on the board."""

    def by_knowledge(_uid: UID, _key: str | None, own: OwnKnowledge, claim: Claim | None, _station: str) -> Way:
        if own.known:
            return Way.OWN
        return Way.NEW if claim is None or claim.known is None else Way.ADOPT

    patch.object(claiming, "way", by_knowledge).start()
    patch.object(Past, "check_ours", lambda _past, _uid, _key: None).start()


@dataclass(frozen=True)
class Bug:
    """A fault, and the promises of which it must break one."""

    plant: Callable[[], None]
    breaks: frozenset[str]


BUGS: Mapping[str, Bug] = {
    "expire": Bug(expire, frozenset({"no serial number twice"})),
    "nofence": Bug(nofence, frozenset({"no serial number twice", "the centre has the station's journal"})),
    "nodedup": Bug(nodedup, frozenset({"what happened is counted once"})),
    "localpair": Bug(localpair, frozenset({"no pair twice"})),
    "noevidence": Bug(
        noevidence, frozenset({"a passed unit keeps its identity", "a passed unit keeps its certificate"})
    ),
}
