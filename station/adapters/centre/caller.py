# SPDX-License-Identifier: Apache-2.0
"""Which station asks, and what the centre refuses to it before anything else. In SQL.

A station is known by the role with which it logs in, never by what it says of itself.
"""

from dataclasses import dataclass

from psycopg import AsyncConnection

from station.adapters.centre.trouble import CentreRefused
from station.adapters.centre.version import KNOWN
from station.domain.shared import Refusal

ACCEPT = "look which grants are missing since its backup, then run `station central accept-restore --skip N`"
WAIT = 10  # minutes after the server's start, in which stations may come that know more than the centre

_INCARNATION = """
SELECT s.id, s.name, i.closed, i.next_line, i.head, (SELECT version_num FROM central_version)
FROM station s JOIN incarnation i ON i.station = s.id WHERE s.db_role = session_user AND i.number = %s
"""
STATION_LOCKED, INCARNATION_LOCKED = "FOR UPDATE OF s", "FOR UPDATE OF i"


@dataclass(frozen=True, slots=True)
class Caller:
    """A station by its number at the centre and its name, with the incarnation of its ledger."""

    station: int
    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Known:
    """An incarnation as the centre knows it."""

    caller: Caller
    closed: bool
    next_line: int
    head: bytes


async def station(connection: AsyncConnection, *, locked: bool = False) -> tuple[int, str]:
    """The asking station's number and name; raises `CentreRefused` for tables of another version and an unknown role."""
    found = await connection.execute(
        "SELECT session_user, v.version_num, s.id, s.name"
        " FROM central_version v LEFT JOIN station s ON s.db_role = session_user"
    )
    role, version, number, name = await found.fetchone() or (None, None, None, None)
    _check_version(version)
    if number is None:
        raise CentreRefused(
            Refusal.STATION_UNKNOWN,
            f"no station logs in as {role}; make it known with `station central stations add NAME --role {role}`",
        )
    if locked:
        await connection.execute("SELECT 1 FROM station WHERE db_role = session_user FOR UPDATE")
    return number, name


async def incarnation(connection: AsyncConnection, number: int, lock: str = "") -> Known:
    """The asking station's incarnation with this number; raises `CentreRefused` if there is none.

    `lock` is `STATION_LOCKED`, `INCARNATION_LOCKED`, or empty.
    """
    found = await connection.execute(_INCARNATION + lock, [number])
    row = await found.fetchone()
    if row is None:
        _, name = await station(connection)
        raise CentreRefused(Refusal.CLOSED, f"incarnation {number} of {name} is not known to the centre")
    station_number, name, closed, next_line, head, version = row
    _check_version(version)
    return Known(Caller(station_number, name, number), closed, next_line, head)


def _check_version(version: str | None) -> None:
    if version != KNOWN:
        raise CentreRefused(
            Refusal.SCHEMA,
            f"its tables are of version {version or 'none'}, and this station knows {KNOWN};"
            " run `station central upgrade` with the newest version of the station, and install that on every station",
        )


async def check_fleet(connection: AsyncConnection, value: str) -> None:
    """Compares the check value of the fleet key with the fleet's, which the first station to come has set."""
    await connection.execute("UPDATE central SET fleet_check = %s WHERE fleet_check IS NULL", [value])
    found = await connection.execute("SELECT fleet_check FROM central")
    (expected,) = await found.fetchone() or (None,)
    if expected != value:
        raise CentreRefused(
            Refusal.FLEET_KEY, f"the fleet's key has the check value {expected}, and this station's key has {value}"
        )


async def frozen(connection: AsyncConnection, tick: int) -> CentreRefused | None:
    """Freezes the centre if a station has seen a higher tick: it was set back.

    The transaction must be committed all the same, so the refusal is returned and not raised.
    """
    why = f"a station has seen tick {tick}, which the centre has not reached: it was set back"
    changed = await connection.execute(
        "UPDATE central SET frozen = coalesce(frozen, %s) WHERE tick < %s RETURNING frozen", [why, tick]
    )
    row = await changed.fetchone()
    return None if row is None else CentreRefused(Refusal.RESTORED, f"{row[0]}; {ACCEPT}")


async def check_whole(connection: AsyncConnection) -> None:
    """Raises `CentreRefused` if the centre is frozen, or runs on another server or timeline than it did."""
    found = await connection.execute(
        "SELECT c.frozen, c.system_id = s.system_id, c.timeline, s.timeline FROM central c, server s"
    )
    row = await found.fetchone()
    why, same_system, known, timeline = row or ("the centre has lost its own row", True, 0, 0)
    if why is None and not same_system:
        why = "it runs on another server than it did: it was restored from a dump or moved"
    if why is None and known != timeline:
        why = f"its server is on timeline {timeline}, and was on {known}: it was recovered or a standby was promoted"
    if why is not None:
        raise CentreRefused(Refusal.RESTORED, f"{why}; {ACCEPT}")


async def check_open(connection: AsyncConnection) -> None:
    """Raises `CentreRefused` within the first minutes after a start of the server, unless a person has ended the wait."""
    found = await connection.execute(
        "SELECT s.started_at + make_interval(mins => %s) FROM central c, server s"
        " WHERE c.open_from < s.started_at AND now() < s.started_at + make_interval(mins => %s)",
        [WAIT, WAIT],
    )
    if row := await found.fetchone():
        raise CentreRefused(
            Refusal.STARTING,
            f"its server has just started: grants begin at {row[0]:%H:%M:%S}, or with `station central open`",
        )
