# SPDX-License-Identifier: Apache-2.0
"""Records of the ledger as JSON has them: fields by name, times in the ledger's notation, certificates as PEM."""

from dataclasses import Field, asdict
from datetime import datetime
from typing import ClassVar, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from station.adapters.ledger import events
from station.adapters.ledger.reader import CertificateRecord, JournalEntry, UnitStory
from station.adapters.ledger.tables import iso
from station.domain.numbers import Bar, Hour, Numbers

PLACES = ("slot", "probe")
"""Properties whose share of fails is compared with that elsewhere."""


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]


def values(record: Record) -> dict[str, object]:
    """A record as JSON and tables have it."""
    return {key: iso(value) if isinstance(value, datetime) else value for key, value in asdict(record).items()}


def story(of: UnitStory) -> dict[str, object]:
    """One board's whole story; events by their names in the journal."""
    return {
        "uid": of.uid,
        "unit": None if of.unit is None else values(of.unit),
        "releases": [values(each) for each in of.releases],
        "decisions": [values(each) for each in of.decisions],
        "forgotten": of.forgotten,
        "labels": [values(each) for each in of.labels],
        "secrets": [values(each) for each in of.secrets],
        "certificates": [values(each) | {"dac": _pem(each)} for each in of.certificates],
        "attempts": [
            values(each.summary) | {"journal": [_entry(entry) for entry in each.journal]} for each in of.attempts
        ],
    }


def bars(of: Numbers) -> dict[str, tuple[Bar, ...]]:
    """The failed and void attempts by each property."""
    return {"fault": of.by_fault, "slot": of.by_slot, "probe": of.by_probe, "step": of.by_step}


def numbers(of: Numbers) -> dict[str, object]:
    """The figures of some attempts, as command and API give them."""
    return {
        "judged": of.first_pass.of,
        "passed_first": of.first_pass.hits,
        "first_pass_yield": of.first_pass.share,
        "first_pass_interval": of.first_pass.interval,
        "attempts": of.attempts,
        "pass": of.passed,
        "fail": of.failed,
        "void": of.void,
        "laboratory": of.laboratory,
        "by": {name: [_row(name, bar) for bar in each] for name, each in bars(of).items()},
        "steps": {name: asdict(seconds) for name, seconds in of.steps.items()},
        "whole_attempt": None if of.whole is None else asdict(of.whole),
        "hours": [_hour(hour) for hour in of.hours],
        "units": of.units,
        "units_an_hour": of.units_an_hour,
        "worked_seconds": of.worked,
    }


def _row(name: str, bar: Bar) -> dict[str, object]:
    row: dict[str, object] = {name: bar.name, "fail": bar.fails.hits, "void": bar.void}
    row |= {"of_all_fails": bar.share, "cumulative": bar.cumulative}
    if name in PLACES:
        row |= {"judged": bar.fails.of, "not_chance": bar.not_chance}
    return row


def _hour(hour: Hour) -> dict[str, object]:
    return {"begin": iso(hour.begin), "pass": hour.passed, "fail": hour.failed, "void": hour.void, "units": hour.units}


def _entry(entry: JournalEntry) -> dict[str, object]:
    return {"at": iso(entry.at), "type": entry.event.on_disk.name, **events.body(entry.event)}


def _pem(certificate: CertificateRecord) -> str:
    return x509.load_der_x509_certificate(certificate.dac).public_bytes(Encoding.PEM).decode()
