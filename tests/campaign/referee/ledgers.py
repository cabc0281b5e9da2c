# SPDX-License-Identifier: Apache-2.0
"""A station's ledger, read as a plain SQLite file."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

_ENDS = """SELECT incarnation, number, hash FROM chain AS c WHERE incarnation > 0
    AND number = (SELECT max(number) FROM chain WHERE incarnation = c.incarnation)"""
VERDICTS = {"Passed": "pass", "Failed": "fail", "Voided": "void"}


@dataclass(frozen=True, slots=True)
class Event:
    type: str
    body: Mapping[str, object]


@dataclass(frozen=True)
class Attempt:
    """One row of the table, with its events."""

    station: str
    id: int
    slot: str
    probe: str
    images: Mapping[str, str]
    began: float
    uid: str | None
    verdict: str | None
    fault: str | None
    ended: float | None
    laboratory: bool
    events: Sequence[Event] = field(repr=False)

    @property
    def name(self) -> str:
        return f"attempt {self.id} of {self.station}"

    def texts(self, event: str, key: str) -> list[str]:
        """The values of this key in all events of this type."""
        return [str(each.body[key]) for each in self.events if each.type == event]


@dataclass(frozen=True, slots=True)
class Identity:
    uid: str
    serial_number: str
    discriminator: int
    state: str
    manufacturing_date: str
    owned: bool


@dataclass(frozen=True, slots=True)
class Request:
    id: int
    key: str
    uid: str
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Certificate:
    key: str
    serial_number: int
    dac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Spare:
    """A certificate that came, and is no unit's."""

    key: str
    serial_number: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message to a receiver: sent, given up, or waiting."""

    body: str = field(repr=False)
    sent: bool
    given_up: bool


@dataclass(frozen=True)
class StationLedger:
    """The tables of one file."""

    path: Path
    attempts: Sequence[Attempt]
    identities: Sequence[Identity]
    requests: Sequence[Request]
    certificates: Sequence[Certificate]
    spares: Sequence[Spare]
    messages: Sequence[Message]
    prints: Sequence[tuple[str, int]]
    """UID and copy of each label that the station says was printed."""
    scrapped: frozenset[str]
    totals: Mapping[str, int]
    journals: Mapping[int, tuple[int, str]]
    """The number and hash of the last line that the centre gets, by incarnation; none of a station alone."""
    unfolded: int
    """Bytes of its write-ahead log, which a daemon that has stopped folds in."""
    mistakes: Sequence[str]
    """What SQLite itself finds wrong in the file."""

    @classmethod
    def read(cls, path: Path, real: Callable[[float], float]) -> "StationLedger":
        """`real` is the real time of a station's."""
        unfolded = _unfolded(path)  # before SQLite looks at it
        with closing(sqlite3.connect(address(path), uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            events: dict[int, list[Event]] = defaultdict(list)
            for row in connection.execute("SELECT attempt_id, type, body FROM event ORDER BY id"):
                events[row["attempt_id"]].append(Event(row["type"], json.loads(row["body"])))
            return cls(
                path,
                [
                    _attempt(row, events[row["id"]], real)
                    for row in connection.execute("SELECT * FROM attempt ORDER BY id")
                ],
                [
                    Identity(
                        row["uid"],
                        row["serial_number"],
                        row["discriminator"],
                        row["state"],
                        row["manufacturing_date"],
                        bool(row["owned"]),
                    )
                    for row in connection.execute("SELECT * FROM identity ORDER BY id")
                ],
                [
                    Request(row["id"], row["key"], row["uid"], row["outcome"], row["reason"])
                    for row in connection.execute("SELECT * FROM pki_request ORDER BY id")
                ],
                [
                    Certificate(row["key"], int(row["dac_serial_number"], 16), bytes(row["dac"]))
                    for row in connection.execute("SELECT * FROM certificate")
                ],
                [
                    Spare(row["key"], row["serial_number"])
                    for row in connection.execute("SELECT * FROM spare_certificate")
                ],
                [
                    Message(row["body"], row["sent_at"] is not None, row["dead_at"] is not None)
                    for row in connection.execute("SELECT * FROM outbox ORDER BY id")
                ],
                [
                    (row["uid"], row["copy"])
                    for row in connection.execute("SELECT uid, copy FROM label_event WHERE type = 'LabelPrinted'")
                ],
                frozenset(
                    row["uid"] for row in connection.execute("SELECT uid FROM unit_event WHERE type = 'UnitScrapped'")
                ),
                dict(zip(*_totals(connection), strict=True)),
                {row["incarnation"]: (row["number"], bytes(row["hash"]).hex()) for row in connection.execute(_ENDS)},
                unfolded,
                list(_mistakes(connection)),
            )

    @property
    def station(self) -> str:
        return self.path.parent.name

    def uid_of_key(self) -> dict[str, str]:
        """The board whose key it was, for each key for which a certificate was asked."""
        return {each.key: each.uid for each in self.requests}


def address(path: Path) -> str:
    """The file as SQLite opens it without leaving a file beside it, unless there is one."""
    return f"file:{path}?{'mode=ro' if _unfolded(path) else 'immutable=1'}"


def _unfolded(path: Path) -> int:
    log = path.with_name(f"{path.name}-wal")
    return log.stat().st_size if log.exists() else 0


def _attempt(row: sqlite3.Row, events: Sequence[Event], real: Callable[[float], float]) -> Attempt:
    return Attempt(
        row["station"],
        row["id"],
        row["slot"],
        row["probe"],
        json.loads(row["images"]),
        real(moment(row["started_at"])),
        row["uid"],
        row["verdict"],
        row["fault"],
        None if row["ended_at"] is None else real(moment(row["ended_at"])),
        bool(row["laboratory"]),
        events,
    )


def moment(text: str) -> float:
    """Unix seconds."""
    return datetime.fromisoformat(text).timestamp()


def _totals(connection: sqlite3.Connection) -> tuple[list[str], list[int]]:
    row = connection.execute("SELECT * FROM totals").fetchone()
    return list(row.keys()), list(row)


def _mistakes(connection: sqlite3.Connection) -> Iterator[str]:
    yield from (str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok")
    for row in connection.execute("PRAGMA foreign_key_check"):
        yield f"a row of {row[0]} refers to a row of {row[2]} that is not there"
