# SPDX-License-Identifier: Apache-2.0
"""docs/commands.md: every example, when it is run, prints the documented output."""

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from station.cli import app
from tests.builders.commands import station
from tests.builders.forge import DAC, PAA, PAI, ForgedRequest
from tests.builders.forge_declaration import SIGNER, Declaration
from tests.builders.forge_unit import flash, unit

DOCUMENT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
EXAMPLES: list[tuple[str, str]] = re.findall(r"^\$ (station .*)\n((?:(?!\$ |```).*\n)*)", DOCUMENT, re.MULTILINE)
FILES = {
    "dac.der": DAC.der,
    "pai.der": PAI.der,
    "cd.der": Declaration().der,
    "request.csr": ForgedRequest().der,
    "qspi.bin": flash(unit()),
    "passcode.txt": b"20202021\n",
    "paa/root.der": PAA.der,
    "cd-signers/signer.der": SIGNER.der,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the examples name, in the working folder."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_an_example_prints_what_the_document_says(folder: Path, command: str, output: str) -> None:
    """The command's output equals the document's text exactly."""
    assert station(*shlex.split(command)[1:]).stdout == output


def judging_commands() -> set[str]:
    """The commands of `station/cli/judge`, except those that only write or show factory data."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return {
        f"{group} {name}"
        for group, commands in root.commands.items()
        if isinstance(commands, TyperGroup) and group != "factory-data"
        for name, command in commands.commands.items()
        if command.callback is not None and command.callback.__module__.startswith("station.cli.judge.")
    }


def test_every_command_that_judges_has_an_example() -> None:
    """The document shows the output of every command that judges."""
    assert {" ".join(command.split()[1:3]) for command, _ in EXAMPLES} == judging_commands()
