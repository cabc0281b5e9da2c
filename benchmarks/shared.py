# SPDX-License-Identifier: Apache-2.0
"""The shared ledger's centre under a hundred stations: a durable PostgreSQL on this machine, which the stations share with it.

Each figure has a bound from the same run: the time or rate at which the same server writes the same bytes as one row.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import AsyncConnection

from benchmarks.recording import RunUnusable
from benchmarks.shared_stations import Plan, Times, run
from station.adapters.centre.centre import Centre
from station.adapters.centre.connection import Connection
from station.domain.shared import GRID, Request
from tests.builders.centres import LOT, RELEASE, Chance, Teller, made, owner
from tests.builders.postgresql import MISSING, Server, programs

STATIONS, UNITS_A_SECOND = 100, 351
BATCH, LARGE_BATCH = 4, 64
PACED_PUSHES, FAST_PUSHES, LARGE_PUSHES = 9, 25, 3
ROUNDS = 3
SMALL, LARGE = 1024, 65_536  # items of a grant
SMALL_GRANTS, LARGE_GRANTS = 20, 3
LOT_SIZE = 999_999  # as many as the lot's serial numbers have digits for


@dataclass
class Shared:
    """Each round's seconds and rates; those of the bound are what the same server needs for the bytes alone."""

    paced: list[Times] = field(default_factory=list)
    paced_bare: list[Times] = field(default_factory=list)
    rates: dict[int, list[float]] = field(default_factory=dict)
    """Units a second, by units of a push."""
    cpu: dict[int, list[float]] = field(default_factory=dict)
    """The server's CPU seconds a unit, by units of a push: what is left when stations have machines of their own."""
    bare_rates: dict[int, list[float]] = field(default_factory=dict)
    grants: dict[int, list[float]] = field(default_factory=dict)
    """Seconds, by items of a grant."""
    bare_grants: dict[int, list[float]] = field(default_factory=dict)
    bytes_a_unit: float = 0.0
    segment_bytes: float = 0.0


def shared() -> Shared:
    """Measures a new centre. Raises `RunUnusable`."""
    if programs() is None:
        raise RunUnusable(MISSING)
    found = Shared()
    with Server(durable=True, settings={"max_connections": "320"}) as server:
        database = made(server, size=LOT_SIZE, stations=STATIONS)
        with owner(server, database) as connection:
            connection.execute("CREATE TABLE bare (content bytea); CREATE TABLE bare_pairs (hash bigint PRIMARY KEY)")
            connection.execute("GRANT INSERT ON bare, bare_pairs TO station_writer")
        dsns = [server.dsn(database, f"line_{number}") for number in range(1, STATIONS + 1)]
        _grants(dsns[0], found)
        for seed in range(ROUNDS):
            _push(server, dsns, found, seed)
        with owner(server, database) as connection:
            _sizes(connection, found)
    return found


def _push(server: Server, dsns: list[str], found: Shared, seed: int) -> None:
    period = STATIONS * BATCH / UNITS_A_SECOND
    for bare, times in ((False, found.paced), (True, found.paced_bare)):
        times.append(run(dsns, Plan(STATIONS, BATCH, PACED_PUSHES, period, claims=True, bare=bare), seed * 10 + bare))
    for units, pushes in ((BATCH, FAST_PUSHES), (LARGE_BATCH, LARGE_PUSHES)):
        for bare, rates in ((False, found.rates), (True, found.bare_rates)):
            used = _ended_sessions_cpu(server)
            wall = run(dsns, Plan(STATIONS, units, pushes, bare=bare), seed * 10 + 2 + bare + units).wall
            told = STATIONS * units * pushes
            rates.setdefault(units, []).append(told / wall)
            if not bare:
                found.cpu.setdefault(units, []).append((_ended_sessions_cpu(server) - used) / told)


def _ended_sessions_cpu(server: Server) -> float:
    """CPU seconds of all sessions that have ended, which the server's first process has waited for."""
    pid = (server.data / "postmaster.pid").read_text().splitlines()[0]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")


def _grants(dsn: str, found: Shared) -> None:
    asyncio.run(_ask(dsn, found))


async def _ask(dsn: str, found: Shared) -> None:
    async with Connection(dsn, "benchmark", deadline=60) as connection:
        teller = Teller(Centre(connection), Chance(99), connection)
        await teller.enrol()
        for items, times in ((SMALL, SMALL_GRANTS), (LARGE, LARGE_GRANTS)):
            for _ in range(times):
                hashes = teller.chance.hashes(items)
                request = Request(teller.chance.number(), LOT, RELEASE, items // GRID, hashes, teller.tick)
                found.grants.setdefault(items, []).append(await _timed(teller.grant(request)))
                work = connection.transaction(_entered(teller.chance.hashes(items)))
                found.bare_grants.setdefault(items, []).append(await _timed(work))


def _entered(hashes: list[int]) -> Callable[[AsyncConnection], Awaitable[None]]:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute("INSERT INTO bare_pairs SELECT unnest(%s::bigint[])", [hashes])

    return work


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def _sizes(connection: psycopg.Connection, found: Shared) -> None:
    """Bytes with indexes of what a unit takes; pairs are counted for one unit each, since stations drew more than they used."""
    connection.execute("VACUUM")
    total, segments, pairs, known = connection.execute(
        "SELECT (SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname = ANY(%s)),"
        "   pg_total_relation_size('segment_rest'), pg_total_relation_size('pairing')::float / (SELECT count(*) FROM pairing),"
        "   (SELECT count(*) FROM identity)",
        [
            [
                "unit",
                "identity",
                "certificate",
                "request",
                "attempt_rest",
                "segment_rest",
                "yield",
                "block",
                "incarnation",
            ]
        ],
    ).fetchone() or (0, 0, 0, 1)
    found.bytes_a_unit = float(total) / known + pairs
    found.segment_bytes = segments / known
