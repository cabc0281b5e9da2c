# SPDX-License-Identifier: Apache-2.0
"""The tables of a new ledger are those of one that has come through every version, and Alembic runs for the latter alone."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from station.adapters.ledger import migrations, schema, sqlite
from tests.builders import ledger_schema
from tests.builders.bench import execute

OPENED = """
import sys
from pathlib import Path
from station.adapters.ledger import sqlite
with sqlite.writing(Path(sys.argv[1])):
    pass
print("alembic" in sys.modules)
"""


def content(path: Path) -> dict[str, object]:
    """Everything in the file, apart from white space in declarations, from the id of the station's key, and from the chain, which has its own."""
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").fetchall()
        tables = {name for kind, name, *_ in made if kind == "table"} - {"secrets_state", "chain", "chain_base"}
        rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}  # noqa: S608  a table's name
        state = connection.execute("SELECT one, retiring_id, pairing_id, scrub FROM secrets_state").fetchall()
    declared = [(*names, " ".join((sql or "").split())) for *names, sql in made]
    return {"declared": declared, "rows": rows, "state": state}


def test_a_new_ledger_is_what_all_migrations_make(tmp_path: Path) -> None:
    new, old = tmp_path / "new.sqlite", tmp_path / "old.sqlite"
    with sqlite.writing(new):
        pass
    ledger_schema.migrated(old)
    assert content(new) == content(old)


def test_the_file_is_the_builders() -> None:
    """After a new migration: `python -m tests.builders.ledger_schema`."""
    assert ledger_schema.PLACE.read_text(encoding="utf-8") == ledger_schema.text()


def test_the_newest_version_is_the_migrations_newest() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.NEWEST


def test_alembic_is_loaded_only_for_a_ledger_of_another_version(tmp_path: Path) -> None:
    """Neither a new ledger nor the next start needs it."""
    path = tmp_path / "ledger.sqlite"

    def loads_it() -> str:
        command = [sys.executable, "-c", OPENED, str(path)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]

    assert [loads_it(), loads_it()] == ["False", "False"]
    execute(path, "DROP TABLE label_required")
    execute(path, "DROP TABLE label_floor")
    execute(path, "DROP TABLE label_event")
    execute(path, "UPDATE alembic_version SET version_num = '0015'")
    # The revision after it changes declarations that have the newest length already, and refuses: it was called.
    failed = subprocess.run([sys.executable, "-c", OPENED, str(path)], check=False, capture_output=True, text=True)
    assert "is not declared as this station has declared it" in failed.stderr
