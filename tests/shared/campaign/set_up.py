# SPDX-License-Identifier: Apache-2.0
"""What people do before a campaign: the centre's database, the lot, its release, and the stations with their roles."""

import psycopg

from station.adapters.centre import administration
from tests.builders.postgresql import Server
from tests.shared.campaign.plan import FIRST, FORMAT, LOT, SIZE, Plan, role
from tests.shared.campaign.station import RECIPE


def centre(plan: Plan, server: Server) -> str:
    """Makes a centre for the plan's stations, each with a role of its own. Returns the database's name."""
    database = server.database()
    with psycopg.connect(server.dsn(database), autocommit=True) as connection:
        assert not administration.init(connection)
        administration.add_lot(connection, LOT, FORMAT, FIRST, SIZE)
        administration.approve(connection, RECIPE.release, LOT)
        for name in plan.names:
            assert not administration.add_station(connection, name, role(name))
    opened(server.dsn(database))
    return database


def opened(dsn: str) -> None:
    """A person ends the wait after the server's start."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        administration.open_now(connection)
