# SPDX-License-Identifier: Apache-2.0
"""The deeds on onboarding secrets in SQL: who saw label data, exported or forgot it. Rows are never edited."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, insert, select

from station.adapters.ledger import sqlite, tables
from station.domain.secrets_deed import SecretsDeed

_table = tables.secrets_deed


@dataclass(frozen=True, slots=True)
class DeedRecord:
    """One deed, as the ledger has it. `uid` is None for many units, `reason` empty if the person gave none."""

    at: datetime
    station: str
    who: str
    deed: str
    uid: str | None
    lot: str | None
    units: int
    recipient: str | None
    reason: str


def record(connection: Connection, station: str, deed: SecretsDeed) -> None:
    """Records one deed, in the transaction of what it does."""
    connection.execute(
        insert(_table),
        {
            "at": deed.at,
            "station": station,
            "who": deed.who,
            "deed": deed.act.value,
            "uid": None if deed.uid is None else str(deed.uid),
            "lot": deed.lot,
            "units": deed.units,
            "recipient": deed.recipient,
            "reason": deed.reason,
        },
    )


def of_unit(connection: Connection, uid: str) -> tuple[DeedRecord, ...]:
    """The deeds on this unit alone, in their order."""
    query = select(*(_table.c[name] for name in DeedRecord.__slots__)).where(_table.c.uid == uid).order_by(_table.c.id)
    return tuple(DeedRecord(*row) for row in connection.execute(query))


def history(path: Path) -> Iterator[DeedRecord]:
    """All deeds in their order."""
    query = select(*(_table.c[name] for name in DeedRecord.__slots__)).order_by(_table.c.id)
    with sqlite.reading(path) as connection:
        for row in connection.execute(query):
            yield DeedRecord(*row)
