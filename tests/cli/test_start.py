# SPDX-License-Identifier: Apache-2.0
"""The start of a command: it imports what it needs, and no more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from station.cli.commands import PLACES, imported
from station.cli.line.serve import asked_for

HEAVY = {"aiohttp", "alembic", "psycopg", "rich.live", "sqlalchemy", "tomlkit"}
LOADED = """
import json, sys
from station import cli
cli.load([sys.argv[1]])
print(json.dumps(list(sys.modules)))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("--version", set()),
        ("onboarding", set()),
        ("certificate", set()),
        ("drain", set()),
        ("status", set()),
        ("slots", {"tomlkit"}),
        ("central", set()),
        ("units", {"sqlalchemy"}),
        ("run", {"aiohttp", "sqlalchemy"}),
    ],
)
def test_a_command_imports_no_library_that_it_does_not_need(command: str, needed: set[str]) -> None:
    """Only `station --help` imports every command."""
    done = subprocess.run([sys.executable, "-c", LOADED, command], check=True, capture_output=True, text=True)
    assert HEAVY & set(json.loads(done.stdout)) == needed


DAEMON = """
import gc, json, runpy, ssl, sys
sys.argv = ["station", "run", "--config", "/nowhere/line.toml"]
try:
    runpy.run_module("station", run_name="__main__", alter_sys=True)
except SystemExit as end:
    gc.unfreeze()
    trusted = [len(each.get_ca_certs()) for each in gc.get_objects() if isinstance(each, ssl.SSLContext)]
    whole = "set_default_verify_paths" not in vars(ssl.SSLContext)
    print(json.dumps([end.code, list(sys.modules), gc.collect(), trusted, whole]))
"""
NOT_NEEDED = {"alembic", "jinja2", "markdown_it", "pygments", "reportlab", "rich", "segno", "tomlkit", "typer"}


@pytest.mark.slow
def test_the_daemon_imports_nothing_of_the_command_lines() -> None:
    """It would have it in memory for months. What the daemon opens with decides what else it imports: here it does not open."""
    done = subprocess.run([sys.executable, "-c", DAEMON], check=True, capture_output=True, text=True)
    code, modules, garbage, trusted, whole = json.loads(done.stdout)
    assert code == 2
    assert "/nowhere/line.toml" in done.stderr
    assert "station.daemon.station" in modules
    assert {*NOT_NEEDED, "sqlalchemy.dialects.postgresql"} & set(modules) == set()
    assert garbage < 500  # the imports leave 1,900 objects, which the collector would not look at again
    assert trusted == [
        0,
        0,
    ]  # aiohttp's, which no connection of the daemon uses: this computer's authorities are a megabyte
    assert whole  # later contexts have them


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["run"], (None,)),
        (["run", "--config", "a.toml"], (Path("a.toml"),)),
        (["run", "-c", "a.toml"], (Path("a.toml"),)),
        (["run", "--config=a.toml"], None),
        (["run", "--config", "--help"], None),
        (["run", "--help"], None),
        (["runs"], None),
        ([], None),
    ],
)
def test_other_spellings_are_the_command_lines(words: list[str], asked: tuple[Path | None] | None) -> None:
    assert asked_for(words) == asked


@pytest.mark.parametrize("name", PLACES)
def test_every_command_is_where_its_name_says(name: str) -> None:
    assert callable(imported(name))
