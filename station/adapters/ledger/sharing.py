# SPDX-License-Identifier: Apache-2.0
"""What a ledger is opened with if it shares its numbers with other stations."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from station.adapters.ledger.fleet_key import FleetKey
from station.faults import LineFault
from station.faults.line import LeaseExhausted
from station.interfaces import Claims


def _none_yet(lot: str) -> LineFault:
    return LeaseExhausted(lot, "the centre has given none yet")


@dataclass(eq=False, slots=True)
class Shared:
    """The fleet's key, the release that this line makes, and the centre.

    `none_left` makes the fault for a lot from which the station has nothing left: whoever asks the centre knows why.
    `joining`: the ledger has units of a standalone past that the centre is not told of yet, and gives out nothing.
    """

    fleet: FleetKey = field(repr=False)
    release: str = ""
    claims: Claims | None = None
    none_left: Callable[[str], LineFault] = _none_yet
    joining: bool = False


def of(connection: Connection) -> Shared | None:
    """What the ledger of this connection was opened with; None for a standalone one."""
    found = connection.info.get("chain")
    assert found is None or isinstance(found, Shared)
    return found


def use(connection: Connection, shared: Shared) -> None:
    """From now on this connection tells lines, and takes its numbers from blocks."""
    connection.info["chain"] = shared
