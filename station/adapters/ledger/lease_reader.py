# SPDX-License-Identifier: Apache-2.0
"""What a ledger holds of the centre's numbers, for commands: read beside its daemon."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from station.adapters.ledger import chain, shared_state, sqlite
from station.adapters.ledger.shared_state import Standing
from station.domain.serial_number import SerialNumberPattern

_BLOCKS = (
    "SELECT lot, number, incarnation, release, first_index, next_index, end_index, lot_first, lot_format, given_back"
    " FROM block ORDER BY lot, number"
)


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block that this ledger was given. `state` is unused, open, used, given back or burned; `left` are its serial numbers."""

    lot: str
    number: int
    state: str
    left: int
    release: str
    first: str
    """Its first serial number."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """How the ledger stands with the centre, and what it holds. `pairs` may be of any lot."""

    standing: Standing
    blocks: Sequence[BlockRecord]
    pairs: int
    requested: int
    """Blocks of the request that the centre has not answered yet."""


def is_shared(path: Path) -> bool:
    """Whether the ledger at `path` was ever opened as a shared one. Raises `LedgerUnavailable`."""
    with sqlite.reading(path) as connection, connection.begin():
        return shared_state.is_shared(connection)


def leases_of(path: Path) -> LeaseRecord | None:
    """What the ledger at `path` holds; None for one of a station by itself. Raises `LedgerUnavailable`."""
    with sqlite.reading(path) as connection, connection.begin():
        if not shared_state.is_shared(connection):
            return None
        standing, raw = shared_state.standing(connection), chain.driver(connection)
        present = 0 if standing.moved else standing.incarnation
        (pairs,) = raw.execute(
            "SELECT count(*) FROM pair WHERE state = 'ours' AND incarnation = ?", (present,)
        ).fetchone()
        (requested,) = raw.execute("SELECT coalesce(request_blocks, 0) FROM shared_state").fetchone()
        blocks = [_block(row, present) for row in raw.execute(_BLOCKS)]
    return LeaseRecord(standing, blocks, pairs, requested)


def _block(row: tuple[str, int, int, str, int, int, int, int, str, int], present: int) -> BlockRecord:
    lot, number, incarnation, release, begin, following, end, first, pattern, given_back = row
    left = end - following
    if given_back:
        state = "given back"
    elif not left:
        state = "used"
    elif incarnation != present:
        state = "burned"
    else:
        state = "unused" if following == begin else "open"
    serial = SerialNumberPattern.parse(pattern).made(first + begin)
    return BlockRecord(lot, number, state, left if state in {"unused", "open"} else 0, release, serial)
