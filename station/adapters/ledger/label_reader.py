# SPDX-License-Identifier: Apache-2.0
"""Reads what labels need, and which units are due to be forgotten, over a connection of its own, beside the writer."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from station.adapters.ledger import sqlite, tables, vault
from station.adapters.ledger.vault import FORGOTTEN, Vault
from station.domain.identity import IdentityState, OnboardingSecrets
from station.domain.target import UID

_attempt, _identity, _sealed = tables.attempt, tables.identity, tables.sealed_secret
_PASSED = (_identity.c.state == IdentityState.PASSED.value, _sealed.c.key_id != FORGOTTEN)


def work_order(path: Path, lot: str) -> str | None:
    """The number of the lot's work order; None for a recipe's lot."""
    with sqlite.reading(path) as connection:
        return connection.scalar(select(tables.lot.c.work_order).where(tables.lot.c.name == lot))


def of_lot(path: Path, opened: Vault, lot: str, recipe: str) -> Iterator[tuple[UID, str, OnboardingSecrets]]:
    """The passed units of a lot that this recipe made and that are remembered: UID, serial number and secrets."""
    newest = (
        select(_attempt.c.recipe)
        .where(_attempt.c.uid == _identity.c.uid, _attempt.c.verdict == "pass", ~_attempt.c.laboratory)
        .order_by(_attempt.c.id.desc())
        .limit(1)
        .correlate(_identity)
        .scalar_subquery()
    )
    columns = (_identity.c.id, _identity.c.uid, _identity.c.serial_number, _identity.c.discriminator, _sealed)
    query = select(*columns).join_from(_identity, _sealed).where(*_PASSED, _identity.c.lot == lot, newest == recipe)
    with sqlite.reading(path) as connection:
        for row in connection.execute(query.order_by(_identity.c.id)):
            yield UID.parse(row.uid), row.serial_number, vault.of_row(opened, row)


def due(path: Path, before: datetime, most: int) -> list[UID]:
    """Up to so many remembered units that have passed, and whose last attempt ended before this time."""
    last = select(func.max(_attempt.c.started_at)).where(_attempt.c.uid == _identity.c.uid).correlate(_identity)
    query = select(_identity.c.uid).join_from(_identity, _sealed).where(*_PASSED, _identity.c.reserved_at < before)
    query = query.where(last.scalar_subquery() < before).order_by(_identity.c.id).limit(most)
    with sqlite.reading(path) as connection:
        return [UID.parse(uid) for uid in connection.scalars(query)]
