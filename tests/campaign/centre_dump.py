# SPDX-License-Identifier: Apache-2.0
"""Writes the centre's tables into files, as its owner reads them: a JSON object for each row, and each line of the journals as it is."""

import zlib
from pathlib import Path

from psycopg import sql

from tests.builders.centres import owner
from tests.builders.two_lines import Factory

TABLES = (
    "unit",
    "identity",
    "certificate",
    "request",
    "attempt",
    "block",
    "incarnation",
    "yield",
    "anomaly",
    "station",
)
JOURNALS = "journals.jsonl"


def dump(factory: Factory, folder: Path) -> None:
    """Bytes are hexadecimal, as PostgreSQL writes them into JSON."""
    folder.mkdir()
    with owner(factory.server, factory.database) as connection:
        for table in TABLES:
            query = sql.SQL("SELECT row_to_json(of)::text FROM {} AS of").format(sql.Identifier(table))
            rows = connection.execute(query).fetchall()
            (folder / f"{table}.jsonl").write_text("".join(f"{row}\n" for (row,) in rows), encoding="utf-8")
        segments = connection.execute("SELECT body FROM segment ORDER BY station, incarnation, first_line").fetchall()
    with (folder / JOURNALS).open("wb") as file:
        file.writelines(zlib.decompress(bytes(body)) + b"\n" for (body,) in segments)
