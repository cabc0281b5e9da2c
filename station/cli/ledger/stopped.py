# SPDX-License-Identifier: Apache-2.0
"""A ledger that no daemon writes, for the commands that write into it themselves; and the UID that they are given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import typer

from station.adapters.ledger import Ledger
from station.daemon import control
from station.domain.intervention import DecisionRefused
from station.domain.target import UID
from station.faults.line import LedgerUnavailable


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Ledger]:
    """The ledger for the block; raises `LedgerUnavailable`, and `CommandRefused` for a decision that it refuses."""
    if not path.is_file():
        raise LedgerUnavailable(f"there is no ledger at {path}")
    async with Ledger.open(path, station="-") as ledger:
        try:
            yield ledger
        except DecisionRefused as exc:
            raise control.CommandRefused(str(exc)) from exc


def uid_of(typed: str) -> UID:
    """The UID as it was typed; wrong usage if it is none."""
    try:
        return UID.parse(typed)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
