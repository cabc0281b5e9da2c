# SPDX-License-Identifier: Apache-2.0
"""A shared ledger's record of itself, in SQL: its number at the centre, its incarnation there, and its place at its enrolment."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, inspect

from station.adapters.ledger import chain, incarnations, leases, shared_tables
from station.adapters.ledger.fleet_key import FleetKey
from station.adapters.system import version
from station.domain.facts import IncarnationBegun
from station.domain.shared import Enrolment
from station.faults.line import LedgerFenced, LedgerForked

_STANDING = (
    "SELECT s.station, s.incarnation, s.ledger, s.next_ledger, s.tick, s.fleet_check, s.stopped, s.place, s.joined,"
    " s.local_incarnation, l.incarnation FROM shared_state AS s LEFT JOIN ledger AS l ON l.one = 1 WHERE s.one = 1"
)
_BEGIN = (
    "UPDATE shared_state SET station = ?, incarnation = ?, ledger = ?, next_ledger = NULL, stopped = NULL,"
    " local_incarnation = coalesce((SELECT incarnation FROM ledger WHERE one = 1), 1)"
)


class Stopped(StrEnum):
    """Why this ledger gives out nothing until a person has decided."""

    FENCED = "fenced"  # another ledger has taken the station's place at the centre
    FORKED = "forked"  # the centre has other lines of this ledger


@dataclass(frozen=True, slots=True)
class Standing:
    """How the ledger stands with the centre. `station` and `incarnation` are the centre's numbers, 0 before the first enrolment.

    `lines` is the number of the newest line and `head` its hash; `acked` is the last that the centre has. `tick` is the highest
    that the ledger has seen of the centre. `joined` is the last identity of its standalone past that it has told; None if it has told
    all. `moved`: the ledger was restored since its enrolment, and must enrol anew.
    """

    station: int
    incarnation: int
    ledger: str
    lines: int
    head: bytes
    acked: int
    tick: int
    fleet_check: str
    stopped: str | None
    moved: bool
    place: str
    next_ledger: str | None
    joined: int | None

    @property
    def must_enrol(self) -> bool:
        return self.moved or not self.incarnation


def is_shared(connection: Connection) -> bool:
    """Whether the ledger was ever opened as a shared one."""
    if not inspect(connection).has_table(shared_tables.shared_state.name):
        return False
    return chain.driver(connection).execute("SELECT 1 FROM shared_state").fetchone() is not None


def found(connection: Connection, fleet: FleetKey) -> None:
    """Makes the record at the first opening with a centre."""
    joined = 0 if incarnations.given_out(connection) else None
    chain.driver(connection).execute(
        "INSERT OR IGNORE INTO shared_state (one, station, incarnation, local_incarnation, ledger, tick, fleet_check, place,"
        " joined) VALUES (1, 0, 0, 0, '', 0, ?, '', ?)",
        (fleet.check, joined),
    )


def standing(connection: Connection) -> Standing:
    row = chain.driver(connection).execute(_STANDING).fetchone()
    station, incarnation, ledger, next_ledger, tick, check, stopped, place, joined, then, now = row
    head = chain.head(connection)
    return Standing(
        station=station,
        incarnation=incarnation,
        ledger=ledger,
        lines=head.number,
        head=head.hash,
        acked=chain.acked(connection, incarnation),
        tick=tick,
        fleet_check=check,
        stopped=stopped,
        moved=bool(incarnation) and then != (now or 1),
        place=place,
        next_ledger=next_ledger,
        joined=joined,
    )


def begin_enrolment(connection: Connection, place: str, new: str) -> tuple[str, bytes]:
    """Records under which id the ledger asks to be enrolled: `new`, or the one of an enrolment here without an answer."""
    found = standing(connection)
    ledger = found.next_ledger if found.next_ledger and found.place == place else new
    chain.driver(connection).execute("UPDATE shared_state SET next_ledger = ?, place = ?", (ledger, place))
    return ledger, found.head


def enrolled(connection: Connection, enrolment: Enrolment, ledger: str, at: datetime) -> None:
    """Begins an incarnation. What was left of earlier ones is burned, and what this copy knows of units may be old."""
    before = standing(connection)
    if before.incarnation == enrolment.incarnation and not before.moved:
        return
    raw = chain.driver(connection)
    leases.burn_all(connection)
    if before.incarnation:
        raw.execute("UPDATE identity SET owned = 0 WHERE owned = 1")
    raw.execute(_BEGIN, (enrolment.station, enrolment.incarnation, ledger))
    chain.begin(connection, enrolment.incarnation, before.head)
    chain.tell(connection, at, IncarnationBegun(enrolment.incarnation, ledger, version.running().number))


def restored(connection: Connection) -> None:
    """After a restoration what a shared ledger knows of units may be old. It gives out nothing until it has enrolled anew."""
    if is_shared(connection):
        chain.driver(connection).execute("UPDATE identity SET owned = 0 WHERE owned = 1")


def stop(connection: Connection, why: str) -> None:
    chain.driver(connection).execute("UPDATE shared_state SET stopped = ?", (why,))


def check_gives_out(connection: Connection, name: str) -> None:
    """Raises `LedgerFenced` or `LedgerForked` for a ledger that may begin no unit. `name` is the station's."""
    (why,) = chain.driver(connection).execute("SELECT stopped FROM shared_state WHERE one = 1").fetchone()
    match why:
        case Stopped.FENCED.value:
            raise LedgerFenced(name)
        case Stopped.FORKED.value:
            found = standing(connection)
            raise LedgerForked(min(found.acked + 1, found.lines))
