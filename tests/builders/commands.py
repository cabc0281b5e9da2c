# SPDX-License-Identifier: Apache-2.0
"""Runs the command line in this process, as a user types it."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from station.cli import app


def station(*arguments: str | Path, stdin: str | None = None) -> Result:
    """Runs `station …` in this process; any exception other than an exit fails the test."""
    result = CliRunner().invoke(app, [str(each) for each in arguments], input=stdin, env={"COLUMNS": "300"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def answer(*arguments: str | Path) -> dict[str, object]:
    """The JSON object that a command prints with --json; its exit code must match its verdict."""
    result = station(*arguments, "--json")
    said = json.loads(result.stdout)
    assert isinstance(said, dict)
    assert result.exit_code == (0 if said["accept"] else 1)
    return said
