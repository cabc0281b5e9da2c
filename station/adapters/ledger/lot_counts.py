# SPDX-License-Identifier: Apache-2.0
"""Counts what became of the identities and certificates of each lot. Never returns a secret."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from station.adapters.ledger import sqlite, tables
from station.domain.identity import IdentityState

_identity, _figure = tables.identity, tables.figure
_request, _certificate = tables.pki_request, tables.certificate


@dataclass(frozen=True, slots=True)
class LotCounts:
    """One lot. `planned` and `left` are None for a lot that the line's recipe does not name."""

    name: str
    planned: int | None
    """Serial numbers of the lot."""
    identities: int
    """Identities that boards have got, whatever became of them."""
    passed: int
    """Units, by their state."""
    burned: int
    """Identities that no board will ever have again."""
    failed: int
    """Attempts."""
    dacs: int
    """Live certificates of the lot's boards."""
    left: int | None
    """Serial numbers that no identity has."""


def lots(path: Path, planned: Mapping[str, int]) -> list[LotCounts]:
    """The lots of the ledger and those that are planned, the one with the newest identity first."""
    states: defaultdict[str, Counter[str]] = defaultdict(Counter)
    newest: dict[str, int] = {}
    by_state = (_identity.c.lot, _identity.c.state)
    counted = select(*by_state, func.count().label("units"), func.max(_identity.c.id).label("last")).group_by(*by_state)
    fails = select(_figure.c.lot, func.count().label("hits")).where(_figure.c.verdict == "fail", ~_figure.c.laboratory)
    dacs = (
        select(_identity.c.lot, func.count().label("hits"))
        .join_from(_certificate, _request, _request.c.id == _certificate.c.request_id)
        .join(_identity, _identity.c.uid == _request.c.uid)
    )
    with sqlite.reading(path) as connection, connection.begin():
        for row in connection.execute(counted):
            states[row.lot][row.state] = row.units
            newest[row.lot] = max(row.last, newest.get(row.lot, 0))
        failed = {row.lot: row.hits for row in connection.execute(fails.group_by(_figure.c.lot))}
        certified = {row.lot: row.hits for row in connection.execute(dacs.group_by(_identity.c.lot))}
    names = sorted(states.keys() | planned.keys(), key=lambda name: newest.get(name, 0), reverse=True)
    taken = {name: states[name].total() for name in names}
    return [
        LotCounts(
            name=name,
            planned=planned.get(name),
            identities=taken[name],
            passed=states[name][IdentityState.PASSED.value],
            burned=states[name][IdentityState.BURNED.value],
            failed=failed.get(name, 0),
            dacs=certified.get(name, 0),
            left=max(0, planned[name] - taken[name]) if name in planned else None,
        )
        for name in names
    ]
