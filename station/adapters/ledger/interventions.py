# SPDX-License-Identifier: Apache-2.0
"""What people did to slots and line, in SQL: who held, released or drained, and why. Rows are never edited."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, insert, select

from station.adapters.ledger import sqlite, tables
from station.domain.intervention import Intervention

_table = tables.intervention


@dataclass(frozen=True, slots=True)
class InterventionRecord:
    """One deed, as the ledger has it. `slot` is None for the line, `reason` is empty if the person gave none."""

    at: datetime
    station: str
    who: str
    deed: str
    slot: str | None
    fault: str | None
    reason: str


def record(connection: Connection, station: str, done: Sequence[Intervention]) -> None:
    """Records deeds of one command."""
    rows = [
        {
            "station": station,
            "at": each.at,
            "who": each.who,
            "deed": each.deed.value,
            "slot": each.slot,
            "fault": each.fault,
            "reason": each.reason,
        }
        for each in done
    ]
    connection.execute(insert(_table), rows)


def history(
    path: Path,
    *,
    slot: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    newest: int | None = None,
) -> Iterator[InterventionRecord]:
    """The deeds in their order; with `newest` only the last ones, the newest first."""
    query = select(*(_table.c[name] for name in InterventionRecord.__slots__))
    if slot is not None:
        query = query.where(_table.c.slot == slot)
    if since is not None:
        query = query.where(_table.c.at >= since)
    if until is not None:
        query = query.where(_table.c.at < until)
    query = query.order_by(_table.c.id) if newest is None else query.order_by(_table.c.id.desc()).limit(newest)
    with sqlite.reading(path) as connection:
        for row in connection.execute(query).mappings():
            yield InterventionRecord(**row)
