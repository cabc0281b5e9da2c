# SPDX-License-Identifier: Apache-2.0
"""One truth for many stations: what a station asks the centre, and what the centre answers. Pure.

The centre gives each block of serial numbers and each pair of passcode and discriminator once and for ever. No decision rests
on a clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from station.domain.credentials import Credentials
from station.domain.target import UID

GRID = 256  # serial numbers in a block
MOST_LINES = 3000  # of a push
MOST_ITEMS = 131_072  # that a station holds
FEWEST_ITEMS = 1024


class Rank(IntEnum):
    """How far the centre knows an identity to have come. A unit keeps the identity of the highest rank."""

    SEEN = 0
    TAKEN = 1
    ON_BOARD = 2
    CERTIFIED = 3
    PASSED = 4
    SCRAPPED = 5


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The centre's numbers for a station and for this incarnation of its ledger."""

    station: int
    incarnation: int


class Word(StrEnum):
    """The centre's answer to a ledger that greets it.

    `CLOSED`: a later incarnation of the station has begun. `ROLLED_BACK`: the centre knows more of this ledger than the
    ledger itself. `UNKNOWN`: the centre has never heard of it.
    """

    OK = "ok"
    CLOSED = "closed"
    ROLLED_BACK = "rolled_back"
    UNKNOWN = "unknown"


class Refusal(StrEnum):
    """Why the centre, which was reached, gives or takes nothing."""

    CLOSED = "closed"  # the incarnation
    RESTORED = "restored"  # the centre was set back, or frozen, and a person has not said yet how far to skip
    STARTING = "starting"  # its server has started within the last ten minutes
    NOT_APPROVED = "not_approved"  # the release, for this lot
    LOT_UNKNOWN = "lot_unknown"
    LOT_EXHAUSTED = "lot_exhausted"
    FLEET_KEY = "fleet_key"  # the station's fleet key is another one than the fleet's
    STATION_UNKNOWN = "station_unknown"  # no station has this database role
    BROKEN_CHAIN = "broken_chain"  # the lines that the station sends do not follow one another
    SCHEMA = "schema"  # the centre's tables are of another version than this station knows


@dataclass(frozen=True, slots=True)
class Request:
    """A request for blocks and pairs, durable at the station before it is sent. Asking again brings the same blocks.

    `number` is 32 hexadecimal digits by chance. `hashes` are those of the candidates for pairs, signed 64-bit integers.
    `tick` is the highest that the station has seen of the centre.
    """

    number: str
    lot: str
    release: str
    blocks: int
    hashes: Sequence[int] = field(repr=False)
    tick: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Numbers of blocks, and the candidates' hashes that are this station's own from now on."""

    blocks: Sequence[int]
    hashes: Sequence[int] = field(repr=False)
    tick: int
    first: int
    """The lot's first number: index 0 of block 0."""
    size: int
    """Serial numbers in the whole lot."""
    format: str
    """The lot's `serial_number_format`."""


@dataclass(frozen=True, slots=True)
class Line:
    """One link of a journal: `text` is its canonical JSON, an array of sequence number, moment, type, attempt and body."""

    number: int
    text: bytes = field(repr=False)
    hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the centre has an incarnation's journal: the next line's number, counted from 1, and the hash before it."""

    next_line: int
    head: bytes
    closed: bool = False


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """A unit as the centre knows it. `certificates` are those of its keys, the newest last.

    `pending` are keys with a request whose answer no station has told yet, each with the name of the station that asked.
    `began_at` is the station that took the identity. `release` is that of the last attempt that passed the unit; empty if none.
    """

    lot: str
    index: int
    serial_number: str
    sealed: bytes = field(repr=False)
    rank: Rank
    certificates: Sequence[tuple[str, Credentials]]
    pending: Sequence[tuple[str, str]]
    began_at: str
    release: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The centre's answer about a unit, which is the asking station's from now on; `known` is None for a new unit."""

    uid: UID
    epoch: int
    known: KnownUnit | None
    was_ours: bool
    """Whether the asking station had it already, in this incarnation."""


def checkpoint_text(station: int, incarnation: int, upto: int, head: bytes) -> bytes:
    """What a checkpoint's signature covers."""
    return f"matter-station checkpoint 1 {station} {incarnation} {upto} {head.hex()}".encode("ascii")
