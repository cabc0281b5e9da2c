# SPDX-License-Identifier: Apache-2.0
"""A centre whose every text is hostile, and `station central` against it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from station.adapters.centre import administration
from tests.builders.postgresql import MISSING, Server, programs
from tests.cli.hostile import TEXT, Desk, configuration

AWAY = f"hostaddr='{TEXT}' dbname=station user=owner"
"""An address whose error repeats it."""
UID = bytes(range(12))
NOW = datetime.now(UTC)

_BY = {"station": 1, "incarnation": 1}
_OF_ATTEMPT = {
    "number": 1,
    "uid": UID,
    "verdict": TEXT,
    "started_at": NOW,
    "seconds": 1.0,
    "laboratory": False,
    "first_line": 1,
    "last_line": 2,
}
_ENDED = {"slot": TEXT, "lot": TEXT, "release": TEXT, "fault": TEXT}


@contextmanager
def centres() -> Iterator[Callable[[], str]]:
    """Gives the address of a centre of its own for each call. The server starts at the first one."""
    with ExitStack() as stack:

        @cache
        def server() -> tuple[Server, str]:
            if programs() is None:
                pytest.skip(MISSING)
            started = stack.enter_context(Server())
            template = started.database()
            with psycopg.connect(started.dsn(template), autocommit=True) as connection:
                administration.init(connection)
                fill(connection)
            return started, template

        def address() -> str:
            started, template = server()
            return started.dsn(started.database(template))

        yield address


ROWS: tuple[tuple[str, dict[str, object]], ...] = (
    ("station", {"name": TEXT, "db_role": TEXT}),
    ("incarnation", {"station": 1, "number": 1, "ledger_id": UUID(int=1), "place": TEXT, "base": b"", "head": b""}),
    ("lot", {"name": TEXT, "serial_format": TEXT, "first": 1, "size": 256}),
    ("approval", {"lot": TEXT, "release": TEXT}),
    ("anomaly", {"kind": TEXT, "subject": TEXT, "detail": Jsonb({TEXT: TEXT})}),
    ("unit", _BY | {"uid": UID, "epoch": 1, "lot": TEXT, "idx": 0, "rank": 4, "verdict": TEXT, "fault": TEXT}),
    ("identity", _BY | {"lot": TEXT, "idx": 0, "uid": UID, "serial_number": TEXT, "sealed": b""}),
    ("attempt", _BY | _ENDED | _OF_ATTEMPT),
    ("yield", _ENDED | {"station": 1, "hour": NOW, "verdict": "fail", "attempts": 1}),
)


def fill(connection: psycopg.Connection) -> None:
    """Writes the text into every column that people or stations fill."""
    connection.execute("UPDATE central SET frozen = %s", [TEXT])
    for table, values in ROWS:
        columns, places = (
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        )
        insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), columns, places)
        connection.execute(insert, values)


def central(desk: Desk, *arguments: str, answers: bool = True, also_json: bool = True) -> str:
    """Runs one command against a hostile centre, if that answers, and against an address that is hostile itself."""
    told = desk.station("central", *arguments, "--dsn", AWAY)
    if answers:
        told += desk.station("central", *arguments, "--dsn", desk.centre())
    if answers and also_json:
        told += desk.station("central", *arguments, "--dsn", desk.centre(), "--json")
    return told


def join(desk: Desk) -> str:
    """Runs `station central join` with the text in its options and in the centre's address."""
    section = '[shared]\ndsn = "host=db"\nfleet_key = "fleet.key"\n'
    config = desk.file("shared.toml", configuration() + section)
    return desk.station("central", "join", "--config", TEXT) + desk.station(
        "central", "join", "--yes", "--config", config, "--dsn", AWAY
    )


CENTRAL: dict[str, Callable[[Desk], str]] = {
    "central init": lambda desk: central(desk, "init", answers=False),
    "central upgrade": lambda desk: central(desk, "upgrade", answers=False),
    "central status": lambda desk: central(desk, "status"),
    "central accept-restore": lambda desk: central(desk, "accept-restore", "--skip", "1", "--yes", also_json=False),
    "central open": lambda desk: central(desk, "open", answers=False),
    "central lots list": lambda desk: central(desk, "lots", "list"),
    "central lots add": lambda desk: central(
        desk, "lots", "add", TEXT, "--format", TEXT, "--first", "1", "--size", "1", also_json=False
    ),
    "central approve": lambda desk: (
        central(desk, "approve", "ab" * 32, also_json=False)
        + desk.station("central", "approve", TEXT)
        + desk.station("central", "approve", "--recipe", TEXT, "--config", desk.config)
    ),
    "central stations list": lambda desk: central(desk, "stations", "list"),
    "central stations add": lambda desk: central(desk, "stations", "add", TEXT, "--role", TEXT, also_json=False),
    "central retire": lambda desk: central(desk, "retire", TEXT, "--yes", also_json=False),
    "central join": join,
    "central anomalies list": lambda desk: central(desk, "anomalies", "list"),
    "central anomalies settle": lambda desk: central(desk, "anomalies", "settle", "1", answers=False),
    "central audit": lambda desk: central(desk, "audit", also_json=False),
    "central partitions": lambda desk: central(desk, "partitions"),
    "central units list": lambda desk: central(desk, "units", "list"),
    "central units show": lambda desk: central(desk, "units", "show", UID.hex()),
    "central units export": lambda desk: central(desk, "units", "export", also_json=False).replace("\r\n", "\n"),
    "central yield": lambda desk: "".join(
        central(desk, "yield", "--by", each) for each in ("station", "slot", "hour", "fault")
    ),
}
