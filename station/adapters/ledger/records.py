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
        "forgotten": of.forgotten,
        "labels": [values(each) for each in of.labels],
        "secrets": [values(each) for each in of.secrets],
        "certificates": [values(each) | {"dac": _pem(each)} for each in of.certificates],
        "attempts": [
            values(each.summary) | {"journal": [_entry(entry) for entry in each.journal]} for each in of.attempts
        ],
    }


def _entry(entry: JournalEntry) -> dict[str, object]:
    return {"at": iso(entry.at), "type": entry.event.on_disk.name, **events.body(entry.event)}


def _pem(certificate: CertificateRecord) -> str:
    return x509.load_der_x509_certificate(certificate.dac).public_bytes(Encoding.PEM).decode()
