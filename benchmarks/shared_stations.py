# SPDX-License-Identifier: Apache-2.0
"""Many stations at one centre, in processes of their own: they push units, claim boards, and ask for blocks."""

import asyncio
import multiprocessing
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from queue import Empty

from psycopg import AsyncConnection

from benchmarks.recording import RunUnusable
from station.adapters.centre.centre import Centre
from station.adapters.centre.connection import Connection
from station.domain.facts import CertificateIssued, IntermediateSeen, RequestSubmitted
from station.domain.shared import GRID, Line, Rank, Request
from station.domain.target import UID
from tests.builders.centres import BEGUN, LOT, PAI, PAI_NAME, RELEASE, Chance, Journal, Teller

PROCESSES = 2
AT_ONCE = 8  # transactions of one process, where they go as fast as they can: more would only wait for its processor
STEPS = (
    "recognise",
    "flash_data",
    "flash_provisioner",
    "await_csr",
    "relay_to_pki",
    "deliver",
    "flash_operational",
    "confirm",
)
DAC, SEALED = 516, 190  # bytes: a usual certificate; passcode, salt, verifier and rotating id with their seal
WITHIN = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What each of the stations does: so many pushes of so many units.

    `period`: seconds from push to push; 0 for as fast as it goes. `bare`: only the lines themselves are written, as one row in a
    table, which is the least that any centre does.
    """

    stations: int
    units: int
    pushes: int
    period: float = 0.0
    claims: bool = False
    bare: bool = False


@dataclass
class Times:
    """Seconds of each transaction, and how long all pushes took together."""

    pushes: list[float] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    """From a unit's verdict until the centre has it durably, where stations push at a pace."""
    wall: float = 0.0


def run(dsns: Sequence[str], plan: Plan, seed: int) -> Times:
    """Carries out the plan; `dsns` are those of the stations, each with its own role."""
    context = multiprocessing.get_context("spawn")
    barrier, found = context.Barrier(PROCESSES), context.Queue()
    workers = [
        context.Process(target=_work, args=(dsns[number::PROCESSES], plan, seed * PROCESSES + number, barrier, found))
        for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    try:
        times = [_result(found, workers) for _ in workers]
    finally:
        _end(workers)
    return Times(
        pushes=[time for each in times for time in each.pushes],
        claims=[time for each in times for time in each.claims],
        lags=[time for each in times for time in each.lags],
        wall=max(each.wall for each in times),
    )


def _result(found: "Queue[Times]", workers: Sequence[SpawnProcess]) -> Times:
    while True:
        try:
            return found.get(timeout=1.0)
        except Empty:
            if any(worker.exitcode for worker in workers):
                raise RunUnusable("a process of stations has failed") from None


def _end(workers: Sequence[SpawnProcess]) -> None:
    for worker in workers:
        if worker.exitcode is None:
            worker.terminate()
        worker.join(WITHIN)


def _work(dsns: Sequence[str], plan: Plan, seed: int, barrier: Barrier, found: "Queue[Times]") -> None:
    found.put(asyncio.run(_stations(dsns, plan, seed, barrier)))


async def _stations(dsns: Sequence[str], plan: Plan, seed: int, barrier: Barrier) -> Times:
    times, turns = Times(), asyncio.Semaphore(AT_ONCE)
    stations = [Station(dsn, plan, Chance(seed * 1000 + number), times, turns) for number, dsn in enumerate(dsns)]
    async with asyncio.TaskGroup() as group:
        for station in stations:
            group.create_task(station.prepare())
    for station in stations:
        station.write()  # takes the processor for seconds, for which no transaction may wait
    await asyncio.to_thread(barrier.wait)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, station in enumerate(stations):
            group.create_task(station.work(began + plan.period * number / len(stations)))
    times.wall = time.perf_counter() - began
    for station in stations:
        await station.close()
    return times


class Station:
    """One station, with its journal written in advance."""

    def __init__(self, dsn: str, plan: Plan, chance: Chance, times: Times, turns: asyncio.Semaphore) -> None:
        self._journals, self._claims = (Connection(dsn, "benchmark", deadline=WITHIN) for _ in range(2))
        self._plan, self._times, self._chance, self._turns = plan, times, chance, turns
        self._batches = list[Sequence[Line]]()
        self._teller = Teller(Centre(self._journals), chance, self._journals)

    async def prepare(self) -> None:
        """Enrols, and gets blocks for all units."""
        plan = self._plan
        blocks = -(-plan.units * plan.pushes // GRID)
        async with self._turns:
            await self._teller.enrol()
            hashes = self._chance.hashes(blocks * GRID)
            await self._teller.grant(Request(self._chance.number(), LOT, RELEASE, blocks, hashes, tick=0))
        if plan.claims:
            await self._claim(self._chance.uid())

    def write(self) -> None:
        """Writes the journal."""
        plan = self._plan
        for _ in range(plan.pushes):
            begun = len(self._teller.journal.lines)
            for _ in range(plan.units):
                tell_unit(self._teller)
            self._batches.append(self._teller.journal.lines[begun:])

    async def work(self, at: float) -> None:
        previous, first = bytes(32), 1
        for number, lines in enumerate(self._batches):
            due = at + number * self._plan.period
            if self._plan.period:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if self._plan.claims:
                for _ in range(self._plan.units):
                    self._times.claims.append(await _timed(self._claim(self._chance.uid())))
            async with nullcontext() if self._plan.period else self._turns:
                self._times.pushes.append(await _timed(self._push(first, previous, lines)))
            if self._plan.period:
                self._times.lags += self._lags(due, time.perf_counter())
            previous, first = lines[-1].hash, lines[-1].number + 1

    def _lags(self, due: float, durable: float) -> list[float]:
        """Of the units of the push that was due, which pass evenly over the time since the one before."""
        apart = self._plan.period / self._plan.units
        return [durable - due + apart * (number + 0.5) for number in range(self._plan.units)]

    async def close(self) -> None:
        await self._journals.close()
        await self._claims.close()

    async def _push(self, first: int, previous: bytes, lines: Sequence[Line]) -> None:
        if self._plan.bare:
            await self._journals.transaction(_written(b"\n".join(line.text for line in lines)))
            return
        cursor = await self._teller.centre.push(self._teller.incarnation, first, previous, lines)
        assert cursor.next_line == lines[-1].number + 1

    async def _claim(self, uid: UID) -> None:
        if self._plan.bare:
            await self._claims.transaction(_written(uid.raw))
        else:
            await Centre(self._claims).claim(self._teller.incarnation, uid)


def _written(content: bytes) -> Callable[[AsyncConnection], Awaitable[None]]:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute("INSERT INTO bare (content) VALUES (%s)", [content])

    return work


async def _timed(work: Awaitable[None]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def tell_unit(teller: Teller) -> None:
    """Tells of a unit that passes: all events of its attempt, as a line makes them, and its facts."""
    journal, chance = teller.journal, teller.chance
    uid, number = chance.uid(), next(teller.attempts)
    first = journal.next_line
    journal.write("AttemptBegun", _begun(number))
    index = 0
    for step in STEPS:
        journal.write("StepStarted", {"step": step}, number)
        match step:
            case "recognise":
                _identified(journal, uid, number)
                index = teller.take(uid)
            case "flash_data":
                teller.advance(uid, index, Rank.ON_BOARD)
            case "relay_to_pki":
                _certify(teller, uid, number)
                teller.advance(uid, index, Rank.CERTIFIED)
            case "deliver":
                journal.write("CredentialsDelivered", {"key_storage": "cks"}, number)
            case "confirm":
                journal.write("Confirmed", {}, number)
        journal.write("StepFinished", {"seconds": 1.234, "step": step}, number)
    journal.write("Passed", {}, number)
    teller.advance(uid, index, Rank.PASSED)
    ended: dict[str, object] = {
        "attempt": number,
        "fault": None,
        "first": first,
        "laboratory": False,
        "lot": LOT,
        "release": RELEASE,
    }
    ended |= {"seconds": 16.8, "slot": str(number % 64), "started_at": f"{BEGUN:%Y-%m-%dT%H:%M:%S.000Z}"}
    journal.write("AttemptEnded", {**ended, "uid": str(uid), "verdict": "pass"})


def _begun(number: int) -> dict[str, object]:
    return {
        "attempt": number,
        "commit": None,
        "lot": LOT,
        "probe": "066AFF303430484257254117",
        "recipe": "recipes/light.toml",
        "recipe_sha256": "5e" * 32,
        "release": RELEASE,
        "slot": str(number % 64),
        "tty": "/dev/serial/by-id/usb-ST_066AFF303430484257254117",
        "version": "1.0.0",
    }


def _identified(journal: Journal, uid: UID, number: int) -> None:
    found = {"device_id": 1173, "probe_firmware": "V2J45M30", "programmer_version": "2.19.0", "supply_mv": 3280}
    journal.write("UnitIdentified", {**found, "uid": str(uid)}, number)


def _certify(teller: Teller, uid: UID, number: int) -> None:
    chance = teller.chance
    key = chance.key()
    if number == 1:
        teller.journal.tell(IntermediateSeen(PAI_NAME, PAI))
    dac = random.Random(key).randbytes(DAC)  # noqa: S311  a certificate's content does not shrink, so chance stands for it
    teller.journal.tell(
        RequestSubmitted(number, key, uid), CertificateIssued(number, key, uid, chance.serial(), dac, PAI_NAME)
    )
