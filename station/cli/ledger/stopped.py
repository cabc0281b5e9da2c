# SPDX-License-Identifier: Apache-2.0
"""A ledger that no daemon writes, for the commands that write into it themselves; and the UID that they are given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import typer

from station.adapters.ledger import Ledger, lease_reader
from station.adapters.ledger.fleet_key_file import fleet_key
from station.adapters.ledger.key_file import KeyUnusable
from station.adapters.ledger.sharing import Shared
from station.cli.places import config_path
from station.config import line as configuration
from station.daemon import control
from station.domain.intervention import DecisionRefused
from station.domain.target import UID
from station.faults.line import LedgerUnavailable


@asynccontextmanager
async def opened(path: Path, config: Path | None = None) -> AsyncIterator[Ledger]:
    """The ledger for the block; raises `LedgerUnavailable`, and `CommandRefused` for a decision that it refuses.

    One that is shared with other stations needs the fleet's key, which the configuration names.
    """
    if not path.is_file():
        raise LedgerUnavailable(f"there is no ledger at {path}")
    async with Ledger.open(path, station="-", shared=_shared(path, config)) as ledger:
        try:
            yield ledger
        except DecisionRefused as exc:
            raise control.CommandRefused(str(exc)) from exc


def _shared(path: Path, config: Path | None) -> Shared | None:
    if not lease_reader.is_shared(path) or (section := configuration.load(config_path(config)).shared) is None:
        return None
    try:
        return Shared(fleet_key(section.fleet_key))
    except KeyUnusable as exc:
        raise control.CommandRefused(str(exc)) from exc


def uid_of(typed: str) -> UID:
    """The UID as it was typed; wrong usage if it is none."""
    try:
        return UID.parse(typed)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
