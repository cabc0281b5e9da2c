# SPDX-License-Identifier: Apache-2.0
"""Makes ledgers of many units: copies one wave of 64 units that the station made, in SQL, with new identifiers."""

import asyncio
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from benchmarks.rates import Units
from station.adapters.ledger import Ledger, tables
from station.adapters.system import logs
from station.domain.attempt import Voided

WAVE = 64
PULLED = 2  # boards of a wave that are pulled once before they pass
ATTEMPTS, PERIOD = WAVE + PULLED, 1 << 32
SPACING = 150  # seconds between waves, as on a line of 16 slots: 38,000 attempts a day

# A copy's first eight digits are its wave's number, scattered, so that index accesses are random as on a line.
_SCATTERED = f"(k * 2654435761) % {PERIOD}"


def filled(folder: Path, units: int) -> Path:
    """The path of a ledger with at least that many units in this folder; the first call makes it."""
    place = folder / f"{units}-figures"  # another name than that of ledgers that were made without this table
    ledger, complete = place / "ledger.sqlite", place / "complete"
    if not complete.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        fill(ledger, units)
        complete.touch()
    return ledger


def fill(path: Path, units: int) -> None:
    """Makes a ledger with at least that many units, all passed; one board in 32 was pulled once before."""
    with logs.configured("error", None):
        asyncio.run(_make_wave(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000"):
            connection.execute(f"PRAGMA {pragma}")
        _copy(connection, -(-units // WAVE) - 1)
        connection.execute("PRAGMA journal_mode=WAL")


async def _make_wave(path: Path) -> None:
    async with Ledger.open(path, station="benchmark", register=path.parent) as ledger:
        units = Units(ledger)
        units.prepare(WAVE)
        for number in range(1, PULLED + 1):
            journal = await units.recognised(number)
            await journal.finish(Voided("board.removed"))
        async with asyncio.TaskGroup() as group:  # at once, so that their events interleave
            for _ in range(WAVE):
                group.create_task(units.make(1))


def _copy(connection: sqlite3.Connection, copies: int) -> None:
    """Multiplies the rows of every table; `k` numbers the copies from 1."""
    (events,) = connection.execute("SELECT max(id) FROM event").fetchone()
    connection.execute("BEGIN")
    connection.execute("CREATE TEMP TABLE copies (k INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO copies VALUES (?)", ((k,) for k in range(1, copies + 1)))
    for name, changed in _changed(events, copies).items():
        columns = [column.name for column in tables.metadata.tables[name].columns]
        values = ", ".join(changed.get(column, column) for column in columns)
        connection.execute(f"CREATE TEMP TABLE wave_{name} AS SELECT * FROM {name} ORDER BY 1")  # noqa: S608  our names
        copied = f"SELECT {values} FROM copies CROSS JOIN wave_{name}"  # noqa: S608  the same
        connection.execute(f"INSERT INTO {name} ({', '.join(columns)}) {copied}")
    sums = ", ".join(f"{column} = {column} * {copies + 1}" for column in _summed_up())
    connection.execute(f"UPDATE totals SET {sums}")  # noqa: S608  the same
    connection.execute("COMMIT")


def _changed(events: int, copies: int) -> Mapping[str, Mapping[str, str]]:
    """The columns that differ from copy to copy, by table, referenced tables first."""
    return {
        "attempt": {
            "id": f"id + k * {ATTEMPTS}",
            "started_at": _earlier("started_at", copies),
            "ended_at": _earlier("ended_at", copies),
            "uid": _own("uid"),
            "dac_serial_number": _own("dac_serial_number", capitals=True),
        },
        "figure": {
            "began": f"began + (k - {copies + 1}) * {SPACING * 1000}",
            "id": f"id + k * {ATTEMPTS}",
            "uid": _own("uid"),
        },
        "event": {
            "id": f"id + k * {events}",
            "attempt_id": f"attempt_id + k * {ATTEMPTS}",
            "at": _earlier("at", copies),
            "body": _body(),
        },
        "identity": {
            "id": f"id + k * {WAVE}",
            "uid": _own("uid"),
            "lot_index": f"lot_index + k * {WAVE}",
            "serial_number": _serial_number("serial_number"),
            "pairing_hash": "randomblob(32)",
        },
        "sealed_secret": {"identity_id": f"identity_id + k * {WAVE}"},
        "pki_request": {"id": f"id + k * {WAVE}", "key": _own("key"), "uid": _own("uid")},
        "certificate": {
            "key": _own("key"),
            "request_id": f"request_id + k * {WAVE}",
            "dac_serial_number": _own("dac_serial_number", capitals=True),
        },
    }


def _summed_up() -> list[str]:
    return [column.name for column in tables.metadata.tables["totals"].columns if not column.primary_key]


def _body() -> str:
    def said(name: str) -> str:
        return f"json_extract(body, '$.{name}')"

    uid, key = _own(said("uid")), _own(said("key"))
    dac = _own(said("dac_serial_number"), capitals=True)
    return f"""CASE type
        WHEN 'UnitIdentified' THEN json_set(body, '$.uid', {uid})
        WHEN 'IdentityReserved' THEN json_set(body, '$.serial_number', {_serial_number(said("serial_number"))})
        WHEN 'CSRReceived' THEN json_set(body, '$.key', {key})
        WHEN 'CredentialsChosen' THEN json_set(body, '$.key', {key}, '$.dac_serial_number', {dac})
        WHEN 'CredentialsDelivered' THEN json_set(body, '$.dac_serial_number', {dac})
        ELSE body END"""


def _earlier(moment: str, copies: int) -> str:
    """The copies follow one another, and the last of them comes before the wave that was copied."""
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {moment}, ((k - {copies + 1}) * {SPACING}) || ' seconds')"


def _own(digits: str, *, capitals: bool = False) -> str:
    return f"printf('%08{'X' if capitals else 'x'}', {_SCATTERED}) || substr({digits}, 9)"


def _serial_number(there: str) -> str:
    return f"printf('SN%08d', substr({there}, 3) + k * {WAVE})"
