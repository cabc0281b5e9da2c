# SPDX-License-Identifier: Apache-2.0
"""What is found in a bundle, what it says of itself, and what its reader knows from elsewhere. Pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from station.matter.certificates.x509 import Certificate

MOST = 100  # findings that are told one by one


class StampRefused(Exception):
    """A time stamp proves nothing; the text says why."""


Stamped = Callable[[bytes, bytes], datetime]
"""The moment at which a statement was there, by an authority's answer (RFC 3161, DER); raises `StampRefused`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be so: in which member, and what."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


@dataclass(slots=True)
class Result:
    """What was found, and what the bundle says of itself."""

    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    """Findings beyond the first hundred."""
    notes: list[str] = field(default_factory=list)
    """What could not be judged, and what a reader must know."""
    lot: str = ""
    made_at: str = ""
    signed_by: bytes = b""
    open: bool = False
    units: int = 0
    passed: int = 0
    attempts: int = 0
    certificates: int = 0
    linked: int = 0
    """Lines of the journal that link to the one before."""

    @property
    def is_sound(self) -> bool:
        return not self.findings

    def add(self, place: str, sentence: str) -> None:
        """Adds a finding."""
        if len(self.findings) < MOST:
            self.findings.append(Finding(place, sentence))
        else:
            self.more += 1


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the reader knows from elsewhere: keys of stations, and roots. Empty: whatever the bundle says is taken.

    `chained`: the lot is younger than the ledger's chain, so that each event must have its line. `stamped` judges time
    stamps; without it they are not judged.
    """

    keys: Collection[bytes] = ()
    roots: Mapping[bytes, Certificate] = field(default_factory=dict)
    chained: bool = False
    stamped: Stamped | None = None
