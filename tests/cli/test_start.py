# SPDX-License-Identifier: Apache-2.0
"""The start of a command: it imports what it needs, and no more."""

import json
import subprocess
import sys

import pytest

from station.cli.commands import PLACES, imported

HEAVY = {"aiohttp", "alembic", "psycopg", "rich.live", "sqlalchemy", "tomlkit"}
LOADED = """
import json, sys
from station import cli
cli.load([sys.argv[1]])
print(json.dumps(list(sys.modules)))
"""


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("--version", set()),
        ("onboarding", set()),
        ("certificate", set()),
        ("drain", set()),
        ("status", set()),
        ("slots", {"tomlkit"}),
        ("units", {"sqlalchemy"}),
        ("run", {"aiohttp", "sqlalchemy"}),
    ],
)
def test_a_command_imports_no_library_that_it_does_not_need(command: str, needed: set[str]) -> None:
    """Only `station --help` imports every command."""
    done = subprocess.run([sys.executable, "-c", LOADED, command], check=True, capture_output=True, text=True)
    assert HEAVY & set(json.loads(done.stdout)) == needed


@pytest.mark.parametrize("name", PLACES)
def test_every_command_is_where_its_name_says(name: str) -> None:
    assert callable(imported(name))
