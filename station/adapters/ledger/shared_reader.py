# SPDX-License-Identifier: Apache-2.0
"""The station's ledger as the replication's thread reads it, beside the writer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from station.adapters.ledger import chain, leases, lots, shared_state, sqlite
from station.adapters.ledger.leases import Leases
from station.adapters.ledger.shared import JournalReader
from station.adapters.ledger.shared_state import Standing
from station.domain.shared import Line, Request
from station.interfaces import RecordedRecipe


@dataclass(frozen=True, slots=True)
class LedgerReader:
    """Implements `replication.interfaces.SharedReader`: each read is a transaction of its own, so that none holds the write-ahead log."""

    connection: Connection
    recipe: RecordedRecipe | None
    """None if it makes no units that need identities."""

    def standing(self) -> Standing:
        with self.connection.begin():
            return shared_state.standing(self.connection)

    def unsent(self, after: int, most: int) -> Sequence[Line]:
        with self.connection.begin():
            return chain.unsent(self.connection, chain.head(self.connection).incarnation, after, most)

    def hash_at(self, number: int) -> bytes | None:
        with self.connection.begin():
            return chain.hash_at(self.connection, chain.head(self.connection).incarnation, number)

    def lot(self) -> str | None:
        if self.recipe is None:
            return None
        with self.connection.begin():
            return lots.making(self.connection, self.recipe)

    def leases(self, lot: str, release: str) -> Leases:
        with self.connection.begin():
            return leases.count(self.connection, lot, release)

    def busiest_hour(self, now: datetime) -> int:
        return JournalReader(self.connection).busiest_hour(now)

    def open_request(self) -> Request | None:
        with self.connection.begin():
            return leases.open_request(self.connection)


@contextmanager
def reading(path: Path, recipe: RecordedRecipe | None) -> Iterator[LedgerReader]:
    """Reads the ledger at `path` beside its daemon; raises `LedgerUnavailable`."""
    with sqlite.reading(path) as connection:
        yield LedgerReader(connection, recipe)
