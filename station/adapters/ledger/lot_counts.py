# SPDX-License-Identifier: Apache-2.0
"""The lots as the page and the API show them: `lot_reader`'s records with their attempts and certificates. Never returns a secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from station.adapters.ledger import label_prints, lot_reader, lots, sqlite, tables
from station.adapters.ledger.lot_reader import LotRecord
from station.domain.work_order import LotState

_identity, _figure = tables.identity, tables.figure
_request, _certificate = tables.pki_request, tables.certificate


@dataclass(frozen=True, slots=True)
class LotCounts:
    """One lot. `planned` and `left` are None for a lot that neither a work order nor the line's recipe names."""

    name: str
    work_order: str | None
    state: LotState | None
    planned: int | None
    """Units that the work order wants; serial numbers of the recipe's lot."""
    identities: int
    """Identities that boards have got, whatever became of them."""
    passed: int
    """Units, by their state; samples are not among them."""
    unbound: int
    """Of those, units that are not done, since the recipe requires a label and theirs is not bound."""
    burned: int
    """Identities that no board will ever have again."""
    failed: int
    """Attempts."""
    dacs: int
    """Live certificates of the lot's boards."""
    labels: int
    """Prints of the lot's labels that were begun."""
    labels_void: int
    """Of those, prints after which another of the same unit was begun."""
    bound: int
    """Passed units whose newest label was scanned at its board."""
    left: int | None
    """Serial numbers that no identity has."""


def counted(path: Path, planned: Mapping[str, int]) -> list[LotCounts]:
    """The lots of the ledger and those that the recipe plans, the one with the newest identity first."""
    taken = select(_identity.c.lot, func.count(), func.max(_identity.c.id)).group_by(_identity.c.lot)
    fails = select(_figure.c.lot, func.count()).where(_figure.c.verdict == "fail", ~_figure.c.laboratory)
    dacs = (
        select(_identity.c.lot, func.count())
        .join_from(_certificate, _request, _request.c.id == _certificate.c.request_id)
        .join(_identity, _identity.c.uid == _request.c.uid)
    )
    with sqlite.reading(path) as connection, connection.begin():
        found = {each.name: each for each in lot_reader.records(connection)}
        identities = {row[0]: (row[1], row[2]) for row in connection.execute(taken)}
        failed = {row[0]: row[1] for row in connection.execute(fails.group_by(_figure.c.lot))}
        certified = {row[0]: row[1] for row in connection.execute(dacs.group_by(_identity.c.lot))}
        labels = {row[0]: row[1] for row in connection.execute(label_prints.prints())}
        void = {row[0]: row[1] for row in connection.execute(label_prints.prints(label_prints.is_void()))}
        bound = lot_reader.bound(connection)
        next_index = {name: lots.next_index(connection, name) for name in found.keys() | planned.keys()}
    names = sorted(found.keys() | planned.keys(), key=lambda name: identities.get(name, (0, 0))[1], reverse=True)
    entries = []
    for name in names:
        of = found.get(name) or LotRecord.unknown(name)
        size = planned.get(name) if of.size is None else of.size
        entries.append(
            LotCounts(
                name=name,
                work_order=of.work_order,
                state=of.state,
                planned=planned.get(name) if of.planned is None else of.planned,
                identities=identities.get(name, (0, 0))[0],
                passed=of.passed,
                unbound=of.unbound,
                burned=of.burned,
                failed=failed.get(name, 0),
                dacs=certified.get(name, 0),
                labels=labels.get(name, 0),
                labels_void=void.get(name, 0),
                bound=bound.get(name, 0),
                left=None if size is None else max(0, size - next_index[name]),
            )
        )
    return entries
