# SPDX-License-Identifier: Apache-2.0
"""Signed checkpoints of the ledger's chain, in SQL, and what people have accepted against one. `checkpoint_file` has their copies."""

import json
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, insert, select

from station.adapters.ledger import chain, recording, tables
from station.domain.checkpoint import Checkpoint, Signed
from station.domain.intervention import Decision

_checkpoint, _decision = tables.checkpoint, tables.audit_decision
_FIRST = "SELECT body FROM chain WHERE incarnation = 0 AND number = 1"


def chain_id(connection: Connection) -> str | None:
    """The id of the ledger's chain; None before it has one."""
    row = chain.driver(connection).execute(_FIRST).fetchone()
    if row is None:
        return None
    try:
        return str(json.loads(row[0])["chain"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None  # it was changed


def due(connection: Connection, station: str, at: datetime) -> Checkpoint | None:
    """What is to be signed of the newest line; None where the newest checkpoint has signed it already."""
    recording.follow(connection)
    number, hashed = recording.head(chain.driver(connection))
    before, ledger = newest(connection), chain_id(connection)
    if ledger is None or (before is not None and before.checkpoint.number >= number):
        return None
    return Checkpoint(station, ledger, recording.LOCAL, number, hashed, at)


def record(connection: Connection, signed: Signed) -> None:
    connection.execute(insert(_checkpoint), {"number": signed.checkpoint.number, "signed": signed.line()})


def newest(connection: Connection) -> Signed | None:
    """The checkpoint of the latest line. Raises `NotACheckpoint` for a row that was changed to be none."""
    text = connection.scalar(select(_checkpoint.c.signed).order_by(_checkpoint.c.number.desc()).limit(1))
    return None if text is None else Signed.read(text)


def covering(connection: Connection, number: int) -> Signed | None:
    """The first checkpoint that covers this line."""
    query = select(_checkpoint.c.signed).where(_checkpoint.c.number >= number).order_by(_checkpoint.c.number).limit(1)
    text = connection.scalar(query)
    return None if text is None else Signed.read(text)


def texts(connection: Connection) -> Iterator[tuple[int, str | bytes]]:
    """Every checkpoint as it was recorded, with its line's number."""
    yield from chain.driver(connection).execute("SELECT number, signed FROM checkpoint ORDER BY number")


def difference(connection: Connection, signed: Signed) -> str | None:
    """The reason why the ledger is not the one that this checkpoint signs, or is an older copy of it; None if it goes on from it."""
    point = signed.checkpoint
    if point.ledger != chain_id(connection):
        return f"the chain of another ledger, {point.ledger}, reached line {point.number} on {tables.iso(point.at)}"
    number, _ = recording.head(chain.driver(connection))
    if number < point.number:
        return (
            f"line {point.number} was signed on {tables.iso(point.at)}, and this ledger ends at line {number}: an older copy"
            " was put in its place, or its end was cut off"
        )
    if chain.hash_at(connection, recording.LOCAL, point.number) != point.hash:
        return f"line {point.number} is another one than was signed on {tables.iso(point.at)}"
    return None


def is_accepted(connection: Connection, signed: Signed) -> bool:
    """Whether a person has accepted that the ledger lacks what this checkpoint signs."""
    return connection.scalar(select(_decision.c.id).where(_decision.c.checkpoint == signed.line()).limit(1)) is not None


def accept(connection: Connection, signed: Signed, decision: Decision, at: datetime) -> None:
    number, _ = recording.head(chain.driver(connection))
    row = {"at": at, "account": decision.account, "reason": decision.reason, "checkpoint": signed.line()}
    connection.execute(insert(_decision), {**row, "number": number})
