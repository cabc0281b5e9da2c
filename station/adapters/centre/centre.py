# SPDX-License-Identifier: Apache-2.0
"""The centre as one station uses it: each method is one transaction, and may be repeated after a lost answer."""

import hashlib
import zlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import nullcontext
from typing import Protocol, TypeVar

from psycopg import AsyncConnection

from station.adapters.centre import blocks, caller, claims, effects
from station.adapters.centre.caller import Known
from station.adapters.centre.told import moment
from station.adapters.centre.trouble import CentreBroken, CentreRefused
from station.domain.shared import MOST_LINES, Claim, Cursor, Enrolment, Grant, Line, Refusal, Request, Word
from station.domain.target import UID

T = TypeVar("T")

LEVEL = 6  # of zlib
NO_TABLES = frozenset({"42P01", "42703"})  # a table or a column that this version needs is missing
CONTENT = frozenset({"22", "23", "54"})  # classes of SQLSTATE: a value, a constraint, a limit


class Connection(Protocol):
    async def transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Carries out one transaction, again after a clash with another; what `work` raises undoes it."""


class Centre:
    """Implements `replication.interfaces.Centre` over one connection. A station has one for its journal and one for claims."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def enrol(self, ledger: str, place: str, head: bytes, incarnation: int | None = None) -> Enrolment:
        """`incarnation` is the number that a ledger has which this centre has forgotten: it gets that again if it is free."""

        async def work(connection: AsyncConnection) -> Enrolment:
            station, _ = await caller.station(connection, locked=True)
            found = await connection.execute(
                "SELECT number FROM incarnation WHERE station = %s AND ledger_id = %s", [station, ledger]
            )
            if row := await found.fetchone():
                return Enrolment(station, row[0])  # the answer was lost
            if incarnation is not None and await _remember(connection, station, incarnation, ledger, place, head):
                return Enrolment(station, incarnation)
            await caller.check_whole(connection)  # a centre that was set back would give a number twice
            return Enrolment(station, await _begin(connection, station, ledger, place, head))

        return await self._do(work)

    async def hello(self, incarnation: int, next_line: int, tick: int, fleet_check: str) -> Word:
        async def work(connection: AsyncConnection) -> Word:
            station, _ = await caller.station(connection)
            await caller.check_fleet(connection, fleet_check)
            await caller.frozen(connection, tick)
            found = await connection.execute(
                "UPDATE incarnation SET heard_at = now() WHERE station = %s AND number = %s RETURNING closed, next_line",
                [station, incarnation],
            )
            row = await found.fetchone()
            if row is None:
                return Word.UNKNOWN
            closed, known_next = row
            if known_next > next_line:
                return Word.ROLLED_BACK
            return Word.CLOSED if closed else Word.OK

        return await self._do(work)

    async def grant(self, incarnation: int, request: Request) -> Grant:
        async def work(connection: AsyncConnection) -> Grant | CentreRefused:
            known = await caller.incarnation(connection, incarnation, caller.STATION_LOCKED)
            if refused := await caller.frozen(connection, request.tick):
                return refused  # and the freeze is committed
            _check_open(known)
            await caller.check_whole(connection)
            await caller.check_open(connection)
            return await blocks.grant(connection, known.caller, request)

        answer = await self._do(work)
        if isinstance(answer, CentreRefused):
            raise answer
        return answer

    async def push(self, incarnation: int, first: int, previous: bytes, lines: Sequence[Line]) -> Cursor:
        check_chain(first, previous, lines)
        try:
            return await self._push(incarnation, first, previous, lines, apart=False)
        except CentreBroken as exc:
            if exc.sqlstate[:2] not in CONTENT and exc.sqlstate:
                raise
        return await self._push(incarnation, first, previous, lines, apart=True)

    async def enter(self, incarnation: int, uids: Collection[UID]) -> frozenset[UID]:
        async def work(connection: AsyncConnection) -> frozenset[UID]:
            new = await claims.enter(connection, incarnation, uids)
            if new is None:
                _check_open(await caller.incarnation(connection, incarnation))
            return new or frozenset()

        return await self._do(work)

    async def claim(self, incarnation: int, uid: UID) -> Claim:
        async def work(connection: AsyncConnection) -> Claim:
            known = await caller.incarnation(connection, incarnation)
            _check_open(known)
            return await claims.claim(connection, known.caller, uid)

        return await self._do(work)

    async def give_back(self, incarnation: int, lot: str, numbers: Sequence[int]) -> None:
        async def work(connection: AsyncConnection) -> None:
            known = await caller.incarnation(connection, incarnation)
            await blocks.give_back(connection, known.caller, lot, numbers)

        await self._do(work)

    async def _push(
        self, incarnation: int, first: int, previous: bytes, lines: Sequence[Line], *, apart: bool
    ) -> Cursor:
        async def work(connection: AsyncConnection) -> Cursor:
            known = await caller.incarnation(connection, incarnation, caller.INCARNATION_LOCKED)
            if lines and self.follows(known, first, previous):
                async with nullcontext() if apart else connection.pipeline():
                    await _store(connection, known, previous, lines)
                    await effects.carry_out(connection, known, lines, apart=apart)
                return Cursor(lines[-1].number + 1, lines[-1].hash, known.closed)
            await _hear(connection, known)
            return Cursor(known.next_line, known.head, known.closed)

        return await self._do(work)

    @staticmethod
    def follows(known: Known, first: int, previous: bytes) -> bool:
        """Whether the lines go on where the centre's cursor stands: this alone keeps each fact from counting twice.

        The first line brings the hash that it follows, which its segment keeps: boards may have been made under the earlier
        incarnation since the enrolment was asked for.
        """
        return first == known.next_line and (previous == known.head or first == 1)

    async def _do(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        try:
            return await self._connection.transaction(work)
        except CentreBroken as exc:
            if exc.sqlstate not in NO_TABLES:
                raise
            raise CentreRefused(
                Refusal.SCHEMA, f"the database has no tables of a centre ({exc}); run `station central init`"
            ) from exc


def check_chain(first: int, previous: bytes, lines: Sequence[Line]) -> None:
    """Raises `CentreRefused` unless each line follows the one before it, by its number and its hash."""
    if len(lines) > MOST_LINES:
        raise ValueError(f"{len(lines)} lines in one push; {MOST_LINES} are allowed")
    for number, line in enumerate(lines, first):
        previous = hashlib.sha256(previous + line.text).digest()
        if line.number != number or line.hash != previous or b"\n" in line.text:
            raise CentreRefused(
                Refusal.BROKEN_CHAIN, f"line {line.number} does not follow the line before it: its hash is wrong"
            )


def _check_open(known: Known) -> None:
    if known.closed:
        of = known.caller
        raise CentreRefused(
            Refusal.CLOSED, f"incarnation {of.incarnation} of {of.name} is closed: a later ledger has taken its place"
        )


async def _begin(connection: AsyncConnection, station: int, ledger: str, place: str, head: bytes) -> int:
    """Begins the station's next incarnation, and closes all others. What they have not used is burned."""
    await connection.execute("UPDATE incarnation SET closed = true WHERE station = %s AND NOT closed", [station])
    await connection.execute("UPDATE block SET state = 'burned' WHERE station = %s AND state = 'held'", [station])
    counted = await connection.execute(
        "UPDATE station SET incarnations = incarnations + 1 WHERE id = %s RETURNING incarnations", [station]
    )
    (number,) = await counted.fetchone() or (0,)
    await connection.execute(
        "INSERT INTO incarnation (station, number, ledger_id, place, base, head) VALUES (%s, %s, %s, %s, %s, %s)",
        [station, number, ledger, place, head, head],
    )
    return int(number)


async def _remember(
    connection: AsyncConnection, station: int, number: int, ledger: str, place: str, head: bytes
) -> bool:
    """Enters an incarnation that the centre has forgotten, open if it is the station's newest. False: another has its number."""
    await connection.execute(
        "UPDATE station SET incarnations = greatest(incarnations, %s) WHERE id = %s", [number, station]
    )
    await connection.execute(
        "UPDATE incarnation SET closed = true WHERE station = %s AND number < %s AND NOT closed", [station, number]
    )
    await connection.execute(
        "UPDATE block SET state = 'burned' WHERE station = %s AND incarnation < %s AND state = 'held'",
        [station, number],
    )
    added = await connection.execute(
        "INSERT INTO incarnation (station, number, ledger_id, place, base, head, closed)"
        " SELECT %(station)s, %(number)s, %(ledger)s, %(place)s, %(head)s, %(head)s,"
        "   EXISTS (SELECT 1 FROM incarnation WHERE station = %(station)s AND number > %(number)s)"
        " ON CONFLICT DO NOTHING",
        {"station": station, "number": number, "ledger": ledger, "place": place, "head": head},
    )
    return added.rowcount == 1


async def _store(connection: AsyncConnection, known: Known, previous: bytes, lines: Sequence[Line]) -> None:
    """Keeps the lines as a segment, and moves the cursor behind them."""
    last = lines[-1]
    await connection.execute(
        "WITH kept AS (INSERT INTO segment (station, incarnation, first_line, last_line, previous, head, body)"
        "   VALUES (%(station)s, %(incarnation)s, %(first)s, %(last)s, %(previous)s, %(head)s, %(body)s))"
        " UPDATE incarnation SET next_line = %(last)s + 1, head = %(head)s, heard_at = now(), newest_at = %(at)s"
        " WHERE station = %(station)s AND number = %(incarnation)s",
        {
            "station": known.caller.station,
            "incarnation": known.caller.incarnation,
            "first": lines[0].number,
            "last": last.number,
            "previous": previous,
            "head": last.hash,
            "body": zlib.compress(b"\n".join(line.text for line in lines), LEVEL),
            "at": moment(last),
        },
    )


async def _hear(connection: AsyncConnection, known: Known) -> None:
    await connection.execute(
        "UPDATE incarnation SET heard_at = now() WHERE station = %s AND number = %s",
        [known.caller.station, known.caller.incarnation],
    )
