# SPDX-License-Identifier: Apache-2.0
"""What a shared ledger tells the centre of its attempts, in SQL: units of work for the writer. A standalone one tells nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from station.adapters.ledger import chain
from station.domain.facts import AttemptBegun, AttemptEnded, Body
from station.domain.target import UID

_BEGUN = "INSERT INTO chain_attempt (attempt, incarnation, number, release) VALUES (?, ?, ?, ?)"
_SUM = (
    "SELECT a.uid, a.slot, a.verdict, a.fault, a.started_at, a.seconds, a.lot, a.laboratory,"
    " coalesce(c.release, ''), c.incarnation, c.number"
    " FROM attempt AS a LEFT JOIN chain_attempt AS c ON c.attempt = a.id WHERE a.id = ?"
)


def begun(connection: Connection, at: datetime, number: int, values: Mapping[str, object], release: str) -> None:
    """Tells that an attempt has begun, whose row has these values."""
    if not chain.is_kept(connection):
        return
    names = ("slot", "probe", "tty", "recipe", "recipe_sha256", "lot")
    texts = {name: str(values[name]) for name in names}
    version, commit = values["station_version"], values["station_commit"]
    told = AttemptBegun(
        attempt=number,
        release=release,
        version=None if version is None else str(version),
        commit=None if commit is None else str(commit),
        **texts,
    )
    line = chain.tell(connection, at, told)
    head = chain.head(connection)
    chain.driver(connection).execute(_BEGUN, (number, head.incarnation, line, release))


def follow(connection: Connection, attempt: int, rows: Sequence[Mapping[str, object]]) -> None:
    """Tells events of an attempt, by the rows that one statement has just written in this order."""
    if not chain.is_kept(connection):
        return
    told = list[tuple[datetime, str, Body]]()
    for row in rows:
        at, name, body = row["at"], row["type"], row["body"]
        assert isinstance(at, datetime)
        assert isinstance(body, Mapping)
        told.append((at, str(name), body))
    (last,) = chain.driver(connection).execute("SELECT last_insert_rowid()").fetchone()
    chain.follow(connection, last - len(rows) + 1, attempt, told)


def ended(connection: Connection, at: datetime, number: int) -> None:
    """Tells the sum of an attempt that has its verdict."""
    if not chain.is_kept(connection):
        return
    raw = chain.driver(connection)
    uid, slot, verdict, fault, started_at, seconds, lot, laboratory, release, incarnation, line = raw.execute(
        _SUM, (number,)
    ).fetchone()
    told = AttemptEnded(
        attempt=number,
        uid=None if uid is None else UID.parse(uid),
        slot=slot,
        verdict=verdict,
        fault=fault,
        started_at=datetime.fromisoformat(started_at),
        seconds=round(seconds, 3),
        lot=lot,
        release=release,
        laboratory=bool(laboratory),
        first=line if incarnation == chain.head(connection).incarnation else 0,
    )
    raw.execute("DELETE FROM chain_attempt WHERE attempt = ?", (number,))
    chain.tell(connection, at, told)
