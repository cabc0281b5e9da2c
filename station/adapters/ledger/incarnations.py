"""Which ledger this is and how far it has come, in SQL; a restored one is a new incarnation, which skips serial numbers."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, func, insert, inspect, select, update

from station.adapters.ledger import tables
from station.adapters.ledger.place import Place
from station.adapters.ledger.register import Mark

_ledger, _floor, _identity = tables.ledger, tables.lot_floor, tables.identity


@dataclass(frozen=True, slots=True)
class Standing:
    """What a ledger says of itself; `in_order` is whether its last daemon closed it."""

    ledger: str
    mark: Mark
    in_order: bool
    place: Place


def has_tables(connection: Connection) -> bool:
    """Whether there is a ledger in the file at all."""
    return inspect(connection).has_table(_identity.name)


def standing(connection: Connection) -> Standing | None:
    """None for a ledger without an id: of an earlier version, or not quite made."""
    if not inspect(connection).has_table(_ledger.name):
        return None
    row = connection.execute(select(_ledger)).first()
    if row is None:
        return None
    mark = Mark(row.incarnation, row.tick, given_out(connection), row.skipped)
    return Standing(row.id, mark, row.in_order, Place(**row.place))


def given_out(connection: Connection) -> int:
    """How many identities the ledger has given out."""
    highest: int | None = connection.scalar(select(func.max(_identity.c.id)))
    return highest or 0


def begin(connection: Connection, ledger: str, mark: Mark, place: Place) -> Standing:
    """The ledger's row, made or made anew, and not in order until it is closed."""
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
    """A ledger without an id gets one, and is where it should be."""
    mark = Mark(incarnation=1, tick=1, identities=given_out(connection), skipped=0)
    return begin(connection, secrets.token_hex(16), mark, place)


def advance(connection: Connection, *, in_order: bool = False) -> Mark:
    """One more thing has been done that must not be done twice; or the ledger is opened or closed."""
    stepped = update(_ledger).where(_ledger.c.one == 1).values(tick=_ledger.c.tick + 1, in_order=in_order)
    row = connection.execute(stepped.returning(_ledger.c.incarnation, _ledger.c.tick, _ledger.c.skipped)).one()
    return Mark(row.incarnation, row.tick, given_out(connection), row.skipped)


def first_index(connection: Connection, lot: str) -> int:
    """The lot's first serial number that no restoration has burned, counted from 0."""
    floor: int | None = connection.scalar(select(_floor.c.next_index).where(_floor.c.lot == lot))
    if floor is not None:
        return floor
    if connection.scalar(select(_identity.c.id).where(_identity.c.lot == lot).limit(1)) is not None:
        return 0  # it was begun after the last restoration, or there was none
    # What is lost may have begun this lot.
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
