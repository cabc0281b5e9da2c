# SPDX-License-Identifier: Apache-2.0
"""The centre's tables, version by version, and the rights of its roles. Only `station central init` and `upgrade` change them."""

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from station.adapters.centre.version import KNOWN

__all__ = ["known", "newest", "script"]


def newest() -> str:
    """The newest revision; a station knows this one alone (`version.KNOWN`)."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return head or ""


def known(revision: str) -> bool:
    """Whether this version of the station can go on from tables of that revision."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def script(revision: str | None) -> str:
    """The SQL that brings tables of that revision (None: an empty database) up to date; empty if they are."""
    if revision == KNOWN:
        return ""
    written = io.StringIO()
    config = _config()
    config.attributes["script"] = written
    command.upgrade(config, f"{revision or 'base'}:head", sql=True)
    return written.getvalue()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
