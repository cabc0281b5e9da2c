# SPDX-License-Identifier: Apache-2.0
"""Which attempts and rows are about a lot, in SQL. A line of the chain names a row by its table and key alone."""

from collections.abc import Callable
from functools import lru_cache

from sqlalchemy import Connection, select

from station.adapters.ledger import tables

_attempt, _identity, _request = tables.attempt, tables.identity, tables.pki_request
_OF_UNIT = ("unit_release", "unit_event", "sample_event", "label_event")
_OF_REQUEST = ("pki_request", "certificate", "pki_answer")
_OF_LOT = ("lot_event", "lot_range")
REMEMBERED = 4096  # few attempts, units and requests are worked on at a time

Question = Callable[[object], bool]


class Belonging:
    """Implements `evidence_journal.Belongs` in the open transaction of a connection."""

    def __init__(self, connection: Connection, lot: str) -> None:
        self._connection = connection
        self._lot = lot
        self.attempt: Question = lru_cache(REMEMBERED)(self._attempt)
        self._unit: Question = lru_cache(REMEMBERED)(self._is_unit)
        self._request: Question = lru_cache(REMEMBERED)(self._is_request)

    def row(self, table: str, key: object) -> bool:  # noqa: PLR0911  a case a kind of row
        """Whether the row of this table with this key is about the lot, or about the line while the lot was made."""
        if table in _OF_REQUEST:
            return self._request(key)
        match table:
            case "attempt":
                return self.attempt(key)
            case "identity":
                return self._value(table, "lot", key) == self._lot
            case "lot":
                return key == self._lot
            case "spare_certificate":
                return self._spare(key)
            case "secrets_deed":
                return self._value(table, "lot", key) == self._lot or self._of_unit(table, key)
            case _ if table in _OF_LOT:
                return self._value(table, "lot", key) == self._lot
            case _:
                return table in _OF_UNIT and self._of_unit(table, key)

    def _attempt(self, number: object) -> bool:
        query = select(_attempt.c.lot, _attempt.c.uid).where(_attempt.c.id == number)
        row = self._connection.execute(query).first()
        return row is not None and (row.lot == self._lot or self._unit(row.uid))

    def _is_unit(self, uid: object) -> bool:
        query = select(_identity.c.id).where(_identity.c.uid == uid, _identity.c.lot == self._lot)
        return uid is not None and self._connection.scalar(query) is not None

    def _is_request(self, number: object) -> bool:
        return self._unit(self._connection.scalar(select(_request.c.uid).where(_request.c.id == number)))

    def _spare(self, number: object) -> bool:
        table = tables.spare_certificate
        query = select(_request.c.id).join_from(table, _request, _request.c.key == table.c.key)
        return any(map(self._request, self._connection.scalars(query.where(table.c.id == number))))

    def _of_unit(self, table: str, key: object) -> bool:
        return self._unit(self._value(table, "uid", key))

    def _value(self, table: str, column: str, key: object) -> object:
        of = tables.metadata.tables[table]
        return self._connection.scalar(select(of.c[column]).where(of.c.id == key))
