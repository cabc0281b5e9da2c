# SPDX-License-Identifier: Apache-2.0
"""All that the ledger holds of one lot, row by row, as the members of a bundle. Never returns a secret.

Everything is read in one transaction beside the daemon: a bundle shows one moment.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, literal, or_, select

from station.adapters.ledger import checkpoints, evidence_journal, label_prints, lot_reader, sqlite, tables
from station.adapters.ledger.evidence_belonging import Belonging
from station.adapters.ledger.lot_reader import LotRecord
from station.adapters.ledger.sampled import is_sample
from station.adapters.ledger.shared_tables import adoption
from station.adapters.ledger.tables import iso
from station.domain.attempt import UnitIdentified
from station.domain.checkpoint import NotACheckpoint, Signed
from station.domain.disposition import AFTER
from station.domain.identity import IdentityState
from station.domain.lot_balance import LotBalance
from station.domain.work_order import LotState
from station.faults.line import LedgerDamaged

Row = Mapping[str, object]

_attempt, _event, _identity = tables.attempt, tables.event, tables.identity
_request, _certificate, _spare = tables.pki_request, tables.certificate, tables.spare_certificate
_ATTEMPT = [
    _attempt.c[name]
    for name in (
        *("station", "slot", "probe", "recipe", "recipe_sha256", "images", "lot", "started_at", "station_version"),
        *("station_commit", "uid", "dac_serial_number", "verdict", "fault", "ended_at", "seconds", "laboratory"),
    )
]
_EXCEPTIONS = {
    "lot": (tables.lot_event, ("at", "account", "type", "reason", "body")),
    "unit": (tables.unit_event, ("uid", "at", "account", "type", "reason", "body")),
    "sample": (tables.sample_event, ("uid", "at", "account", "type", "reason", "body")),
    "release": (tables.unit_release, ("uid", "at", "account", "reason")),
    "secrets": (tables.secrets_deed, ("uid", "at", "who", "deed", "units", "recipient", "reason")),
    "line": (tables.intervention, ("at", "station", "who", "deed", "slot", "fault", "reason")),
}


class LotEvidence:
    """The rows of one lot in the open transaction of a reading connection."""

    def __init__(self, connection: Connection, record: LotRecord, balance: LotBalance) -> None:
        self._connection = connection
        self.record = record
        self.balance = balance
        self._units = select(_identity.c.uid).where(_identity.c.lot == record.name)
        self._of_lot = or_(_attempt.c.lot == record.name, _attempt.c.uid.in_(self._units))

    @property
    def is_open(self) -> bool:
        """Whether further units may come to it. The lot of a recipe is never closed."""
        return self.record.state is not LotState.CLOSED

    def head(self) -> Row:
        """What the bundle is about: lot, balance, tools, recipes and images."""
        ledger = self._connection.execute(select(tables.ledger.c.id, tables.ledger.c.incarnation)).mappings().first()
        return {
            "lot": self.record.name,
            "open": self.is_open,
            "ledger": None if ledger is None else _plain(ledger),
            "record": {key: _value(value) for key, value in asdict(self.record).items()},
            "balance": asdict(self.balance),
            "mistakes": list(self.balance.mistakes()),
            "tools": self._tools(),
            "recipes": [{"name": name, "sha256": sha256} for name, sha256 in self._recipes()],
            "images": [{"name": name, "sha256": sha256} for name, sha256 in self._images()],
        }

    def units(self) -> Iterator[Row]:
        """Each identity of the lot, in the order in which they were given out."""
        sample = is_sample(_identity.c.uid) & (_identity.c.state != IdentityState.BURNED.value)
        names = ("uid", "serial_number", "lot_index", "manufacturing_date", "reserved_at", "state")
        query = select(
            _identity.c.id.label("identity"),
            *(_identity.c[name] for name in names),
            sample.label("sample"),
            label_prints.is_bound().label("bound"),
            adoption.c.began_at.label("began_at"),
        ).join_from(_identity, adoption, adoption.c.uid == _identity.c.uid, isouter=True)
        for row in self._rows(query.where(_identity.c.lot == self.record.name).order_by(_identity.c.id)):
            yield {**_plain(row), "disposition": self._disposition(row["uid"])}

    def attempts(self) -> Iterator[Row]:
        """Each attempt on a board of the lot, or in the lot before its board was known."""
        events = select(func.count()).where(_event.c.attempt_id == _attempt.c.id).correlate(_attempt).scalar_subquery()
        query = select(_attempt.c.id.label("attempt"), *_ATTEMPT, events.label("events"))
        yield from map(_plain, self._rows(query.where(self._of_lot).order_by(_attempt.c.id)))

    def journal(self) -> Iterator[Row]:
        """The events of those attempts and the chain's lines about the lot, in the order of the chain (`evidence_journal`)."""
        first = evidence_journal.first_event(self._connection)
        query = select(_event.c.id, _event.c.at, _event.c.type, _event.c.attempt_id, _event.c.body)
        query = query.join_from(_event, _attempt).where(self._of_lot).order_by(_event.c.id)
        if first is not None:
            query = query.where(_event.c.id < first)
        for row in self._rows(query):
            yield evidence_journal.unchained(row["id"], row["attempt_id"], (iso(row["at"]), row["type"], row["body"]))
        signed = self._checkpoint()
        belongs = Belonging(self._connection, self.record.name)
        yield from evidence_journal.lines(
            self._connection, belongs, None if signed is None else signed.checkpoint.number
        )

    def requests(self) -> Iterator[Row]:
        """Each request to the PKI for a unit of the lot. One without an outcome may have bought a certificate."""
        names = ("key", "uid", "submitted_at", "outcome", "reason", "answered_at", "due_at", "excused", "closed")
        given = (_request.c.csr == b"").label("by_partner")
        query = select(_request.c.id.label("request"), *(_request.c[name] for name in names), given)
        yield from map(_plain, self._rows(query.where(_request.c.uid.in_(self._units)).order_by(_request.c.id)))

    def certificates(self) -> Iterator[tuple[Row, bytes, bytes]]:
        """Each live certificate of a unit: its row, and DAC and PAI in DER."""
        names = ("key", "dac_serial_number", "issued_at", "dac", "pai")
        query = select(_request.c.uid, _request.c.id.label("request"), *(_certificate.c[name] for name in names))
        query = query.join_from(_certificate, _request, _request.c.id == _certificate.c.request_id)
        for row in self._rows(query.where(_request.c.uid.in_(self._units)).order_by(_request.c.id)):
            kept = {name: _value(value) for name, value in row.items() if name not in {"dac", "pai"}}
            yield kept, _octets(row["dac"]), _octets(row["pai"])

    def intermediates(self) -> Iterator[bytes]:
        """The PAI of those certificates, each once, in DER."""
        query = select(_certificate.c.pai).join_from(_certificate, _request, _request.c.id == _certificate.c.request_id)
        found = self._connection.scalars(query.where(_request.c.uid.in_(self._units)).distinct())
        yield from map(_octets, found)

    def labels(self) -> Iterator[Row]:
        """The events of the units' labels."""
        table = tables.label_event
        query = select(*(column for column in table.c if column.name != "id")).where(table.c.uid.in_(self._units))
        yield from map(_plain, self._rows(query.order_by(table.c.id)))

    def exceptions(self) -> Iterator[Row]:
        """What did not go by itself: attempts that failed or were void, deeds of people, certificates that no unit has."""
        failed = (self._of_lot, _attempt.c.verdict != "pass")
        names = ("uid", "slot", "verdict", "fault", "ended_at")
        query = select(_attempt.c.id.label("attempt"), *(_attempt.c[name] for name in names)).where(*failed)
        yield from self._kind("attempt", query.order_by(_attempt.c.id))
        for kind, (table, columns) in _EXCEPTIONS.items():
            chosen = select(*(table.c[name] for name in columns)).where(self._about(kind)).order_by(table.c.id)
            yield from self._kind(kind, chosen)
        keys = select(_request.c.key).where(_request.c.uid.in_(self._units))
        columns = ("request_id", "key", "serial_number", "kind", "found_at", "reason", "content", "closed")
        spare = select(*(_spare.c[name].label("spare" if name == "kind" else name) for name in columns))
        yield from self._kind("spare_certificate", spare.where(_spare.c.key.in_(keys)).order_by(_spare.c.id))

    def audit(self) -> Row:
        """Where the journal ends: the chain's head, and the newest signed checkpoint."""
        signed = self._checkpoint()
        checkpoint = None if signed is None else signed.line()
        return {"head": evidence_journal.head(self._connection), "checkpoint": checkpoint}

    def _checkpoint(self) -> Signed | None:
        return checkpoints.newest(self._connection)

    def _about(self, kind: str) -> ColumnElement[bool]:
        table = _EXCEPTIONS[kind][0]
        match kind:
            case "lot":
                return table.c.lot == self.record.name
            case "secrets":
                return or_(table.c.lot == self.record.name, table.c.uid.in_(self._units))
            case "line":
                begun, ended = func.count(), func.count(_attempt.c.ended_at)
                moments = func.min(_attempt.c.started_at), func.max(_attempt.c.ended_at), begun > ended
                begin, end, running = self._connection.execute(select(*moments).where(self._of_lot)).one()
                if begin is None:
                    return literal(value=False)
                return table.c.at >= begin if running else table.c.at.between(begin, end)
            case _:
                return table.c.uid.in_(self._units)

    def _kind(self, kind: str, query: Select[*tuple[object, ...]]) -> Iterator[Row]:
        for row in self._rows(query):
            yield {"kind": kind, **_plain(row)}

    def _tools(self) -> Row:
        """Stations, probes and programmers that have worked on the lot."""
        columns = (_attempt.c.station, _attempt.c.station_version, _attempt.c.station_commit)
        stations = select(*columns).where(self._of_lot).distinct().order_by(*columns)
        probes = select(_attempt.c.probe).where(self._of_lot).distinct().order_by(_attempt.c.probe)
        versions = dict[str, list[object]]()
        for key in ("programmer_version", "probe_firmware"):
            version = _event.c.body[key].as_string()
            identified = _event.c.type == literal(UnitIdentified.on_disk.name)
            query = select(version).join_from(_event, _attempt).where(self._of_lot, identified)
            versions[key] = list(self._connection.scalars(query.distinct().order_by(version)))
        found = {
            "stations": [_plain(row) for row in self._rows(stations)],
            "probes": list(self._connection.scalars(probes)),
        }
        return {**found, **versions}

    def _recipes(self) -> list[tuple[str, str]]:
        columns = (_attempt.c.recipe, _attempt.c.recipe_sha256)
        query = select(*columns).where(self._of_lot).distinct().order_by(*columns)
        return [(name, sha256) for name, sha256 in self._connection.execute(query)]

    def _images(self) -> list[tuple[str, str]]:
        used = self._connection.scalars(select(_attempt.c.images).where(self._of_lot).distinct())
        return sorted({each for images in used for each in images.items()})

    def _disposition(self, uid: str) -> str | None:
        table = tables.unit_event
        query = select(table.c.type).where(table.c.uid == uid).order_by(table.c.id.desc()).limit(1)
        newest = self._connection.scalar(query)
        return None if newest is None else AFTER[newest].value

    def _rows(self, query: Select[*tuple[object, ...]]) -> Iterator[RowMapping]:
        return iter(self._connection.execute(query).mappings())


@contextmanager
def evidence(path: Path, lot: str) -> Iterator[LotEvidence | None]:
    """The lot's evidence for the block; None if the ledger does not know the lot. Raises `LedgerUnavailable` and `LedgerDamaged`."""
    with sqlite.reading(path) as connection, connection.begin():
        found = lot_reader.at(connection, lot)
        try:
            yield None if found is None else LotEvidence(connection, *found)
        except NotACheckpoint as exc:
            raise LedgerDamaged(str(path), f"its newest checkpoint was changed: {exc}") from exc


def _plain(row: RowMapping) -> dict[str, object]:
    return {name: _value(value) for name, value in row.items()}


def _octets(value: object) -> bytes:
    """Bytes of the ledger. Where something else stands in their place, the bundle says so: its row is not the chain's."""
    return value if isinstance(value, bytes) else str(value).encode()


def _value(value: object) -> object:
    match value:
        case datetime():
            return iso(value)
        case bytes():
            return value.hex()
        case IdentityState() | LotState():
            return value.value
        case str() | int() | float() | None:
            return value
        case _:
            return json.loads(json.dumps(value))
