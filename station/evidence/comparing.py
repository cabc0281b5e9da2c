# SPDX-License-Identifier: Apache-2.0
"""The rows that a bundle's members tell, compared with those that the chain records. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from station.domain.disposition import AFTER
from station.evidence import recorded, rows
from station.evidence.counting import Unit
from station.evidence.form import ATTEMPTS, CERTIFICATES, EXCEPTIONS, LABELS, REQUESTS, UNITS
from station.evidence.recorded import Recorded
from station.evidence.rows import Row

LABEL = "label_event"
_TABLES = {
    UNITS: recorded.IDENTITY,
    CERTIFICATES: recorded.CERTIFICATE,
    REQUESTS: recorded.REQUEST,
    ATTEMPTS: recorded.ATTEMPT,
}
_KINDS = {  # of exceptions, by the tables that have them
    "lot": "lot_event",
    "unit": "unit_event",
    "sample": "sample_event",
    "release": "unit_release",
    "secrets": "secrets_deed",
    "spare_certificate": "spare_certificate",
}


@dataclass(slots=True)
class Told:
    """A digest of each row that a member tells."""

    numbered: dict[str, dict[int, bytes]] = field(default_factory=lambda: defaultdict(dict))
    deeds: dict[str, Counter[bytes]] = field(default_factory=lambda: defaultdict(Counter))
    failures: set[bytes] = field(default_factory=set)
    newest: dict[str, str] = field(default_factory=dict)
    """The newest decision about a unit."""

    def row(self, member: str, number: int, row: Row) -> Iterator[str]:
        """Takes a row with a number. Yields a sentence if the row is told twice; raises `NotABundle`."""
        table = _TABLES[member]
        told = self.numbered[table]
        if number in told:
            yield f"row {number} of {table} is there twice"
        told[number] = recorded.said(table, row, begun=member == ATTEMPTS and row.get("verdict") is None)
        if member == ATTEMPTS and row.get("verdict") in {"fail", "void"}:
            self.failures.add(_failure(row))

    def deed(self, table: str, row: Row) -> None:
        self.deeds[table][recorded.said(table, row)] += 1

    def exception(self, row: Row) -> Iterator[str]:
        """Takes an exception. Yields a sentence for an attempt that is not so among the attempts; raises `NotABundle`."""
        kind = rows.text(row, "kind")
        if kind in _KINDS:
            self.deed(_KINDS[kind], row)
        elif kind == "attempt" and _failure(row) not in self.failures:
            yield f"attempt {row.get('attempt')} is not so in {ATTEMPTS}"
        if kind == "unit":
            self.newest[rows.name(row, "uid")] = rows.text(row, "type")

    def differences(self, chain: Recorded, *, whole: bool) -> Iterator[tuple[str, str]]:
        """Member and sentence for each row that the chain has not, has otherwise, or has alone.

        With `whole`, no event of the lot is from before the chain.
        """
        for member, table in _TABLES.items():
            told = self.numbered[table]
            for number, digest in told.items():
                if (mistake := chain.difference(table, number, digest, whole=whole)) is not None:
                    yield member, mistake
            yield from ((member, mistake) for mistake in chain.others(table, told))
        for table in recorded.DEEDS:
            member = LABELS if table == LABEL else EXCEPTIONS
            yield from ((member, mistake) for mistake in chain.deeds(table, self.deeds[table]))

    def dispositions(self, units: Mapping[str, Unit]) -> Iterator[str]:
        """A sentence for each unit that is not what the newest decision about it has made of it."""
        for uid, unit in units.items():
            newest = self.newest.get(uid)
            if unit.disposition != (None if newest is None or newest not in AFTER else AFTER[newest].value):
                yield f"{uid} is said to be {unit.disposition}, and {EXCEPTIONS} has {newest} last"


def _failure(row: Row) -> bytes:
    """What attempts and exceptions say both of an attempt that did not pass."""
    names = ("uid", "slot", "verdict", "fault", "ended_at")
    told = [rows.number(row, "attempt"), *(rows.text_or_none(row, name) for name in names)]
    return repr(told).encode(errors="backslashreplace")
