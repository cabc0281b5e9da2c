# SPDX-License-Identifier: Apache-2.0
"""Centres of the shared ledger for tests, and stations that tell them facts."""

import hashlib
import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from itertools import count

import psycopg

from station.adapters.centre import administration
from station.adapters.centre.centre import Centre
from station.adapters.centre.connection import Connection
from station.domain.facts import (
    AttemptBegun,
    AttemptEnded,
    CertificateIssued,
    Fact,
    IdentityAdvanced,
    IdentityTaken,
    IntermediateSeen,
    RequestSubmitted,
)
from station.domain.shared import Cursor, Grant, Line, Rank, Request, Word
from station.domain.target import UID
from tests.builders.postgresql import Server

BEGUN = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
RELEASE = "5e" * 32
LOT, FORMAT, SIZE = "L1", "LIGHT-{:06d}", 2560
CHECK = "0123456789abcdef"
STATIONS = 8
PAI = b"an intermediate certificate"
PAI_NAME = hashlib.sha256(PAI).hexdigest()


def made(server: Server, *, size: int = SIZE, stations: int = STATIONS) -> str:
    """A database with a centre: lot L1, its release approved, and stations line_1, line_2 and so on. Returns its name."""
    database = server.database()
    with owner(server, database) as connection:
        assert administration.init(connection) == []
        administration.add_lot(connection, LOT, FORMAT, 1, size)
        administration.approve(connection, RELEASE, LOT)
        for number in range(1, stations + 1):
            assert administration.add_station(connection, f"line-{number}", f"line_{number}") == []
    return database


@contextmanager
def owner(server: Server, database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.dsn(database), autocommit=True) as connection:
        yield connection


class Chance:
    """UIDs, keys and numbers by chance, the same in each run."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def uid(self) -> UID:
        return UID(self._random.randbytes(12))

    def key(self) -> str:
        return self._random.randbytes(32).hex()

    def serial(self) -> str:
        return f"4{self._random.getrandbits(124):031X}"

    def number(self) -> str:
        return self._random.randbytes(16).hex()

    def hashes(self, how_many: int) -> list[int]:
        return [self._random.getrandbits(64) - 2**63 for _ in range(how_many)]


@dataclass
class Journal:
    """The lines of one incarnation, as a station's ledger makes them."""

    head: bytes = bytes(32)
    lines: list[Line] = field(default_factory=list)
    at: datetime = BEGUN

    @property
    def next_line(self) -> int:
        return len(self.lines) + 1

    def tell(self, *facts: Fact) -> Sequence[Line]:
        return [self.write(fact.on_disk.name, body(fact)) for fact in facts]

    def write(self, name: str, content: object, attempt: int | None = None) -> Line:
        """Adds a line of any type."""
        self.at += timedelta(seconds=1)
        text = json.dumps(
            [self.next_line, iso(self.at), name, attempt, content], separators=(",", ":"), ensure_ascii=False
        ).encode()
        return self.add(text)

    def add(self, text: bytes) -> Line:
        self.head = hashlib.sha256(self.head + text).digest()
        self.lines.append(Line(self.next_line, text, self.head))
        return self.lines[-1]


def body(fact: Fact) -> dict[str, object]:
    values = [getattr(fact, each.name) for each in fields(fact)]
    return dict(sorted(zip(fact.on_disk.keys, map(_plain, values), strict=True)))


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: object) -> object:
    match value:
        case bytes():
            return value.hex()
        case UID():
            return str(value)
        case datetime():
            return iso(value)
        case _:
            return value


@dataclass
class Teller:
    """A station with one connection to the centre, which keeps its journal in memory."""

    centre: Centre
    chance: Chance
    connection: Connection
    incarnation: int = 0
    station: int = 0
    tick: int = 0
    ledger: str = ""
    journal: Journal = field(default_factory=Journal)
    indexes: list[int] = field(default_factory=list)
    sent: int = 0
    attempts: Iterator[int] = field(default_factory=lambda: count(1))

    async def hang_up(self) -> None:
        """Ends a connection whose server was stopped; the next transaction makes another one."""
        await self.connection.close()

    async def enrol(self, ledger: str | None = None) -> None:
        self.ledger = ledger or self.chance.number()
        found = await self.centre.enrol(self.ledger, "a place", bytes(32))
        self.station, self.incarnation = found.station, found.incarnation
        self.journal, self.sent, self.indexes = Journal(), 0, []

    async def hello(self) -> Word:
        return await self.centre.hello(self.incarnation, self.journal.next_line, self.tick, CHECK)

    def request(self, blocks: int = 1, candidates: int = 4) -> Request:
        return Request(self.chance.number(), LOT, RELEASE, blocks, self.chance.hashes(candidates), self.tick)

    async def grant(self, request: Request | None = None) -> Grant:
        given = await self.centre.grant(self.incarnation, request or self.request())
        self.tick = given.tick
        self.indexes += [index for block in given.blocks for index in range(256 * block, 256 * (block + 1))]
        return given

    async def push(self) -> Cursor:
        """Pushes what the centre does not have yet."""
        previous = self.journal.lines[self.sent - 1].hash if self.sent else bytes(32)
        cursor = await self.centre.push(
            self.incarnation, self.sent + 1, previous, self.journal.lines[self.sent : self.sent + 3000]
        )
        self.sent = cursor.next_line - 1
        return cursor

    def take(self, uid: UID, index: int | None = None) -> int:
        """Tells that the unit got a serial number of this station; returns its index."""
        taken = self.indexes.pop(0) if index is None else index
        self.journal.tell(IdentityTaken(uid, LOT, taken, f"LIGHT-{taken + 1:06d}", b"sealed of " + uid.raw))
        return taken

    def advance(self, uid: UID, index: int, *ranks: Rank) -> None:
        self.journal.tell(*(IdentityAdvanced(uid, LOT, index, rank.value) for rank in ranks))

    def end(
        self,
        uid: UID | None,
        verdict: str = "pass",
        fault: str | None = None,
        slot: str = "1",
        *,
        laboratory: bool = False,
    ) -> None:
        """Tells of an attempt from its beginning to its verdict."""
        number = next(self.attempts)
        began = self.journal.next_line
        begun = AttemptBegun(number, slot, "066AFF3034", "/dev/ttyACM0", "r.toml", "ab" * 32, RELEASE, LOT, None, None)
        ended = AttemptEnded(
            number, uid, slot, verdict, fault, self.journal.at, 16.8, LOT, RELEASE, laboratory, first=began
        )
        self.journal.tell(begun, ended)

    def certify(self, uid: UID, request: int, key: str | None = None, serial: str | None = None) -> str:
        """Tells of a request and its certificate; returns the key's name."""
        key, serial = key or self.chance.key(), serial or self.chance.serial()
        self.journal.tell(
            RequestSubmitted(request, key, uid),
            IntermediateSeen(PAI_NAME, PAI),
            CertificateIssued(request, key, uid, serial, b"a DAC of " + uid.raw, PAI_NAME),
        )
        return key

    def finish(self, uid: UID, request: int) -> int:
        """Tells of a unit that passes; returns the index of its serial number."""
        index = self.take(uid)
        self.advance(uid, index, Rank.ON_BOARD)
        self.certify(uid, request)
        self.advance(uid, index, Rank.CERTIFIED, Rank.PASSED)
        self.end(uid)
        return index


@asynccontextmanager
async def teller(server: Server, database: str, number: int = 1, deadline: float = 60.0) -> AsyncIterator[Teller]:
    """Station `line-<number>`, connected and not enrolled yet."""
    async with Connection(server.dsn(database, f"line_{number}"), f"line-{number}", deadline=deadline) as connection:
        yield Teller(Centre(connection), Chance(number), connection)
