# SPDX-License-Identifier: Apache-2.0
"""Three stations with real ledgers and one real centre as a state machine of Hypothesis: answers are lost, old copies put back.

`python -m tests.shared.stateful [FAULT …]` runs it long, without and with each planted fault, which it must find.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import psycopg
import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from station.adapters.centre.centre import Centre
from station.adapters.centre.connection import Connection
from station.adapters.centre.trouble import CentreUnreachable
from station.adapters.ledger import Ledger, restoration
from station.adapters.ledger.register import Register
from station.adapters.ledger.shared_reader import reading
from station.adapters.ledger.sharing import Shared
from station.adapters.system import logs
from station.adapters.system.verifiers import VerifierPool
from station.domain.attempt import STATION_STOPPED, Voided
from station.domain.shared import Claim, Cursor, Enrolment, Grant, Line, Request, Word
from station.domain.target import UID
from station.faults.line import LeaseExhausted
from station.replication.replicator import Pace, Replicator, Terms
from station.replication.seen import State
from tests.builders.bench import begun, passed
from tests.builders.postgresql import Server
from tests.builders.replicas import RECIPE, made
from tests.builders.sharing import FLEET, of
from tests.shared.campaign import planted

STATIONS = 3
NO_PAUSE = Pace(sync_every=0, retried_after=0, retried_within=0, greeted_every=0, asked_every=0)
NUMBERS = st.sampled_from((0, 0, 0, 1, 2))  # mostly one: only a station to which much happens shows most mistakes
FAULTS = ("nofence", "nodedup")
WITHIN = 60.0
IN_MEMORY = Path("/dev/shm")


class LosingCentre:
    """The centre, of which one answer is lost: the one after `lost` others. The transaction is carried out."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self.lost: int | None = None

    async def _answer(self, answer: object) -> None:
        if self.lost == 0:
            self.lost = None
            raise CentreUnreachable(f"{type(answer).__name__} is lost")
        if self.lost is not None:
            self.lost -= 1

    async def enrol(self, ledger: str, place: str, head: bytes, incarnation: int | None = None) -> Enrolment:
        answer = await self._centre.enrol(ledger, place, head, incarnation)
        await self._answer(answer)
        return answer

    async def hello(self, incarnation: int, next_line: int, tick: int, fleet_check: str) -> Word:
        answer = await self._centre.hello(incarnation, next_line, tick, fleet_check)
        await self._answer(answer)
        return answer

    async def grant(self, incarnation: int, request: Request) -> Grant:
        answer = await self._centre.grant(incarnation, request)
        await self._answer(answer)
        return answer

    async def push(self, incarnation: int, first: int, previous: bytes, lines: Sequence[Line]) -> Cursor:
        answer = await self._centre.push(incarnation, first, previous, lines)
        await self._answer(answer)
        return answer

    async def enter(self, incarnation: int, uids: Collection[UID]) -> frozenset[UID]:
        return await self._centre.enter(incarnation, uids)

    async def claim(self, incarnation: int, uid: UID) -> Claim:
        return await self._centre.claim(incarnation, uid)

    async def give_back(self, incarnation: int, lot: str, numbers: Sequence[int]) -> None:
        await self._centre.give_back(incarnation, lot, numbers)


class Station:
    """One station without tasks or threads: every rule is a whole step."""

    def __init__(self, folder: Path, number: int, dsn: str) -> None:
        self.name = f"line-{number}"
        self.folder, self.copies = folder / self.name, folder / f"{self.name}.copies"
        self.folder.mkdir()
        self.connection = Connection(dsn, self.name, deadline=WITHIN)
        self.centre = LosingCentre(Centre(self.connection))
        self.set_back = False
        self._open = AsyncExitStack()

    @property
    def path(self) -> Path:
        return self.folder / "state" / "ledger.sqlite"

    async def start(self) -> None:
        """Opens the ledger; if it was put back, a person says so."""
        self.path.parent.mkdir(exist_ok=True)
        register = Register(self.folder / "machine")
        if self.path.exists() and restoration.examine(self.path, register).reasons:
            restoration.restore(self.path, self.name, register, skip=0, new_key=False)
        shared = Shared(FLEET, RECIPE.release)
        opening = Ledger.open(self.path, station=self.name, register=register.folder, shared=shared)
        self.ledger = await self._open.enter_async_context(opening)
        await self.ledger.close_open_attempts(STATION_STOPPED)
        reader = self._open.enter_context(reading(self.path, RECIPE))
        terms = Terms(str(self.path), pace=NO_PAUSE)
        self.replicator = Replicator(self.centre, reader, of(self.ledger), terms, RECIPE.release)
        self.replicator.look()
        self.secrets = await self._open.enter_async_context(VerifierPool(1000, 0, of(self.ledger).pair))

    async def stop(self) -> None:
        await self._open.aclose()

    @property
    def may_begin(self) -> bool:
        """A ledger that a snapshot may have set back waits for the centre (`offline_start = "never"`)."""
        return self.replicator.seen.greeted or not self.set_back

    async def make(self, board: int) -> tuple[str, tuple[int, int]] | None:
        """Passes a new board. Returns its serial number and its pair; None if the station has nothing left."""
        journal = await begun(self.ledger, self.secrets, recipe=RECIPE)
        try:
            identity = await passed(journal, board, f"{board:04X}", RECIPE)
        except LeaseExhausted as fault:
            await journal.finish(Voided(fault.code))
            return None
        return identity.serial_number, (identity.secrets.passcode.value, identity.secrets.discriminator.value)

    async def told(self) -> None:
        """Goes round until the centre has everything, or has ended this ledger."""
        self.centre.lost = None
        for _ in range(50):
            await self.replicator.round()
            seen = self.replicator.seen
            if seen.state is State.FORKED or (seen.state in {State.UP, State.FENCED} and not seen.waiting):
                return
        raise AssertionError(f"{self.name} does not drain: {self.replicator.seen}")

    def copy(self) -> None:
        shutil.rmtree(self.copies, ignore_errors=True)
        shutil.copytree(self.folder, self.copies)

    def put_back(self) -> None:
        """An old copy of the state folder, as a person puts a backup back: another file."""
        shutil.rmtree(self.folder / "state")
        shutil.copytree(self.copies / "state", self.folder / "state")

    def snap_back(self) -> None:
        """The whole machine as it was, as a virtual machine's snapshot: the same files with old contents."""
        shutil.rmtree(self.folder / "machine")
        shutil.copytree(self.copies / "machine", self.folder / "machine")
        for file in self.path.parent.iterdir():
            if not (self.copies / "state" / file.name).exists():
                file.unlink()
        for file in (self.copies / "state").iterdir():
            (self.path.parent / file.name).write_bytes(file.read_bytes())
        self.set_back = True


class Machine(RuleBasedStateMachine):
    """No serial number and no pair is given twice, and no line of a journal is missing or twice at the centre."""

    server: ClassVar[Server]
    template: ClassVar[str]
    transactions: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        # As the daemon; in development mode a loop would note down a stack for each callback, which takes as long as the rest.
        self.runner = asyncio.Runner(debug=False, loop_factory=uvloop.new_event_loop)
        self.stations: list[Station] = []
        self.boards = 0
        self.serial_numbers: dict[str, int] = {}
        self.pairs: dict[tuple[int, int], int] = {}
        self.copied: set[int] = set()

    def do(self, work: Callable[[], Awaitable[object]]) -> None:
        async def done() -> None:
            await work()

        self.runner.run(done())

    @initialize()
    def begin(self) -> None:
        self.database = self.server.database(self.template)
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None))  # a disk would take minutes
        for number in range(1, STATIONS + 1):
            dsn = self.server.dsn(self.database, f"line_{number}")
            self.stations.append(Station(self.folder, number, dsn))
            self.do(self.stations[-1].start)

    @rule(number=NUMBERS, lost=st.none() | st.integers(0, 3))
    def go_round(self, number: int, lost: int | None) -> None:
        """One round of the replicator, one of whose answers may be lost."""
        station = self.stations[number]
        station.centre.lost = lost
        self.do(station.replicator.round)
        station.centre.lost = None

    @rule(number=NUMBERS)
    def make(self, number: int) -> None:
        """A new board, with or without the centre."""
        if self.stations[number].may_begin:
            self.do(lambda: self._make(self.stations[number]))

    async def _make(self, station: Station) -> None:
        self.boards += 1
        if (unit := await station.make(self.boards)) is not None:
            serial_number, pair = unit
            assert self.serial_numbers.setdefault(serial_number, self.boards) == self.boards, "a serial number twice"
            assert self.pairs.setdefault(pair, self.boards) == self.boards, "a pair twice"

    @rule(number=NUMBERS)
    def restart(self, number: int) -> None:
        self._between(number, lambda: None)

    @rule(number=NUMBERS)
    def copy(self, number: int) -> None:
        self._between(number, self.stations[number].copy)
        self.copied.add(number)

    @precondition(lambda self: self.copied)
    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.copied)))
        self._between(number, self.stations[number].put_back)

    @precondition(lambda self: self.copied)
    @rule(data=st.data())
    def snap_back(self, data: st.DataObject) -> None:
        """Before, everything is told: units of which the centre has never heard are lost with the snapshot, and nobody can tell."""
        number = data.draw(st.sampled_from(sorted(self.copied)))
        self.do(self.stations[number].told)
        self._between(number, self.stations[number].snap_back)

    def _between(self, number: int, deed: Callable[[], None]) -> None:
        """Something happens to the station's folder between two runs of its daemon."""
        station = self.stations[number]
        self.do(station.stop)
        deed()
        self.do(station.start)

    def teardown(self) -> None:
        try:
            if self.stations:
                self._check()
        finally:
            for station in self.stations:
                self.do(station.stop)
                self.do(station.connection.close)
            self.runner.close()
            if self.stations:
                self.server.drop(self.database)
                shutil.rmtree(self.folder)

    def _check(self) -> None:
        for station in self.stations:
            self.do(station.told)
        with psycopg.connect(self.server.dsn(self.database)) as boss:
            assert boss.execute("SELECT kind, detail FROM anomaly").fetchall() == [], "the centre found a contradiction"
            query = "SELECT station, incarnation, first_line, last_line FROM segment ORDER BY 1, 2, 3"
            last: dict[tuple[int, int], int] = {}
            for station_number, incarnation, first, until in boss.execute(query):
                journal = station_number, incarnation
                assert first == last.get(journal, 0) + 1, "a line is missing or twice"
                last[journal] = until
            told = {name for (name,) in boss.execute("SELECT serial_number FROM identity")}
        assert told <= self.serial_numbers.keys()


def run(examples: int, steps: int, *, derandomize: bool = False, shrinks: bool = True) -> None:
    """Raises `AssertionError` if a promise is broken, by the shortest way that was found; `shrinks` false: by the first."""
    with (
        Server() as server,
        patch.multiple(Machine, server=server, template=made(server, STATIONS), create=True),
        logs.configured("error", None, aloud=False),
    ):
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
                derandomize=derandomize,
                phases=tuple(Phase) if shrinks else (Phase.generate,),
            ),
        )


def _found(fault: str) -> bool:
    try:
        planted.BUGS[fault].plant()
        run(300, 40, shrinks=False)
    except (AssertionError, ExceptionGroup) as exc:
        _say(f"{fault}: found: {str(exc).splitlines()[0]}")
        return True
    finally:
        patch.stopall()
    _say(f"{fault}: NOT FOUND")
    return False


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(faults: Sequence[str]) -> int:
    began = time.monotonic()
    run(100, 40)
    _say("without a fault: nothing found")
    found = [_found(fault) for fault in faults or FAULTS]
    _say(f"{time.monotonic() - began:.0f} s")
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
