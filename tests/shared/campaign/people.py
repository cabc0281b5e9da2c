# SPDX-License-Identifier: Apache-2.0
"""What people do at the centre, before a campaign and in it."""

import psycopg

from station.adapters.centre import administration
from tests.builders.postgresql import Server
from tests.shared.campaign.plan import FIRST, FORMAT, LOT, SIZE, Plan, role


def make_centre(plan: Plan, server: Server, release: str) -> str:
    """Makes a centre for the plan's stations, each with a role of its own. Returns the database's name."""
    database = server.database()
    with psycopg.connect(server.dsn(database), autocommit=True) as connection:
        assert not administration.init(connection)
        administration.add_lot(connection, LOT, FORMAT, FIRST, SIZE)
        administration.approve(connection, release, LOT)
        for name in plan.names:
            assert not administration.add_station(connection, name, role(name))
        administration.open_now(connection)
    return database


def open_centre(dsn: str) -> None:
    """Ends the wait after the server's start."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        administration.open_now(connection)


def accept_restore(dsn: str, skip: int) -> None:
    """Lets a centre that was set back go on, behind so many blocks."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        administration.accept_restore(connection, skip)


def told_by(dsn: str, station: str) -> tuple[int, int]:
    """The station's newest incarnation, and how many lines of its journal the centre has; zeros before the first."""
    query = """SELECT i.number, i.next_line - 1 FROM incarnation i JOIN station s ON s.id = i.station
        WHERE s.name = %s ORDER BY i.number DESC LIMIT 1"""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode(), [station]).fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))
