# SPDX-License-Identifier: Apache-2.0
"""Facts about an attempt, the messages that tell them, and how a receiver answers. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from station.domain.attempt import Event

LONGEST_KEY = 96
_NOT_IN_A_LEVEL = re.compile(r"[/+#%\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Facts:
    """An attempt as the ledger knows it just after `event`, which was recorded at `at`. No secret is among the facts."""

    station: str
    incarnation: int
    """Of the ledger: a restored one may give an attempt's number again."""
    attempt: int
    slot: str
    recipe: str
    lot: str
    work_order: str | None
    """None where the lot is the recipe's."""
    started_at: datetime
    at: datetime
    event: Event
    uid: str | None
    serial_number: str | None
    dac_serial_number: str | None
    verdict: str | None
    fault: str | None
    seconds: float
    steps: Mapping[str, float]
    laboratory: bool

    @property
    def id(self) -> str:
        """Names the attempt for all time: `STATION/ATTEMPT`, and after a restoration of the ledger its incarnation."""
        name = f"{self.station}/{self.attempt}"
        return name if self.incarnation == 1 else f"{name}/{self.incarnation}"

    @property
    def key(self) -> str:
        """Messages with one key are delivered in their order: those about one board, or about one attempt on an unknown one."""
        return (self.uid or self.id)[:LONGEST_KEY]


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one receiver."""

    sink: str
    key: str
    type: str
    body: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox that is to be delivered. `id` is its row; `event_id` is by what a receiver knows it again."""

    id: int
    event_id: str
    type: str
    body: str
    tries: int
    refusals: int


@dataclass(frozen=True, slots=True)
class Counts:
    """The outbox of one receiver."""

    pending: int = 0
    oldest: datetime | None = None
    """When the oldest pending message was written."""
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has confirmed the message."""


@dataclass(frozen=True, slots=True)
class Failed:
    """No confirmation, which is tried again for ever. `after`: the seconds that the receiver asked to be left alone."""

    reason: str
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver does not want this message, which is tried a few times only."""

    reason: str


Answer = Delivered | Failed | Refused


def utc(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def level(name: str) -> str:
    """A name as one level of an MQTT topic: what would be another level or a wildcard is percent-encoded."""
    return _NOT_IN_A_LEVEL.sub(lambda found: f"%{ord(found[0]):02X}", name)
