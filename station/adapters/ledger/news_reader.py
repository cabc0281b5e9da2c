# SPDX-License-Identifier: Apache-2.0
"""Reads what has ended in the ledger since the last look: attempts, requests to the PKI, and prints of labels. For counters that only grow."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, func, or_, select

from station.adapters.ledger import sqlite, tables
from station.domain.labelling import LabelEvent

_attempt, _request, _label = tables.attempt, tables.pki_request, tables.label_event

PRINTS = {LabelEvent.PRINTED.value: "printed", LabelEvent.UNPROVEN.value: "unproven"}
"""The ends of a print, by their events."""


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """An attempt with its verdict; all times in seconds."""

    slot: str
    verdict: str
    fault: str | None
    seconds: float
    steps: Mapping[str, float]
    laboratory: bool


@dataclass(frozen=True, slots=True)
class EndedRequest:
    """A request to the PKI that was answered, and the seconds until then."""

    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class News:
    """What has ended since the last look, and the requests that have no answer now."""

    attempts: tuple[EndedAttempt, ...] = ()
    requests: tuple[EndedRequest, ...] = ()
    unanswered: int = 0
    prints: tuple[str, ...] = ()
    """How each print of a label ended: a value of `PRINTS`."""


class NewsReader:
    """Tells each attempt, request and print once, when it has ended; the first look tells none of those before it.

    `look` raises `LedgerUnavailable`, and may be called in any thread, one call at a time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._attempts = _Cursor(_attempt.c.id, _attempt.c.verdict)
        self._requests = _Cursor(_request.c.id, _request.c.outcome)
        self._labels: int | None = None  # the event of a label that was read last

    def look(self) -> News:
        with sqlite.reading(self._path) as connection:
            attempts = select(_attempt).where(_attempt.c.id.in_(self._attempts.ended(connection)))
            requests = select(_request).where(_request.c.id.in_(self._requests.ended(connection)))
            lost = (_request.c.outcome.is_(None), _request.c.due_at.is_(None), ~_request.c.closed)
            return News(
                tuple(
                    EndedAttempt(row.slot, row.verdict, row.fault, row.seconds, row.steps, row.laboratory)
                    for row in connection.execute(attempts.order_by(_attempt.c.id))
                ),
                tuple(
                    EndedRequest(row.outcome, (row.answered_at - row.submitted_at).total_seconds())
                    for row in connection.execute(requests.order_by(_request.c.id))
                ),
                connection.scalar(select(func.count()).select_from(_request).where(*lost)) or 0,
                self._prints(connection),
            )

    def _prints(self, connection: Connection) -> tuple[str, ...]:
        """An event of a label is never edited: what has a higher number is new."""
        last = connection.scalar(select(func.max(_label.c.id))) or 0
        after, self._labels = self._labels, last
        if after is None or after >= last:
            return ()
        ends = select(_label.c.type).where(_label.c.id > after, _label.c.id <= last, _label.c.type.in_(PRINTS))
        return tuple(PRINTS[kind] for kind in connection.scalars(ends.order_by(_label.c.id)))


class _Cursor:
    """The rows of a table that have not been told: those with a higher number, and those that had not ended at the last look."""

    def __init__(self, number: ColumnElement[int], end: ColumnElement[str]) -> None:
        """`end`: what a row has once it has ended."""
        self._number = number
        self._is_open = end.is_(None)
        self._last: int | None = None
        self._open: set[int] = set()

    def ended(self, connection: Connection) -> list[int]:
        """The numbers of the rows that have ended since the last look."""
        if self._last is None:
            self._last = connection.scalar(select(func.max(self._number))) or 0
            self._open = set(connection.scalars(select(self._number).where(self._is_open)))
            return []
        after = or_(self._number > self._last, self._number.in_(sorted(self._open)))
        rows = connection.execute(select(self._number, self._is_open).where(after).order_by(self._number)).all()
        self._last = max([self._last, *(number for number, _ in rows)])
        self._open = {number for number, is_open in rows if is_open}
        return [number for number, is_open in rows if not is_open]
