# SPDX-License-Identifier: Apache-2.0
"""The ledger's identity and its progress, in SQL.

A restored ledger is a new incarnation, which skips serial numbers.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, bindparam, func, insert, inspect, select, update

from station.adapters.ledger import tables
from station.adapters.ledger.driver import Prepared
from station.adapters.ledger.place import Place
from station.adapters.ledger.register import Mark

_ledger, _floor, _identity = tables.ledger, tables.lot_floor, tables.identity
# The statements of each attempt are built once: building one costs more than executing it for a row.
_GIVEN_OUT = Prepared(select(func.max(_identity.c.id)))
_ADVANCED = Prepared(
    update(_ledger)
    .where(_ledger.c.one == 1)
    .values(tick=_ledger.c.tick + 1, in_order=bindparam("closed"))
    .returning(_ledger.c.incarnation, _ledger.c.tick, _ledger.c.skipped)
)
_FLOOR = Prepared(select(_floor.c.next_index).where(_floor.c.lot == bindparam("lot")))
_BEGUN = Prepared(select(_identity.c.id).where(_identity.c.lot == bindparam("lot")).limit(1))


@dataclass(frozen=True, slots=True)
class Standing:
    """The ledger's record of itself; `in_order` is whether its last daemon closed it."""

    ledger: str
    mark: Mark
    in_order: bool
    place: Place


def has_tables(connection: Connection) -> bool:
    """Whether the file holds a ledger."""
    return inspect(connection).has_table(_identity.name)


def standing(connection: Connection) -> Standing | None:
    """The record; None for a ledger without an id, of an earlier version or half made."""
    if not inspect(connection).has_table(_ledger.name):
        return None
    row = connection.execute(select(_ledger)).first()
    if row is None:
        return None
    mark = Mark(row.incarnation, row.tick, given_out(connection), row.skipped)
    return Standing(row.id, mark, row.in_order, Place(**row.place))


def given_out(connection: Connection) -> int:
    """How many identities the ledger has given out."""
    return _GIVEN_OUT.scalar(int, connection) or 0


def begin(connection: Connection, ledger: str, mark: Mark, place: Place) -> Standing:
    """Writes the ledger's row anew; it is not in order until the ledger is closed."""
    connection.execute(_ledger.delete())
    row = {
        "one": 1,
        "id": ledger,
        "incarnation": mark.incarnation,
        "tick": mark.tick,
        "in_order": False,
        "skipped": mark.skipped,
        "place": asdict(place),
    }
    connection.execute(insert(_ledger), row)
    return Standing(ledger, mark, in_order=False, place=place)


def adopt(connection: Connection, place: Place) -> Standing:
    """Gives a ledger without an id an id, and takes its present place as its own."""
    mark = Mark(incarnation=1, tick=1, identities=given_out(connection), skipped=0)
    return begin(connection, secrets.token_hex(16), mark, place)


def advance(connection: Connection, *, in_order: bool = False) -> Mark:
    """Counts one more piece of work that must not be repeated, or an opening or closing."""
    row = _ADVANCED.first(connection, {"closed": in_order})
    assert row is not None
    return Mark(row.incarnation, row.tick, given_out(connection), row.skipped)


def first_index(connection: Connection, lot: str) -> int:
    """The lot's first serial number that no restoration has burned, counted from 0."""
    floor = _FLOOR.scalar(int, connection, {"lot": lot})
    if floor is not None:
        return floor
    if _BEGUN.scalar(int, connection, {"lot": lot}) is not None:
        return 0  # no restoration since the lot began
    # The lost ledger may have begun this lot.
    return connection.scalar(select(_ledger.c.skipped).where(_ledger.c.one == 1)) or 0


def next_indices(connection: Connection) -> Mapping[str, int]:
    """The next serial number of every lot that the ledger knows, counted from 0."""
    used = select(_identity.c.lot, func.max(_identity.c.lot_index)).group_by(_identity.c.lot)
    indices = {lot: last + 1 for lot, last in connection.execute(used)}
    for lot, floor in connection.execute(select(_floor)):
        indices[lot] = max(floor, indices.get(lot, 0))
    return indices


def skip(connection: Connection, count: int) -> Mapping[str, int]:
    """Burns so many serial numbers of every known lot; returns the lots' next ones."""
    indices = {lot: index + count for lot, index in next_indices(connection).items()}
    connection.execute(_floor.delete())
    if indices:
        connection.execute(insert(_floor), [{"lot": lot, "next_index": index} for lot, index in indices.items()])
    return indices
