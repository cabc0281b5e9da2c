# SPDX-License-Identifier: Apache-2.0
"""Reads from the ledger what the operator's page shows besides the slots: the lot's counts, and how long each step takes."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, bindparam, func, literal, select

from station.adapters.ledger import lot_reader, sqlite, tables
from station.adapters.ledger.driver import Prepared
from station.adapters.ledger.lot_reader import Standing
from station.adapters.ledger.sampled import is_sample
from station.domain.attempt import ProcedureChosen
from station.domain.identity import IdentityState

_attempt, _event, _identity = tables.attempt, tables.event, tables.identity

# Counted every few seconds while a page is open. The statements are built once: building them takes as long as the rest.
_PASSED = Prepared(
    select(func.count())
    .select_from(_identity)
    .where(_identity.c.lot == bindparam("lot"), _identity.c.state == IdentityState.PASSED.value)
    .where(~is_sample(_identity.c.uid))
)
_OLDEST_OPEN = Prepared(select(func.min(_attempt.c.id)).where(_attempt.c.verdict.is_(None)))
_NEWEST = Prepared(select(func.max(_attempt.c.id)))
_FAILS = Prepared(
    select(func.count())
    .select_from(_attempt)
    .where(_attempt.c.id > bindparam("after"), _attempt.c.id <= bindparam("until"))
    .where(_attempt.c.lot == bindparam("lot"), _attempt.c.verdict == "fail", ~_attempt.c.laboratory)
)

PASSES = 200  # whose steps make the plan of a procedure

Plans = Mapping[str, Mapping[str, float]]
"""For each procedure, its steps in their order, with seconds."""


@dataclass(frozen=True, slots=True)
class LotCounts:
    """Units of a lot that have passed, and attempts on its boards that ended with a fail."""

    passed: int
    failed: int


class BoardReader:
    """Reads the ledger at `path` for one lot. Its methods raise `LedgerUnavailable`, and may be called in any thread, one at a time."""

    def __init__(self, path: Path, lot: str | None) -> None:
        self._path = path
        self._lot = lot
        self._settled = 0  # every attempt up to this number has ended
        self._failed = 0  # among those

    def lot(self) -> LotCounts | None:
        """The counts of the lot; None in a laboratory. Reads only attempts that it has not counted as settled before."""
        if self._lot is None:
            return None
        with sqlite.reading(self._path) as connection, connection.begin():
            return self._counts(connection, self._lot)

    def standing(self, of_recipe: str) -> tuple[str, Standing | None, LotCounts]:
        """The lot that new units come from, which it counts from now on, as a work order's, or that of the recipe in a ledger without orders."""
        with sqlite.reading(self._path) as connection, connection.begin():
            standing = lot_reader.standing_in(connection)
            name = of_recipe if standing is None else standing.lot.name
            if name != self._lot:
                self._lot, self._settled, self._failed = name, 0, 0
            return name, standing, self._counts(connection, name)

    def _counts(self, connection: Connection, lot: str) -> LotCounts:
        passed = _PASSED.one(int, connection, {"lot": lot})
        oldest_open = _OLDEST_OPEN.scalar(int, connection)
        newest = _NEWEST.scalar(int, connection) or 0
        settled = newest if oldest_open is None else oldest_open - 1
        self._failed += self._fails(connection, lot, self._settled, settled)
        self._settled = max(self._settled, settled)
        return LotCounts(passed, self._failed + self._fails(connection, lot, self._settled, newest))

    def _fails(self, connection: Connection, lot: str, after: int, until: int) -> int:
        return _FAILS.one(int, connection, {"lot": lot, "after": after, "until": until})

    def plans(self) -> Plans:
        """The median seconds of each step in the last passes, by procedure."""
        passes = select(_attempt.c.id).where(_attempt.c.verdict == "pass").order_by(_attempt.c.id.desc()).limit(PASSES)
        query = (
            select(_event.c.body["procedure"].as_string(), _attempt.c.steps)
            .join_from(_attempt, _event, _event.c.attempt_id == _attempt.c.id)
            .where(_attempt.c.id.in_(passes))
            .where(_event.c.type == literal(ProcedureChosen.on_disk.name))
            .order_by(_attempt.c.id.desc())
        )
        seen: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        with sqlite.reading(self._path) as connection:
            for procedure, steps in connection.execute(query):
                for step, seconds in steps.items():
                    seen[procedure][step].append(seconds)
        return {
            procedure: {step: round(median(seconds), 3) for step, seconds in steps.items()}
            for procedure, steps in seen.items()
        }
