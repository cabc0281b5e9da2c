# SPDX-License-Identifier: Apache-2.0
"""`station/adapters/ledger/schema.sql`, made from the tables that all migrations make; `python -m tests.builders.ledger_schema` writes it."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine

from station.adapters.ledger import migrations, schema
from station.adapters.ledger.register import folder_for
from station.adapters.ledger.station_keys import StationKeys

PLACE = Path(schema.__file__).with_name("schema.sql")
LICENCE = "-- SPDX-License-Identifier: Apache-2.0"
OF_THE_MACHINE = "secrets_state"  # its row names the station's key


def migrated(path: Path) -> None:
    """Makes a ledger by the migrations alone, the first to the newest."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        migrations.upgrade(connection, StationKeys.of(folder_for(path, path.parent / "machine"), path))
    engine.dispose()


def text() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.sqlite")
        migrated(path)
        return "\n\n".join([LICENCE, *map(_trimmed, _statements(path))]) + "\n"


def _trimmed(statement: str) -> str:
    return "\n".join(line.rstrip() for line in statement.rstrip().splitlines())


def _statements(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        made = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        found = connection.execute(made).fetchall()
        yield from (sql for kind, _, sql in found if kind == "table")
        for kind, name, _ in found:
            if kind == "table" and name != OF_THE_MACHINE:
                for row in connection.execute(f'SELECT * FROM "{name}"'):  # noqa: S608  a table's name
                    yield f"INSERT INTO {name} VALUES ({', '.join(map(repr, row))})"  # noqa: S608  the same
        yield from (sql for kind, _, sql in found if kind != "table")


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
