# SPDX-License-Identifier: Apache-2.0
"""Whether a ledger may be opened as what the configuration makes it: standalone, or sharing its numbers with other stations."""

from pathlib import Path

from sqlalchemy import Connection

from station.adapters.ledger import shared_state, sharing
from station.adapters.ledger.sharing import Shared
from station.faults.line import LedgerUnavailable


def check(connection: Connection, path: Path, shared: Shared | None) -> None:
    """Raises `LedgerUnavailable` for a shared ledger without `shared`, and for a standalone one that has not joined yet.

    From here on the connection tells lines, if the ledger is shared.
    """
    if shared is None:
        if shared_state.is_shared(connection):
            raise LedgerUnavailable(
                f"{path}: this ledger shares its serial numbers with other stations, and the configuration has no [shared]:"
                " by itself it would give out numbers that others have"
            )
        return
    sharing.use(connection, shared)
    shared_state.found(connection, shared.fleet)
    found = shared_state.standing(connection)
    if found.fleet_check != shared.fleet.check:
        raise LedgerUnavailable(
            f"{path}: the fleet key is another one ({shared.fleet.check}) than this ledger has sealed with ({found.fleet_check})"
        )
    if found.joined is not None and not shared.joining:
        raise LedgerUnavailable(f"{path}: the ledger has units that the centre does not know yet: station central join")
