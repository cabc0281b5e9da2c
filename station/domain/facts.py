# SPDX-License-Identifier: Apache-2.0
"""The facts that a station with a shared ledger journals beside the events of its attempts, for the centre. Pure.

A standalone ledger holds the same in tables only. No fact holds a secret in clear: an identity's secrets are sealed with the
fleet key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from station.domain.attempt import OnDisk
from station.domain.target import UID


@dataclass(frozen=True, slots=True)
class AttemptBegun:
    on_disk: ClassVar[OnDisk] = OnDisk(
        "AttemptBegun",
        ("attempt", "slot", "probe", "tty", "recipe", "recipe_sha256", "release", "lot", "version", "commit"),
    )
    attempt: int
    slot: str
    probe: str
    tty: str
    recipe: str
    recipe_sha256: str
    release: str
    lot: str
    version: str | None
    commit: str | None


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """The sum of an attempt, with its verdict.

    `first` is the sequence number of its `AttemptBegun`; 0 if the attempt began before this incarnation of the ledger.
    """

    on_disk: ClassVar[OnDisk] = OnDisk(
        "AttemptEnded",
        (
            "attempt",
            "uid",
            "slot",
            "verdict",
            "fault",
            "started_at",
            "seconds",
            "lot",
            "release",
            "laboratory",
            "first",
        ),
    )
    attempt: int
    uid: UID | None
    slot: str
    verdict: str
    fault: str | None
    started_at: datetime
    seconds: float
    lot: str
    release: str
    laboratory: bool
    first: int


@dataclass(frozen=True, slots=True)
class IdentityTaken:
    """A unit got the serial number at this index of the lot; `sealed` are its secrets under the fleet key."""

    on_disk: ClassVar[OnDisk] = OnDisk("IdentityTaken", ("uid", "lot", "index", "serial_number", "sealed"))
    uid: UID
    lot: str
    index: int
    serial_number: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class IdentityAdvanced:
    """The unit's identity has reached this rank (`shared.Rank`)."""

    on_disk: ClassVar[OnDisk] = OnDisk("IdentityAdvanced", ("uid", "lot", "index", "rank"))
    uid: UID
    lot: str
    index: int
    rank: int


@dataclass(frozen=True, slots=True)
class RequestSubmitted:
    """A request to the PKI, recorded before it is sent. `request` counts the requests of the ledger."""

    on_disk: ClassVar[OnDisk] = OnDisk("RequestSubmitted", ("request", "key", "uid"))
    request: int
    key: str
    uid: UID


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """The PKI has answered without a certificate that a unit gets."""

    on_disk: ClassVar[OnDisk] = OnDisk("RequestAnswered", ("request", "reason"))
    request: int
    reason: str


@dataclass(frozen=True, slots=True)
class CertificateIssued:
    """The certificate of a unit's key, DER. `pai` is the SHA-256 of the intermediate certificate, as in `IntermediateSeen`."""

    on_disk: ClassVar[OnDisk] = OnDisk(
        "CertificateIssued", ("request", "key", "uid", "dac_serial_number", "dac", "pai")
    )
    request: int
    key: str
    uid: UID
    dac_serial_number: str
    dac: bytes
    pai: str


@dataclass(frozen=True, slots=True)
class IntermediateSeen:
    """An intermediate certificate, DER, told once before the first certificate that it issued."""

    on_disk: ClassVar[OnDisk] = OnDisk("IntermediateSeen", ("pai", "content"))
    pai: str
    content: bytes


@dataclass(frozen=True, slots=True)
class BlockReceived:
    on_disk: ClassVar[OnDisk] = OnDisk("BlockReceived", ("lot", "number", "release", "request"))
    lot: str
    number: int
    release: str
    request: str


@dataclass(frozen=True, slots=True)
class BlockGivenBack:
    """The station will never use this block, which nothing was taken from; recorded before the centre is told."""

    on_disk: ClassVar[OnDisk] = OnDisk("BlockGivenBack", ("lot", "number"))
    lot: str
    number: int


@dataclass(frozen=True, slots=True)
class UnitAdopted:
    """A unit that another station began goes on here, with its identity, secrets and certificates."""

    on_disk: ClassVar[OnDisk] = OnDisk("UnitAdopted", ("uid", "lot", "index", "epoch", "began_at"))
    uid: UID
    lot: str
    index: int
    epoch: int
    began_at: str


@dataclass(frozen=True, slots=True)
class IncarnationBegun:
    """The first fact of a ledger's incarnation. `version` is the station's."""

    on_disk: ClassVar[OnDisk] = OnDisk("IncarnationBegun", ("incarnation", "ledger", "version"))
    incarnation: int
    ledger: str
    version: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The station's signature (Ed25519) over the chain's head `upto` this sequence number."""

    on_disk: ClassVar[OnDisk] = OnDisk("Checkpoint", ("upto", "head", "signature"))
    upto: int
    head: bytes
    signature: bytes


Fact = (
    AttemptBegun
    | AttemptEnded
    | IdentityTaken
    | IdentityAdvanced
    | RequestSubmitted
    | RequestAnswered
    | CertificateIssued
    | IntermediateSeen
    | BlockReceived
    | BlockGivenBack
    | UnitAdopted
    | IncarnationBegun
    | Checkpoint
)

Body = Mapping[str, object]
"""A fact's fields as JSON values by their keys on disk: bytes as lower-case hexadecimal, moments as ISO 8601 in UTC."""
