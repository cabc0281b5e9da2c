# SPDX-License-Identifier: Apache-2.0
"""The ledger's tables, version by version; `schema` has `versions/` applied to a ledger of an earlier version."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from station.adapters.ledger.schema import Refused
from station.adapters.ledger.station_keys import StationKeys


def upgrade(connection: Connection, keys: StationKeys) -> None:
    """Brings the tables up to date in one transaction; raises `Refused` for a ledger of a later version than this."""
    config = Config(attributes={"connection": connection, "keys": keys})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with connection.begin():
        try:
            _check_known(connection, ScriptDirectory.from_config(config))
            command.upgrade(config, "head")
        except CommandError as exc:
            raise Refused(str(exc)) from exc


def _check_known(connection: Connection, scripts: ScriptDirectory) -> None:
    """Raises `Refused` for a ledger whose tables this version does not know."""
    found, newest = MigrationContext.configure(connection).get_current_revision(), scripts.get_current_head()
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise Refused(
            f"a later version of the station wrote it: its tables are of version {found}, and this station knows those up"
            f" to {newest}. Start the later version again, or put the backup from before the upgrade back"
        )
