# SPDX-License-Identifier: Apache-2.0
"""The serial numbers and the pairs of passcode and discriminator that the centre has given this ledger, in SQL.

A block belongs to its incarnation and its release, and never expires. A pair is drawn here, and becomes the station's own when the
centre has its hash.
"""

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from station.adapters.ledger import chain
from station.adapters.ledger.fleet_key import SEALED_PAIR_SIZE, FleetKey
from station.domain.facts import BlockGivenBack, BlockReceived
from station.domain.identity import Lot, OnboardingSecrets
from station.domain.shared import GRID, Grant, Request
from station.faults.line import CentreUnusable
from station.matter.onboarding.passcode import Discriminator, Passcode

SPARE_PAIRS = 4  # more than numbers in a request: the centre may know a hash already

_EMPTY = bytes(SEALED_PAIR_SIZE)
_STATE = (
    "SELECT incarnation, tick, request, request_lot, request_release, request_blocks FROM shared_state WHERE one = 1"
)
_USABLE = "SELECT s.incarnation FROM shared_state AS s JOIN ledger AS l ON s.local_incarnation = l.incarnation"
_NEXT = (
    "SELECT number, next_index, lot_first, lot_size, lot_format FROM block WHERE incarnation = ? AND lot = ? AND release = ?"
    " AND given_back = 0 AND next_index < end_index ORDER BY number LIMIT 1"
)
_LEFT = (
    "SELECT coalesce(sum(end_index - next_index), 0) FROM block WHERE incarnation = ? AND lot = ? AND release = ?"
    " AND given_back = 0 AND next_index < end_index"
)
_UNTOUCHED = (
    "SELECT number FROM block WHERE incarnation = ? AND lot = ? AND next_index = first_index"
    " AND given_back = 0 AND next_index < end_index ORDER BY number"
)
_UNTOUCHED_OTHERS = (
    "SELECT lot, number FROM block WHERE incarnation = ? AND (lot IS NOT ? OR release <> ?) AND next_index = first_index"
    " AND given_back = 0 AND next_index < end_index ORDER BY lot, number"
)
_GIVEN_BACK = "SELECT number FROM block WHERE incarnation = ? AND lot = ? AND given_back = 1 ORDER BY number"
_FREE = "SELECT id, hash, sealed FROM pair WHERE state = 'ours' AND incarnation = ? AND id > ? ORDER BY id LIMIT ?"
_END = "UPDATE pair SET state = ?, sealed = ? WHERE hash = ? AND state = 'ours' AND incarnation = ?"


class PairState(StrEnum):
    """The names on disk have one length, so that a row is overwritten where it is."""

    CANDIDATE = "open"
    OURS = "ours"
    USED = "used"
    BURNED = "gone"


@dataclass(frozen=True, slots=True)
class Leases:
    """What is left for one lot and release."""

    numbers: int
    pairs: int

    @property
    def items(self) -> int:
        """How many units can begin: each needs a number and a pair."""
        return min(self.numbers, self.pairs)


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair that a unit may get, sealed with the fleet key."""

    id: int
    hash: int
    sealed: bytes


def take(connection: Connection, lot: Lot, release: str) -> int | None:
    """The next number of the lot for this release, counted from the lot's first; None if there is none left.

    Raises `CentreUnusable` if the centre's lot is not the recipe's.
    """
    raw = chain.driver(connection)
    row = raw.execute(_NEXT, (_incarnation(raw), lot.name, release)).fetchone()
    if row is None:
        return None
    number, index, first, size, pattern = row
    if (first, size, pattern) != (lot.first, lot.size, lot.serial_number_format):
        raise CentreUnusable(
            f"lot {lot.name} has {size} numbers from {first} on by {pattern} at the centre, and {lot.size} from {lot.first} on"
            f" by {lot.serial_number_format} at this station"
        )
    raw.execute("UPDATE block SET next_index = next_index + 1 WHERE lot = ? AND number = ?", (lot.name, number))
    return int(index)


def use(connection: Connection, fleet: FleetKey, onboarding: OnboardingSecrets) -> bool:
    """Takes the pair of these secrets out of the stock; False if it is not in it."""
    return _end(connection, fleet, onboarding, PairState.USED)


def burn(connection: Connection, fleet: FleetKey, onboarding: OnboardingSecrets) -> bool:
    """Takes a pair out of the stock that no unit may have; False if it is not in it."""
    return _end(connection, fleet, onboarding, PairState.BURNED)


def free_pairs(connection: Connection, after: int, most: int) -> list[Pair]:
    """Pairs of the stock with later ids than this, the oldest first."""
    raw = chain.driver(connection)
    return [Pair(*row) for row in raw.execute(_FREE, (_incarnation(raw), after, most))]


def count(connection: Connection, lot: str, release: str) -> Leases:
    """What is left for this lot and release."""
    raw = chain.driver(connection)
    incarnation = _incarnation(raw)
    (left,) = raw.execute(_LEFT, (incarnation, lot, release)).fetchone()
    ours = "SELECT count(*) FROM pair WHERE state = 'ours' AND incarnation = ?"
    (pairs,) = raw.execute(ours, (incarnation,)).fetchone()
    return Leases(left, pairs)


def open_request(connection: Connection) -> Request | None:
    """The request that has no answer yet, as it was first asked."""
    raw = chain.driver(connection)
    _, tick, number, lot, release, blocks = raw.execute(_STATE).fetchone()
    if number is None:
        return None
    hashes = raw.execute("SELECT hash FROM pair WHERE state = 'open' AND request = ? ORDER BY id", (number,))
    return Request(number, lot, release, blocks, [hashed for (hashed,) in hashes], tick)


def drawn(fleet: FleetKey, count: int) -> list[tuple[int, bytes]]:
    """Random pairs, sealed, with their hashes. Takes some microseconds for each."""
    made = dict[int, bytes]()
    while len(made) < count:
        passcode, discriminator = Passcode.random(), Discriminator.random()
        hashed = fleet.pair_hash(passcode, discriminator)
        made[hashed] = fleet.seal_pair(hashed, passcode, discriminator)
    return list(made.items())


def begin_request(
    connection: Connection, lot: str, release: str, blocks: int, candidates: Sequence[tuple[int, bytes]]
) -> Request:
    """Records a request with its candidates; the one that has no answer yet, if there is one."""
    if (there := open_request(connection)) is not None:
        return there
    raw = chain.driver(connection)
    number = secrets.token_hex(16)
    (incarnation, *_) = raw.execute(_STATE).fetchone()
    raw.executemany(
        "INSERT OR IGNORE INTO pair (hash, incarnation, request, state, sealed) VALUES (?, ?, ?, 'open', ?)",
        ((hashed, incarnation, number, sealed) for hashed, sealed in candidates),
    )
    _ask(connection, number, lot, release, blocks)
    return _asked(connection)


def granted(connection: Connection, request: Request, grant: Grant, at: datetime) -> None:
    """Records the answer to the open request. An answer to another request was recorded before, and changes nothing."""
    raw = chain.driver(connection)
    incarnation, _, number, *_ = raw.execute(_STATE).fetchone()
    if number != request.number:
        return
    for block in grant.blocks:
        first = block * GRID
        row = (request.lot, block, incarnation, request.release, first, first, min(first + GRID, grant.size))
        added = raw.execute(
            "INSERT OR IGNORE INTO block (lot, number, incarnation, release, first_index, next_index, end_index, lot_first,"
            " lot_size, lot_format) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, grant.first, grant.size, grant.format),
        )
        if added.rowcount:
            chain.tell(connection, at, BlockReceived(request.lot, block, request.release, request.number))
    raw.executemany(
        "UPDATE pair SET state = 'ours' WHERE hash = ? AND state = 'open' AND request = ?",
        ((hashed, request.number) for hashed in grant.hashes),
    )
    _forget_candidates(connection, request.number)
    _ask(connection, None, None, None, None)
    raw.execute("UPDATE shared_state SET tick = max(tick, ?)", (grant.tick,))


def drop_request(connection: Connection) -> None:
    """Gives up the open request: what the centre gave for it, if it did, is burned."""
    if (there := open_request(connection)) is not None:
        _forget_candidates(connection, there.number)
        _ask(connection, None, None, None, None)


def give_back(connection: Connection, lot: str, at: datetime) -> list[int]:
    """Gives up the lot's whole blocks, which nothing was taken from. Returns every block that was given up so."""
    raw = chain.driver(connection)
    place = _incarnation(raw), lot
    for (number,) in raw.execute(_UNTOUCHED, place).fetchall():
        _renounce(connection, lot, number, at)
    return [number for (number,) in raw.execute(_GIVEN_BACK, place)]


def give_up(connection: Connection, lot: str | None, release: str, at: datetime) -> Mapping[str, Sequence[int]]:
    """Gives up, for good, the whole blocks of other lots and releases, which nothing was taken from. Returns their numbers by lot.

    The journal tells the centre. `lot` is None if no lot is made now.
    """
    raw, given_up = chain.driver(connection), dict[str, list[int]]()
    for name, number in raw.execute(_UNTOUCHED_OTHERS, (_incarnation(raw), lot, release)).fetchall():
        _renounce(connection, name, number, at)
        given_up.setdefault(name, []).append(number)
    return given_up


def _renounce(connection: Connection, lot: str, number: int, at: datetime) -> None:
    """Records that this ledger will never use the block, and tells the centre."""
    chain.driver(connection).execute("UPDATE block SET given_back = 1 WHERE lot = ? AND number = ?", (lot, number))
    chain.tell(connection, at, BlockGivenBack(lot, number))


def burn_all(connection: Connection) -> None:
    """Burns every pair that no unit has; blocks of an earlier incarnation are burned by themselves."""
    drop_request(connection)
    chain.driver(connection).execute("UPDATE pair SET state = 'gone', sealed = ? WHERE state = 'ours'", (_EMPTY,))


def _end(connection: Connection, fleet: FleetKey, onboarding: OnboardingSecrets, state: PairState) -> bool:
    raw, hashed = chain.driver(connection), fleet.pair_hash(onboarding.passcode, onboarding.discriminator)
    return raw.execute(_END, (state.value, _EMPTY, hashed, _incarnation(raw))).rowcount == 1


def _incarnation(raw: sqlite3.Connection) -> int:
    """The incarnation whose blocks and pairs may be used; 0 if the ledger was restored since it began."""
    row = raw.execute(_USABLE).fetchone()
    return 0 if row is None else int(row[0])


def _asked(connection: Connection) -> Request:
    request = open_request(connection)
    assert request is not None
    return request


def _ask(connection: Connection, number: str | None, lot: str | None, release: str | None, blocks: int | None) -> None:
    chain.driver(connection).execute(
        "UPDATE shared_state SET request = ?, request_lot = ?, request_release = ?, request_blocks = ?",
        (number, lot, release, blocks),
    )


def _forget_candidates(connection: Connection, request: str) -> None:
    chain.driver(connection).execute(
        "UPDATE pair SET state = 'gone', sealed = ? WHERE state = 'open' AND request = ?", (_EMPTY, request)
    )
