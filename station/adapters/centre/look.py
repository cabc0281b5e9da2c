# SPDX-License-Identifier: Apache-2.0
"""All that one page shows of the stations, in one short visit to the centre."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection

from station.adapters.centre import questions
from station.adapters.centre.questions import Neighbour, YieldRow
from station.adapters.centre.sessions import connected

CONNECTED_WITHIN = 2.0  # seconds
LOOKED_WITHIN = 2.0  # seconds, after which the connection is cut
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Look:
    """The stations at the centre's own time. `recent` are their attempts since the hour before this one began."""

    at: datetime
    since: datetime
    stations: Sequence[Neighbour]
    lags: Mapping[str, float]
    """Seconds from the newest line's moment to its arrival, by station."""
    recent: Mapping[str, YieldRow]
    hours: Sequence[YieldRow]
    slots: Sequence[YieldRow]
    faults: Sequence[YieldRow]
    anomalies: int


def look(dsn: str) -> Look:
    """Asks in the role that reads. Raises `CentreUnreachable`, `CentreBroken`."""
    with (
        connected(dsn, CONNECTED_WITHIN, reads_only=True, cut_after=LOOKED_WITHIN) as connection,
        connection.transaction(),
    ):
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        at, since = _moments(connection)
        known = questions.neighbours(connection)
        return Look(
            at,
            since,
            known.stations,
            _lags(connection),
            {row.name: row for row in questions.yields(connection, "station", since)},
            questions.yields(connection, "hour", at - DAY),
            questions.yields(connection, "slot", at - DAY),
            questions.yields(connection, "fault", at - DAY),
            known.anomalies,
        )


def _moments(connection: Connection) -> tuple[datetime, datetime]:
    row = connection.execute("SELECT now(), date_trunc('hour', now()) - interval '1 hour'").fetchone()
    assert row is not None
    return row[0], row[1]


def _lags(connection: Connection) -> dict[str, float]:
    rows = connection.execute(
        "SELECT s.name, extract(epoch FROM g.received_at - i.newest_at)::float8 FROM station s"
        " JOIN LATERAL (SELECT * FROM incarnation WHERE station = s.id ORDER BY number DESC LIMIT 1) i ON true"
        " JOIN LATERAL (SELECT received_at FROM segment WHERE station = s.id AND incarnation = i.number"
        "   ORDER BY first_line DESC LIMIT 1) g ON true WHERE i.newest_at IS NOT NULL"
    )
    return dict(rows.fetchall())
