# SPDX-License-Identifier: Apache-2.0
"""Reads the ledger for commands and reports, while the daemon writes. Never returns a secret."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, case, func, literal, or_, select

from station.adapters.ledger import events, label_prints, secrets_deeds, sqlite, tables
from station.adapters.ledger.label_prints import LabelRecord
from station.adapters.ledger.secrets_deeds import DeedRecord
from station.adapters.ledger.vault import FORGOTTEN
from station.domain.attempt import CoprocessorReady, Event
from station.domain.disposition import AFTER, Disposition
from station.domain.identity import IdentityState

_attempt, _event, _identity = tables.attempt, tables.event, tables.identity
_request, _certificate, _release = tables.pki_request, tables.certificate, tables.unit_release
_sealed = tables.sealed_secret
_put_away = tables.unit_event
_PUT_AWAY = {name: after.value for name, after in AFTER.items() if after is not Disposition.FREE}
_of_board = _attempt.alias("of_board")  # the columns of one identity

RECENT = 100_000  # events


@dataclass(frozen=True, slots=True)
class AttemptSummary:
    """One attempt; `verdict` and `ended_at` are None while it runs, `seconds` run to its last event."""

    number: int
    station: str
    slot: str
    probe: str
    tty: str
    recipe: str
    recipe_sha256: str
    images: Mapping[str, str]
    lot: str
    station_version: str | None
    """None for the attempts of stations that did not record it yet."""
    station_commit: str | None
    """12 hexadecimal digits, then `-dirty` if files differed from that commit; None if it was unknown."""
    started_at: datetime
    ended_at: datetime | None
    uid: str | None
    serial_number: str | None
    dac_serial_number: str | None
    verdict: str | None
    fault: str | None
    seconds: float
    steps: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class UnitSummary:
    """One identity and the board that has it. Verdict and fault are those of its last attempt in production."""

    uid: str
    serial_number: str
    lot: str
    work_order: str | None
    state: IdentityState
    disposition: str | None
    """`quarantined` or `scrapped`; None for a unit that may be worked on."""
    manufacturing_date: str
    discriminator: int
    dac_serial_number: str | None
    wireless_stack: str | None
    attempts: int
    verdict: str | None
    fault: str | None
    seconds: float | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event of an attempt, as the journal has it. No event has a secret."""

    number: int
    attempt: int
    slot: str
    at: datetime
    type: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Conditions that an event fulfils; None asks for nothing."""

    slot: str | None = None
    type: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptStory:
    summary: AttemptSummary
    journal: tuple[JournalEntry, ...]


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """A certificate that was issued for a key of this board; DER."""

    key: str
    dac_serial_number: str
    issued_at: datetime
    dac: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """The release of a board with a key from elsewhere: it may be provisioned as a new one."""

    at: datetime
    account: str
    reason: str


@dataclass(frozen=True, slots=True)
class PutAway:
    """A decision about the unit: `UnitQuarantined`, `UnitReleased` or `UnitScrapped`; no account where the policy decided."""

    at: datetime
    account: str | None
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnitStory:
    """All that the ledger holds about one board; `unit` is None if the board never got an identity."""

    uid: str
    unit: UnitSummary | None
    certificates: tuple[CertificateRecord, ...]
    attempts: tuple[AttemptStory, ...]
    releases: tuple[Release, ...]
    decisions: tuple[PutAway, ...] = ()
    secrets: tuple[DeedRecord, ...] = ()
    """Who saw the unit's label data or forgot it."""

    forgotten: bool = False
    """Whether the unit's passcode was forgotten, so that no label can be made."""

    labels: tuple[LabelRecord, ...] = ()
    """What became of the unit's labels: prints, and the scan that bound the newest."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Attempts by verdict, and units: judged, and passed by their first judged attempt (first-pass yield)."""

    attempts: int
    passed: int
    failed: int
    void: int
    units: int
    judged: int
    passed_first: int
    laboratory: int
    """Attempts of the laboratory, which do not count as production."""


class LedgerReader:
    """Reads the ledger at `path`, also while a daemon writes it. Every method raises `LedgerUnavailable`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def units(self, *, newest: int | None = None) -> Iterator[UnitSummary]:
        """All units, or the `newest` ones, in the order in which they got their identities."""
        query = _units().order_by(_identity.c.id)
        if newest is not None:
            last = _identity.alias("newest")
            query = query.where(_identity.c.id.in_(select(last.c.id).order_by(last.c.id.desc()).limit(newest)))
        with sqlite.reading(self.path) as connection:
            for row in connection.execute(query).mappings():
                yield _unit(row)

    def units_after(self, number: int, most: int) -> list[tuple[int, UnitSummary]]:
        """The units that got their identities after the one of this number, each with its own number."""
        query = _units().add_columns(_identity.c.id.label("number")).where(_identity.c.id > number)
        with sqlite.reading(self.path) as connection:
            rows = connection.execute(query.order_by(_identity.c.id).limit(most)).mappings()
            return [(row["number"], _unit(row)) for row in rows]

    def units_with(self, discriminator: int, most: int) -> list[UnitSummary]:
        """Some units with this discriminator, the newest first; reads every identity."""
        query = _units().where(_identity.c.discriminator == discriminator).order_by(_identity.c.id.desc()).limit(most)
        with sqlite.reading(self.path) as connection:
            return [_unit(row) for row in connection.execute(query).mappings()]

    def unit(self, uid_or_serial: str) -> UnitStory | None:
        """One board's whole story, by UID or serial number; None when it is not known."""
        with sqlite.reading(self.path) as connection:
            uid = uid_or_serial.lower()
            named = or_(_identity.c.uid == uid, _identity.c.serial_number == uid_or_serial)
            row = connection.execute(_units().where(named)).mappings().first()
            unit = None if row is None else _unit(row)
            uid = uid if unit is None else unit.uid
            query = _attempts().where(_attempt.c.uid == uid).order_by(_attempt.c.id)
            attempts = [AttemptSummary(**row) for row in connection.execute(query).mappings()]
            if unit is None and not attempts:
                return None
            stories = tuple(AttemptStory(each, _journal(connection, each.number)) for each in attempts)
            deeds = secrets_deeds.of_unit(connection, uid)
            return UnitStory(
                uid,
                unit,
                _certificates(connection, uid),
                stories,
                _releases(connection, uid),
                _decisions(connection, uid),
                deeds,
                _forgotten(connection, uid),
                label_prints.of_unit(connection, uid),
            )

    def attempts(self, *, uid: str | None = None) -> Iterator[AttemptSummary]:
        """All attempts, or those on one board, in the order in which they began."""
        query = _attempts() if uid is None else _attempts().where(_attempt.c.uid == uid)
        with sqlite.reading(self.path) as connection:
            for row in connection.execute(query.order_by(_attempt.c.id)).mappings():
                yield AttemptSummary(**row)

    def events_after(self, number: int, most: int, wanted: EventFilter | None = None) -> list[EventRecord]:
        """The events of all attempts after the one of this number."""
        query = _events(wanted).where(_event.c.id > number).order_by(_event.c.id).limit(most)
        with sqlite.reading(self.path) as connection:
            return [EventRecord(**row) for row in connection.execute(query).mappings()]

    def newest_events(self, most: int, wanted: EventFilter | None = None) -> tuple[list[EventRecord], int]:
        """The last events, the newest first, and the number of the last of all. Looks at the last hundred thousand."""
        with sqlite.reading(self.path) as connection, connection.begin():
            last = connection.scalar(select(func.max(_event.c.id))) or 0
            query = _events(wanted).where(_event.c.id > last - RECENT).order_by(_event.c.id.desc()).limit(most)
            return [EventRecord(**row) for row in connection.execute(query).mappings()], last

    def totals(self) -> Totals:
        columns = (tables.totals.c[name] for name in Totals.__slots__)
        with sqlite.reading(self.path) as connection:
            return Totals(*connection.execute(select(*columns)).one())


def _events(wanted: EventFilter | None) -> Select[*tuple[object, ...]]:
    numbers = _event.c.id.label("number"), _event.c.attempt_id.label("attempt")
    query = select(*numbers, _attempt.c.slot, _event.c.at, _event.c.type, _event.c.body).join_from(_event, _attempt)
    if wanted is not None:
        if wanted.slot is not None:
            query = query.where(_attempt.c.slot == wanted.slot)
        if wanted.type is not None:
            query = query.where(_event.c.type == wanted.type)
        if wanted.attempt is not None:
            query = query.where(_event.c.attempt_id == wanted.attempt)
    return query


def _units() -> Select[*tuple[object, ...]]:
    """Selects all units. Each subquery reads one identity's rows and ends at the first match, so that a few units cost little."""
    attempts = select(func.count()).where(_of_board.c.uid == _identity.c.uid).correlate(_identity).scalar_subquery()
    seen = (
        select(_event.c.body["after"].as_string())
        .join_from(_of_board, _event)
        .where(
            _of_board.c.uid == _identity.c.uid,
            # Literal in the statement's text, without which SQLite does not use the index of such events.
            _event.c.type == literal(CoprocessorReady.on_disk.name, literal_execute=True),
        )
        .order_by(_of_board.c.id.desc(), _event.c.id.desc())
        .limit(1)
        .correlate(_identity)
        .scalar_subquery()
    )
    put_away = (
        select(case(*((_put_away.c.type == name, word) for name, word in _PUT_AWAY.items())))
        .where(_put_away.c.uid == _identity.c.uid)
        .order_by(_put_away.c.id.desc())
        .limit(1)
        .correlate(_identity)
        .scalar_subquery()
    )
    last, certified = _attempt.alias("last"), _attempt.alias("certified")
    return (
        select(
            _identity.c.uid,
            _identity.c.serial_number,
            _identity.c.lot,
            tables.lot.c.work_order,
            _identity.c.state,
            put_away.label("disposition"),
            _identity.c.manufacturing_date,
            _identity.c.discriminator,
            certified.c.dac_serial_number,
            seen.label("wireless_stack"),
            attempts.label("attempts"),
            last.c.verdict,
            last.c.fault,
            last.c.seconds,
            last.c.ended_at,
        )
        .join_from(_identity, last, last.c.id == _newest(), isouter=True)
        .join(tables.lot, tables.lot.c.name == _identity.c.lot, isouter=True)
        .join(certified, certified.c.id == _newest(_of_board.c.dac_serial_number.is_not(None)), isouter=True)
    )


def _newest(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """The number of the identity's newest attempt in production for which the conditions hold."""
    production = select(_of_board.c.id).where(_of_board.c.uid == _identity.c.uid, ~_of_board.c.laboratory, *conditions)
    return production.order_by(_of_board.c.id.desc()).limit(1).correlate(_identity).scalar_subquery()


def _attempts() -> Select[*tuple[object, ...]]:
    return select(
        _attempt.c.id.label("number"),
        *(_attempt.c[name] for name in AttemptSummary.__slots__ if name not in {"number", "serial_number"}),
        _identity.c.serial_number,
    ).join_from(_attempt, _identity, _identity.c.uid == _attempt.c.uid, isouter=True)


def _unit(row: RowMapping) -> UnitSummary:
    columns = {name: row[name] for name in UnitSummary.__slots__}
    return UnitSummary(**{**columns, "state": IdentityState(row["state"])})


def _journal(connection: Connection, number: int) -> tuple[JournalEntry, ...]:
    query = select(_event.c.at, _event.c.type, _event.c.body).where(_event.c.attempt_id == number)
    rows = connection.execute(query.order_by(_event.c.id))
    return tuple(JournalEntry(row.at, events.event(row.type, row.body)) for row in rows)


def _certificates(connection: Connection, uid: str) -> tuple[CertificateRecord, ...]:
    columns = (_certificate.c[name] for name in CertificateRecord.__slots__)
    query = select(*columns).join(_request, _request.c.id == _certificate.c.request_id).where(_request.c.uid == uid)
    return tuple(CertificateRecord(*row) for row in connection.execute(query.order_by(_request.c.id)))


def _forgotten(connection: Connection, uid: str) -> bool:
    query = select(_sealed.c.key_id).join_from(_identity, _sealed).where(_identity.c.uid == uid)
    return connection.scalar(query) == FORGOTTEN


def _releases(connection: Connection, uid: str) -> tuple[Release, ...]:
    query = select(*(_release.c[name] for name in Release.__slots__)).where(_release.c.uid == uid)
    return tuple(Release(*row) for row in connection.execute(query.order_by(_release.c.id)))


def _decisions(connection: Connection, uid: str) -> tuple[PutAway, ...]:
    query = select(*(_put_away.c[name] for name in PutAway.__slots__)).where(_put_away.c.uid == uid)
    return tuple(PutAway(*row) for row in connection.execute(query.order_by(_put_away.c.id)))
