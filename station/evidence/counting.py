# SPDX-License-Identifier: Apache-2.0
"""Counts the rows of a bundle again, and compares the counts with the lot's balance. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from station.domain.identity import LIFE, IdentityState
from station.domain.labelling import LabelEvent
from station.domain.lot_balance import LotBalance
from station.evidence import rows
from station.evidence.form import NotABundle
from station.evidence.journal import Proof
from station.evidence.rows import Row

_WITH_DAC = frozenset(state.value for state in LIFE[LIFE.index(IdentityState.CERTIFIED) :])
_IN_WORK = frozenset(state.value for state in LIFE if state is not IdentityState.PASSED)


@dataclass(frozen=True, slots=True)
class Unit:
    """An identity as far as it is counted."""

    serial_number: str
    state: str
    sample: bool
    elsewhere: bool
    """Whether another station began it, so that its proofs may be in that station's journal."""
    disposition: str | None


@dataclass(slots=True)
class Counts:
    """What the rows add up to, by the names of the balance."""

    units: dict[str, Unit] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)
    _serials: set[str] = field(default_factory=set)
    _places: set[int] = field(default_factory=set)

    def unit(self, row: Row) -> Iterator[str]:
        """Takes one unit. Yields a sentence for each value that must be its own and is not."""
        uid, serial, place = rows.name(row, "uid"), rows.name(row, "serial_number"), rows.number(row, "lot_index")
        if uid in self.units:
            yield f"{uid} has two identities"
        if serial in self._serials:
            yield f"serial number {serial} was given twice"
        if place in self._places:
            yield f"place {place} in the lot was given twice"
        self._serials.add(serial)
        self._places.add(place)
        disposition, elsewhere = rows.text_or_none(row, "disposition"), row.get("began_at") is not None
        unit = Unit(serial, rows.text(row, "state"), rows.flag(row, "sample"), elsewhere, disposition)
        self.units[uid] = unit
        self.found["identities"] += 1
        self.found["samples" if unit.sample else unit.state] += 1
        self.found["scrapped"] += disposition == "scrapped"
        self.found["quarantined"] += disposition == "quarantined"
        self.found["bound"] += unit.state == "passed" and not unit.sample and rows.flag(row, "bound")

    def certificate(self, row: Row) -> None:
        unit = self.units.get(rows.name(row, "uid"))
        if unit is None:
            raise NotABundle(f"{row['uid']} is no unit of the lot")
        if unit.sample:
            self.found["dacs_of_samples"] += 1
        elif unit.state in _WITH_DAC:
            self.found["dacs_bound"] += 1
        elif unit.state in {"reserved", "on_board"}:
            self.found["dacs_waiting"] += 1
        elif unit.state == "burned":
            self.found["dacs_to_revoke"] += 1

    def request(self, row: Row) -> None:
        self.found["dacs_bought"] += row.get("outcome") == "issued"
        asked = row.get("outcome") is None and row.get("due_at") is None
        self.found["answers_missing"] += asked and not rows.flag(row, "closed")

    def label(self, row: Row) -> None:
        self.found["labels_printed"] += row.get("type") == LabelEvent.PRINT_STARTED.value

    def exception(self, row: Row) -> None:
        if row.get("kind") == "spare_certificate":
            self.found["dacs_orphaned"] += 1
            self.found["dacs_bought"] += 1
        elif row.get("kind") == "attempt":
            self.found["exceptional attempts"] += 1

    def differences(self, told: Row, passed: Mapping[str, Proof], judged: Mapping[str, str]) -> Iterator[str]:
        """A sentence for each count that the balance has otherwise, and for each way in which it does not add up."""
        balance = _balance(told)
        yield from (f"the balance does not add up: {mistake}" for mistake in balance.mistakes())
        counted = dict.fromkeys(_COUNTED, 0) | {name: self.found[name] for name in _COUNTED}
        plain = {uid: unit for uid, unit in self.units.items() if not unit.sample}
        counted["passed_in_journal"] = sum(uid in passed and each.state != "burned" for uid, each in plain.items())
        counted["failed"] = sum(each.state in _IN_WORK and judged.get(uid) == "fail" for uid, each in plain.items())
        for name, count in counted.items():
            if (said := getattr(balance, name)) != count:
                yield f"the balance says {name} {said}, and the bundle's rows are {count}"


_COUNTED = (
    "identities",
    *(state.value for state in IdentityState),
    *("scrapped", "quarantined", "samples", "bound", "labels_printed"),
    *("dacs_bought", "dacs_bound", "dacs_waiting", "dacs_to_revoke", "dacs_of_samples", "dacs_orphaned"),
    "answers_missing",
)


def _balance(told: Row) -> LotBalance:
    """Raises `NotABundle` unless it has every count."""
    optional = {"planned", "size", "counted"}
    numbers = {
        each.name: None if each.name in optional and told.get(each.name) is None else rows.number(told, each.name)
        for each in fields(LotBalance)
        if each.name != "lot"
    }
    return LotBalance(lot=rows.text(told, "lot"), **numbers)  # type: ignore[arg-type]  # None only where it may be
