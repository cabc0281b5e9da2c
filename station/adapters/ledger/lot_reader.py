# SPDX-License-Identifier: Apache-2.0
"""Reads lots while the daemon writes: which there are, what people did to them, and the balance of each. Never returns a secret."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import ColumnElement, Connection, Select, func, literal, select

from station.adapters.ledger import label_prints, lots, sqlite, tables
from station.adapters.ledger.driver import Prepared
from station.adapters.ledger.sampled import is_sample
from station.domain.disposition import AFTER, Disposition
from station.domain.identity import LIFE, IdentityState
from station.domain.lot_balance import LotBalance
from station.domain.work_order import Left, LotState

_attempt, _identity, _lot = tables.attempt, tables.identity, tables.lot
_request, _certificate, _spare = tables.pki_request, tables.certificate, tables.spare_certificate
_IN_WORK = [state.value for state in LIFE if state is not IdentityState.PASSED]
_WITH_DAC = [state.value for state in LIFE[LIFE.index(IdentityState.CERTIFIED) :]]

_OPEN = Prepared(select(_lot.c.name).where(_lot.c.state == LotState.OPEN.value))
_NEWEST = Prepared(select(tables.lot_event.c.lot).order_by(tables.lot_event.c.id.desc()).limit(1))

# A sample is not counted in its lot; a scrapped one is burned like others.
_SAMPLE = is_sample(_identity.c.uid) & (_identity.c.state != IdentityState.BURNED.value)


@dataclass(frozen=True, slots=True)
class LotRecord:
    """One lot. That of a recipe has only a name and its counts, and neither order nor plan."""

    name: str
    work_order: str | None
    state: LotState | None
    recipe: str | None
    recipe_sha256: str | None
    planned: int | None
    pattern: str | None
    first: int | None
    size: int | None
    passed: int
    in_work: int
    burned: int
    unbound: int = 0
    """Passed units that are not done, since the order's recipe requires a label and theirs is not bound."""

    @classmethod
    def unknown(cls, name: str) -> Self:
        """A recipe's lot without units."""
        return cls(name, None, None, None, None, None, None, None, None, passed=0, in_work=0, burned=0)

    @property
    def to_do(self) -> int | None:
        """Units that are still to be done."""
        return None if self.planned is None else self.planned - self.passed + self.unbound


@dataclass(frozen=True, slots=True)
class LotDeed:
    """What a person did to a lot."""

    at: datetime
    account: str
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The lot that new units come from, or would come from if it were not paused or closed."""

    lot: LotRecord
    left: Left

    @property
    def warning(self) -> str | None:
        return self.left.warning if self.lot.state is LotState.OPEN else None


def lots_of(path: Path) -> list[LotRecord]:
    """All lots: those of recipes that have units, then those of work orders, in the order in which they were opened."""
    with sqlite.reading(path) as connection, connection.begin():
        return records(connection)


def records(connection: Connection) -> list[LotRecord]:
    """The same, of one moment with what else is read in this transaction."""
    ordered = tables.lot_event.c.type == literal("LotOpened")
    query = select(_lot.c.name).join(tables.lot_event).where(ordered).order_by(tables.lot_event.c.id)
    orders = list(connection.scalars(query))
    first = select(_identity.c.lot).group_by(_identity.c.lot).order_by(func.min(_identity.c.id))
    names = [name for name in connection.scalars(first) if name not in orders] + orders
    return [found for name in names if (found := _record(connection, name)) is not None]


def standing(path: Path) -> Standing | None:
    """The open lot, or the one that was paused or closed last; None in a ledger that never had a work order."""
    with sqlite.reading(path) as connection, connection.begin():
        return standing_in(connection)


def standing_in(connection: Connection) -> Standing | None:
    """The same, of one moment with what else is read in this transaction."""
    name = _OPEN.scalar(str, connection) or _NEWEST.scalar(str, connection)
    if name is None or (lot := _record(connection, name)) is None:
        return None
    assert lot.planned is not None
    assert lot.size is not None
    numbers = lot.size - lots.next_index(connection, name)
    return Standing(lot, Left(name, lot.planned, lot.planned - lot.passed - lot.in_work, numbers))


def deeds(path: Path, lot: str) -> list[LotDeed]:
    """What people did to the lot, in its order."""
    event = tables.lot_event
    query = select(event.c.at, event.c.account, event.c.type, event.c.reason).where(event.c.lot == lot)
    with sqlite.reading(path) as connection:
        return [LotDeed(*row) for row in connection.execute(query.order_by(event.c.id))]


def lot(path: Path, name: str) -> tuple[LotRecord, LotBalance] | None:
    """One lot and its balance, both of one moment; None if no unit has its name and it was never opened."""
    with sqlite.reading(path) as connection, connection.begin():
        return at(connection, name)


def at(connection: Connection, name: str) -> tuple[LotRecord, LotBalance] | None:
    """The same, of one moment with what else is read in this transaction."""
    record = _record(connection, name)
    return None if record is None else (record, _balance(connection, record))


def _record(connection: Connection, name: str) -> LotRecord | None:
    row = connection.execute(select(_lot).where(_lot.c.name == name)).mappings().first()
    states = _states(connection, name)
    if row is None and not states:
        return None
    known = ("work_order", "recipe", "recipe_sha256", "planned", "pattern", "first", "size")
    return LotRecord(
        name=name,
        state=None if row is None else LotState(row["state"]),
        **{column: None if row is None else row[column] for column in known},
        passed=states.get("passed", 0),
        in_work=sum(states.get(state, 0) for state in _IN_WORK),
        burned=states.get("burned", 0),
        unbound=0 if row is None else _unbound(connection, name, row["recipe_sha256"]),
    )


def bound(connection: Connection) -> dict[str, int]:
    """The passed units with a bound label, by lot; samples are not among them."""
    done = (_identity.c.state == IdentityState.PASSED.value, ~_SAMPLE, label_prints.is_bound())
    query = select(_identity.c.lot, func.count()).where(*done).group_by(_identity.c.lot)
    return {row[0]: row[1] for row in connection.execute(query)}


def _unbound(connection: Connection, name: str, recipe_sha256: str) -> int:
    if not label_prints.is_required(connection, recipe_sha256):
        return 0
    return _count(connection, _passed(name, ~label_prints.is_bound()))


def _passed(lot: str, *conditions: ColumnElement[bool]) -> Select[int]:
    return _units(lot, ~_SAMPLE, _identity.c.state == IdentityState.PASSED.value, *conditions)


def _states(connection: Connection, name: str) -> dict[str, int]:
    counted = (_identity.c.lot == name, ~_SAMPLE)
    query = select(_identity.c.state, func.count()).where(*counted).group_by(_identity.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def _balance(connection: Connection, of: LotRecord) -> LotBalance:
    states = _states(connection, of.name)
    identities, next_index = _count(connection, _units(of.name)), lots.next_index(connection, of.name)
    restored: int = connection.scalar(select(tables.ledger.c.skipped)) or 0
    issued = _requests(of.name).where(_request.c.outcome == "issued")
    live = _requests(of.name).join(_certificate, _certificate.c.request_id == _request.c.id)
    replaced = issued.join(_certificate, _certificate.c.request_id == _request.c.id, isouter=True)
    keys = select(_request.c.key).join(_identity, _identity.c.uid == _request.c.uid).where(_identity.c.lot == of.name)
    orphaned = _count(connection, select(_spare.c.id).where(_spare.c.key.in_(keys)))
    unanswered = (_request.c.outcome.is_(None), _request.c.due_at.is_(None), ~_request.c.closed)
    counted = connection.scalar(select(_lot.c.live).where(_lot.c.name == of.name))
    return LotBalance(
        lot=of.name,
        planned=of.planned,
        size=of.size,
        identities=identities,
        **{state.value: states.get(state.value, 0) for state in IdentityState},
        failed=_count(
            connection, _units(of.name, ~_SAMPLE, _identity.c.state.in_(_IN_WORK), _last_verdict() == "fail")
        ),
        scrapped=_count(connection, _units(of.name, _put_away(Disposition.SCRAPPED))),
        quarantined=_count(connection, _units(of.name, _put_away(Disposition.QUARANTINED))),
        samples=_count(connection, _units(of.name, _SAMPLE)),
        bound=_count(connection, _passed(of.name, label_prints.is_bound())),
        unbound=of.unbound,
        labels_printed=_prints(connection, of.name),
        labels_copies=label_prints.copies(connection, of.name),
        labels_void=_prints(connection, of.name, label_prints.is_void()),
        labels_waiting=_count(connection, _passed(of.name, label_prints.has_print(), ~label_prints.is_bound())),
        labels_of_burned=_count(
            connection, _units(of.name, _identity.c.state == IdentityState.BURNED.value, label_prints.has_print())
        ),
        labels_of_samples=_count(connection, _units(of.name, _SAMPLE, label_prints.has_print())),
        dacs_of_samples=_count(connection, live.where(_SAMPLE)),
        skipped=min(next_index - identities, restored),
        next_index=next_index,
        passed_in_journal=_count(connection, _units(of.name, ~_SAMPLE, _identity.c.state != "burned", _has_passed())),
        counted=counted,
        dacs_bought=_count(connection, issued) + orphaned,
        dacs_bound=_count(connection, live.where(~_SAMPLE, _identity.c.state.in_(_WITH_DAC))),
        dacs_waiting=_count(connection, live.where(~_SAMPLE, _identity.c.state.in_(["reserved", "on_board"]))),
        dacs_to_revoke=_count(connection, live.where(_identity.c.state == "burned")),
        # A partner's script has put another certificate for the same key on the board.
        dacs_replaced=_count(connection, replaced.where(_certificate.c.key.is_(None), _request.c.csr == b"")),
        dacs_orphaned=orphaned,
        answers_missing=_count(connection, _requests(of.name).where(*unanswered)),
    )


def _units(lot: str, *conditions: ColumnElement[bool]) -> Select[int]:
    return select(_identity.c.id).where(_identity.c.lot == lot, *conditions)


def _prints(connection: Connection, lot: str, *conditions: ColumnElement[bool]) -> int:
    row = connection.execute(label_prints.prints(_identity.c.lot == lot, *conditions)).first()
    return 0 if row is None else row[1]


def _requests(lot: str) -> Select[int]:
    return select(_request.c.id).join(_identity, _identity.c.uid == _request.c.uid).where(_identity.c.lot == lot)


def _put_away(how: Disposition) -> ColumnElement[bool]:
    event = tables.unit_event
    newest = select(event.c.type).where(event.c.uid == _identity.c.uid).order_by(event.c.id.desc()).limit(1)
    name = next(name for name, after in AFTER.items() if after is how)
    return newest.correlate(_identity).scalar_subquery() == name


def _production() -> Select[str]:
    of_unit = (_attempt.c.uid == _identity.c.uid, ~_attempt.c.laboratory)
    return select(_attempt.c.verdict).where(*of_unit).correlate(_identity)


def _last_verdict() -> ColumnElement[str]:
    judged = _production().where(_attempt.c.verdict.in_(["pass", "fail"]))
    return judged.order_by(_attempt.c.id.desc()).limit(1).scalar_subquery()


def _has_passed() -> ColumnElement[bool]:
    return _production().where(_attempt.c.verdict == "pass").exists()


def _count(connection: Connection, rows: Select[int]) -> int:
    return connection.scalar(select(func.count()).select_from(rows.subquery())) or 0
