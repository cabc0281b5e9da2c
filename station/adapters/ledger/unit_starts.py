# SPDX-License-Identifier: Apache-2.0
"""Where a unit of a shared ledger started anew: events of this ledger from before say nothing of it as it is now, in SQL."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from station.adapters.ledger import chain, tables
from station.adapters.ledger.shared_tables import adoption
from station.domain.identity import IdentityState
from station.domain.target import UID

_OF = "SELECT state, images, event_id FROM adoption WHERE uid = ?"


@dataclass(frozen=True, slots=True)
class Start:
    """A unit's state when another station's work ended, or when it got another identity.

    `images` are the SHA-256 of those with which another station has passed it; empty if they are not known here. `event` is the
    newest event of the ledger at that time.
    """

    state: IdentityState
    images: frozenset[str]
    event: int


def begin(
    connection: Connection,
    uid: UID,
    state: IdentityState,
    at: datetime,
    *,
    epoch: int = 0,
    began_at: str = "",
    images: Sequence[str] = (),
) -> None:
    """Notes that the unit starts anew here, in this state."""
    connection.execute(delete(adoption).where(adoption.c.uid == str(uid)))
    row = {
        "uid": str(uid),
        "at": at,
        "epoch": epoch,
        "began_at": began_at,
        "state": state.value,
        "images": json.dumps(list(images)),
        "event_id": connection.scalar(select(func.max(tables.event.c.id))) or 0,
    }
    connection.execute(insert(adoption), row)


def of(connection: Connection, uid: str) -> Start | None:
    """The unit's last start; None if all of this ledger's events tell of the unit as it is."""
    if not chain.is_kept(connection):
        return None
    row = chain.driver(connection).execute(_OF, (uid,)).fetchone()
    if row is None:
        return None
    state, images, event = row
    return Start(IdentityState(state), frozenset(json.loads(images)), event)
