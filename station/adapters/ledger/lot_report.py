# SPDX-License-Identifier: Apache-2.0
"""All that a quality manager files of one lot, as lines of section, subject and value. Never has a secret."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, func, literal, select

from station.adapters.ledger import interventions, lot_reader, selection, sqlite, tables
from station.adapters.ledger.lot_reader import LotRecord
from station.adapters.ledger.selection import Selection
from station.adapters.ledger.tables import iso
from station.domain.attempt import UnitIdentified
from station.domain.lot_balance import LotBalance
from station.domain.numbers import Numbers

_attempt, _event, _identity = tables.attempt, tables.event, tables.identity
_request, _certificate, _put_away = tables.pki_request, tables.certificate, tables.unit_event

SIGNATURES = ("production", "quality", "date")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report."""

    section: str
    subject: str
    value: str


def report(path: Path, lot: str) -> Iterator[Line] | None:
    """The report of the lot as it is now; None if the ledger does not know the lot. Raises `LedgerUnavailable`."""
    found = lot_reader.lot(path, lot)
    return None if found is None else _lines(path, *found)


def _lines(path: Path, record: LotRecord, balance: LotBalance) -> Iterator[Line]:
    """Line by line: a lot may have a hundred thousand units."""
    lot = record.name
    yield from _lot(record)
    counts = {"in_work": balance.in_work, "to_do": balance.to_do, "numbers_left": balance.numbers_left}
    for name, value in (asdict(balance) | counts).items():
        if name != "lot":
            yield Line("balance", name, _text(value))
    yield from (Line("does not add up", "", mistake) for mistake in balance.mistakes())
    yield from _figures(selection.numbers(path, Selection(lot=lot)))
    with sqlite.reading(path) as connection, connection.begin():
        yield from _tools(connection, lot)
        yield from _units(connection, lot)
        yield from _decisions(connection, lot)
        period = select(func.min(_attempt.c.started_at), func.max(_attempt.c.started_at)).where(_attempt.c.lot == lot)
        begin, end = connection.execute(period).one()
    for deed in lot_reader.deeds(path, lot):
        yield Line("exception", f"{iso(deed.at)} {deed.type}", f"{deed.account}: {deed.reason}")
    if begin is not None:
        for each in interventions.history(path, since=begin, until=end):
            place = "line" if each.slot is None else f"slot {each.slot}"
            why = f"{each.who}: {each.reason}" + (f" ({each.fault})" if each.fault else "")
            yield Line("exception", f"{iso(each.at)} {each.deed} {place}", why)
    yield from (Line("signature", who, "") for who in SIGNATURES)


def _lot(record: LotRecord) -> Iterator[Line]:
    names = ("work_order", "state", "recipe", "recipe_sha256", "planned", "pattern", "first", "size")
    yield Line("lot", "name", record.name)
    for name in names:
        yield Line("lot", name, _text(getattr(record, name)))


def _figures(figures: Numbers) -> Iterator[Line]:
    """Yield, faults and times."""
    first = figures.first_pass
    low, high = first.interval
    yield Line("yield", "first pass", f"{first.hits} of {first.of} ({low:.1%} to {high:.1%})")
    for name in ("passed", "failed", "void", "laboratory"):
        yield Line("yield", f"attempts {name}", _text(getattr(figures, name)))
    for bar in figures.by_fault:
        yield Line("fault", bar.name or "", f"{bar.fails.hits} fails, {bar.void} void")
    for name, seconds in [("whole attempt", figures.whole), *figures.steps.items()]:
        if seconds is not None:
            yield Line("seconds", name, f"median {seconds.median:.1f}, 95 % {seconds.late:.1f}, of {seconds.count}")


def _tools(connection: Connection, lot: str) -> Iterator[Line]:
    """Stations, probes, programmers, recipes and images that have worked on the lot."""
    of_lot = _attempt.c.lot == lot
    columns = (_attempt.c.station, _attempt.c.station_version, _attempt.c.station_commit)
    for row in connection.execute(select(*columns).where(of_lot).distinct().order_by(*columns)):
        yield Line("tool", f"station {row.station}", f"version {row.station_version}, commit {row.station_commit}")
    for probe in connection.scalars(select(_attempt.c.probe).where(of_lot).distinct().order_by(_attempt.c.probe)):
        yield Line("tool", "probe", probe)
    for key in ("programmer_version", "probe_firmware"):
        version = _event.c.body[key].as_string()
        identified = _event.c.type == literal(UnitIdentified.on_disk.name)
        query = select(version).join_from(_event, _attempt).where(of_lot, identified).distinct().order_by(version)
        for each in connection.scalars(query):
            yield Line("tool", key, _text(each))
    recipes = select(_attempt.c.recipe, _attempt.c.recipe_sha256).where(of_lot).distinct()
    for name, sha256 in connection.execute(recipes.order_by(_attempt.c.recipe)):
        yield Line("recipe", name, sha256)
    used = connection.scalars(select(_attempt.c.images).where(of_lot).distinct())
    for name, sha256 in sorted({each for images in used for each in images.items()}):
        yield Line("image", name, sha256)


def _units(connection: Connection, lot: str) -> Iterator[Line]:
    """Each unit with its certificate."""
    live = select(_request.c.uid, _certificate.c.dac_serial_number).join_from(_request, _certificate).subquery()
    query = select(_identity.c.serial_number, _identity.c.uid, _identity.c.state, live.c.dac_serial_number)
    query = query.join_from(_identity, live, live.c.uid == _identity.c.uid, isouter=True)
    for row in connection.execute(query.where(_identity.c.lot == lot).order_by(_identity.c.id)):
        yield Line("certificate", f"{row.serial_number} {row.uid} {row.state}", row.dac_serial_number or "none")


def _decisions(connection: Connection, lot: str) -> Iterator[Line]:
    """Units of the lot that were quarantined, released or scrapped."""
    mine: ColumnElement[bool] = _identity.c.lot == lot
    query = select(_put_away, _identity.c.serial_number).join(_identity, _identity.c.uid == _put_away.c.uid)
    for row in connection.execute(query.where(mine).order_by(_put_away.c.id)):
        by = row.account or "the station"
        yield Line("exception", f"{iso(row.at)} {row.type} {row.serial_number}", f"{by}: {row.reason}")


def _text(value: object) -> str:
    return "" if value is None else str(value)
