# SPDX-License-Identifier: Apache-2.0
"""The chain of a ledger's file, for commands: how far it reaches, and what differs from it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from station.adapters.ledger import chain, checkpoints, recording, sqlite, verifying
from station.adapters.ledger.timestamps import StampAuthority
from station.adapters.ledger.verifying import Finding, Verified
from station.domain.checkpoint import Signed
from station.faults.line import LedgerUnavailable


@dataclass(frozen=True, slots=True)
class Standing:
    """The chain's id, its beginning, its newest line, and its newest checkpoint and the newest with a time stamp, which are not verified."""

    chain: str | None
    since: str
    after_event: int
    number: int
    hash: bytes
    newest: Signed | None
    stamped: Signed | None


def standing(path: Path) -> Standing:
    """Raises `LedgerUnavailable`, also for a ledger without a chain, and `NotACheckpoint`."""
    with sqlite.reading(path) as connection, sqlite.translated(path), connection.begin():
        _check(connection, path)
        since, after = recording.since(connection)
        number, hashed = recording.head(chain.driver(connection))
        signed, stamped = checkpoints.newest(connection), checkpoints.newest_stamped(connection)
        return Standing(checkpoints.chain_id(connection), since, after, number, hashed, signed, stamped)


def findings(
    path: Path,
    said: Verified,
    copies: Sequence[tuple[str, bytes]],
    keys: Collection[bytes],
    authority: StampAuthority | None = None,
) -> Iterator[Finding]:
    """`verifying.findings` of one state of the file. Raises `LedgerUnavailable`, also for a ledger without a chain."""
    with sqlite.reading(path) as connection, sqlite.translated(path), connection.begin():
        _check(connection, path)
        yield from verifying.findings(connection, said, copies, keys, authority)


def _check(connection: Connection, path: Path) -> None:
    if not recording.is_kept(connection):
        raise LedgerUnavailable(f"{path}: it has no chain yet, and gets one when this version of the station opens it")
