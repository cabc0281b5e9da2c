# SPDX-License-Identifier: Apache-2.0
"""What a campaign leaves behind: the world's account, the stations' files and the centre's tables, read without any code of the station."""

import hashlib
import json
import sqlite3
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

GENESIS = bytes(32)
LEDGER = "ledger.sqlite"


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def line_text(number: int, at: str, kind: str, attempt: int | None, body: object) -> bytes:
    """A line of a journal, as the bytes that its hash is made of."""
    head = json.dumps([number, at, kind, attempt], separators=(",", ":"), ensure_ascii=False)
    return f"{head[:-1]},{canonical(body)}]".encode()


def after(previous: bytes, text: bytes) -> bytes:
    return hashlib.sha256(previous + text).digest()


@dataclass(frozen=True)
class Write:
    """Factory data that a station has put on a board."""

    uid: str
    serial_number: str
    pair: tuple[int, ...]
    by: str


@dataclass(frozen=True)
class Minted:
    """A certificate that the PKI has issued; `life` counts the runs of the station that asked."""

    dac: str
    key: str
    uid: str
    by: str
    life: int


@dataclass(frozen=True)
class Pass:
    serial_number: str
    pair: tuple[int, ...]
    dac: str
    by: str
    life: int


@dataclass(frozen=True)
class Board:
    uid: str
    key: str | None
    serial_number: str | None
    dac: str | None
    passes: Sequence[Pass]


@dataclass(frozen=True)
class World:
    boards: Sequence[Board]
    writes: Sequence[Write]
    minted: Sequence[Minted]
    wrong: Sequence[Mapping[str, str]]
    counts: Mapping[str, int]

    @classmethod
    def read(cls, file: Path) -> "World":
        seen = json.loads(file.read_text(encoding="utf-8"))
        boards = [
            Board(
                each["uid"],
                each["key"],
                each["serial_number"],
                each["dac"],
                [
                    Pass(one["serial_number"], tuple(one["pair"]), one["dac"], one["by"], int(one["life"]))
                    for one in each["passes"]
                ],
            )
            for each in seen["boards"]
        ]
        return cls(
            boards,
            [Write(each["uid"], each["serial_number"], tuple(each["pair"]), each["by"]) for each in seen["writes"]],
            [Minted(each["dac"], each["key"], each["uid"], each["by"], int(each["life"])) for each in seen["minted"]],
            seen["wrong"],
            seen["counts"],
        )


@dataclass(frozen=True)
class Line:
    number: int
    text: bytes = field(repr=False)
    hash: bytes = field(repr=False)
    """As the station's file has it."""


@dataclass(frozen=True)
class StationFile:
    """One ledger file of a station. `lost`: it was on a disk that died, or an older copy took its place."""

    station: str
    path: Path
    lost: bool
    life: int = 0
    """The last run of the station that wrote it."""

    def journals(self) -> Mapping[int, tuple[int, bytes]]:
        """The incarnations in the file, each with its last line's number and hash."""
        newest = "SELECT incarnation, max(number), hash FROM chain WHERE incarnation > 0 GROUP BY incarnation"
        return {incarnation: (number, bytes(head)) for incarnation, number, head in self._rows(newest)}

    def base(self, incarnation: int) -> bytes | None:
        """The hash that the incarnation's first line follows; None for lines that were pruned."""
        query = "SELECT hash FROM chain_base WHERE incarnation = ? AND number = 0"
        return next((bytes(base) for (base,) in self._rows(query, incarnation)), None)

    def lines(self, incarnation: int) -> Iterator[Line]:
        """The lines of one incarnation, each made anew from the rows that it stands for."""
        query = """SELECT c.number, c.hash, c.at, c.type, c.body, e.at, e.type, e.attempt_id, e.body
            FROM chain c LEFT JOIN event e ON e.id = c.event_id WHERE c.incarnation = ? ORDER BY c.number"""
        for number, head, at, kind, body, event_at, event_kind, attempt, event_body in self._rows(query, incarnation):
            if kind is not None:
                text = line_text(number, at, kind, None, json.loads(body))
            else:
                text = line_text(number, event_at, event_kind, attempt, json.loads(event_body))
            yield Line(number, text, bytes(head))

    def blocks(self) -> list[tuple[str, int, int]]:
        """The lot, number and incarnation of each block."""
        return list(self._rows("SELECT lot, number, incarnation FROM block"))

    def requested(self) -> set[str]:
        """The keys for which the PKI was asked."""
        return {key for (key,) in self._rows("SELECT key FROM pki_request")}

    def passed(self) -> set[str]:
        return {uid for (uid,) in self._rows("SELECT uid FROM attempt WHERE verdict = 'pass'")}

    def _rows(self, query: str, *values: object) -> Iterator[tuple]:  # type: ignore[type-arg]  # rows of any query
        """None if the station died while it made its tables."""
        with closing(sqlite3.connect(self.path)) as connection:
            if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'chain'").fetchone() is not None:
                yield from connection.execute(query, values)


@dataclass(frozen=True)
class Segment:
    first: int
    last: int
    previous: bytes = field(repr=False)
    head: bytes = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def texts(self) -> list[bytes]:
        return zlib.decompress(self.body).split(b"\n")


@dataclass(frozen=True)
class Incarnation:
    """A journal at the centre, by the station's name and the incarnation's number."""

    station: str
    number: int
    closed: bool
    base: bytes = field(repr=False)
    next_line: int
    head: bytes = field(repr=False)


@dataclass(frozen=True)
class CentreUnit:
    serial_number: str | None
    rank: int
    attempts: int


@dataclass(frozen=True)
class CentreCertificate:
    dac: str
    uid: str


class CentreTables:
    """The centre's tables, read by the owner of the database."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._names = dict(self._rows("SELECT id, name FROM station"))

    def _rows(self, query: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]  # rows of any query
        return self._connection.execute(query.encode(), values).fetchall()

    def incarnations(self) -> list[Incarnation]:
        query = "SELECT station, number, closed, base, next_line, head FROM incarnation ORDER BY station, number"
        return [
            Incarnation(self._names[station], number, closed, bytes(base), next_line, bytes(head))
            for station, number, closed, base, next_line, head in self._rows(query)
        ]

    def segments(self, of: Incarnation) -> Iterator[Segment]:
        query = """SELECT first_line, last_line, previous, head, body FROM segment
            WHERE station = (SELECT id FROM station WHERE name = %s) AND incarnation = %s ORDER BY first_line"""
        with self._connection.cursor() as cursor:
            for first, last, previous, head, body in cursor.execute(query.encode(), (of.station, of.number)):
                yield Segment(first, last, bytes(previous), bytes(head), bytes(body))

    def units(self) -> dict[str, CentreUnit]:
        query = """SELECT u.uid, i.serial_number, u.rank, u.attempts FROM unit u
            LEFT JOIN identity i ON i.lot = u.lot AND i.idx = u.idx AND i.uid = u.uid"""
        return {bytes(uid).hex(): CentreUnit(*more) for uid, *more in self._rows(query)}

    def identities(self) -> dict[tuple[str, int], str]:
        query = "SELECT lot, idx, uid FROM identity"
        return {(lot, index): bytes(uid).hex() for lot, index, uid in self._rows(query)}

    def certificates(self) -> dict[str, CentreCertificate]:
        query = "SELECT key, dac_serial, uid FROM certificate"
        return {
            bytes(key).hex(): CentreCertificate(bytes(dac).hex().upper(), bytes(uid).hex())
            for key, dac, uid in self._rows(query)
        }

    def unanswered(self) -> Counter[str]:
        """How many requests for each key have no answer."""
        return Counter(bytes(key).hex() for (key,) in self._rows("SELECT key FROM request WHERE NOT answered"))

    def anomalies(self) -> list[tuple[str, str, object]]:
        """The kind, subject and detail of each."""
        return self._rows("SELECT kind, subject, detail FROM anomaly ORDER BY id")

    def blocks(self) -> dict[tuple[str, int], tuple[str, int, str]]:
        """The station, incarnation and state of each block, by lot and number."""
        query = "SELECT lot, number, station, incarnation, state FROM block"
        return {
            (lot, number): (self._names[station], incarnation, state)
            for lot, number, station, incarnation, state in self._rows(query)
        }

    def grid(self) -> dict[str, int]:
        return dict(self._rows("SELECT name, grid FROM lot"))

    def yields(self) -> Counter[tuple[str, str, str, str]]:
        """Attempts by station, slot, verdict and fault."""
        query = "SELECT station, slot, verdict, fault, sum(attempts)::bigint FROM yield GROUP BY 1, 2, 3, 4"
        found = {
            (self._names[station], slot, verdict, fault): attempts
            for station, slot, verdict, fault, attempts in self._rows(query)
        }
        return Counter(found)

    def attempts(self) -> Counter[tuple[str, int]]:
        """Attempts by station and incarnation."""
        query = "SELECT station, incarnation, count(*) FROM attempt GROUP BY 1, 2"
        return Counter({(self._names[station], number): count for station, number, count in self._rows(query)})

    def sizes(self) -> dict[str, int]:
        """Bytes of each table with its indexes."""
        query = """SELECT relname, pg_total_relation_size(oid) FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
        return dict(self._rows(query))

    def pairs(self) -> int:
        return int(self._rows("SELECT count(*) FROM pairing")[0][0])


@dataclass(frozen=True)
class Evidence:
    """Everything that a campaign leaves. `disasters` are the stations that lost a part of their journal, and how."""

    world: World
    files: Sequence[StationFile]
    centre: CentreTables
    disasters: Mapping[str, Sequence[str]]

    @classmethod
    def read(cls, folder: Path, connection: psycopg.Connection) -> "Evidence":
        """Reads what the campaign in this folder has left."""
        left = json.loads((folder / "left.json").read_text(encoding="utf-8"))
        files = [
            StationFile(each["station"], folder / each["path"], each["lost"], each["life"]) for each in left["files"]
        ]
        disasters: dict[str, list[str]] = defaultdict(list)
        for each in left["disasters"]:
            disasters[each["station"]].append(each["kind"])
        return cls(World.read(folder / "world.json"), files, CentreTables(connection), disasters)
