# SPDX-License-Identifier: Apache-2.0
"""Runs the command lines in this process, as a user types them; a new process would take longer than the command itself."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

import virtual_bench.cli
from station.cli import app


def station(*arguments: str | Path, stdin: str | None = None) -> Result:
    """Runs `station …` in this process; any exception other than an exit fails the test."""
    result = CliRunner().invoke(app, [str(each) for each in arguments], input=stdin, env={"COLUMNS": "300"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def bench(*arguments: str | Path) -> str:
    """Runs `virtual-bench …`, which must succeed. Returns its output."""
    done = CliRunner().invoke(virtual_bench.cli.app, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def answer(*arguments: str | Path) -> dict[str, object]:
    """The JSON object that a command prints with --json; its exit code must match its verdict."""
    result = station(*arguments, "--json")
    said = json.loads(result.stdout)
    assert isinstance(said, dict)
    assert result.exit_code == (0 if said["accept"] else 1)
    return said
