# SPDX-License-Identifier: Apache-2.0
"""The ledger's tables, version by version; `versions/` is applied at start-up."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError as Refused
from sqlalchemy import Connection

__all__ = ["Refused", "upgrade"]


def upgrade(connection: Connection) -> None:
    """Brings the tables up to date in one transaction; raises `Refused` for a ledger of a later version than this."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with connection.begin():
        command.upgrade(config, "head")
