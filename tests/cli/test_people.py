# SPDX-License-Identifier: Apache-2.0
"""`station people`: a PIN comes from the terminal or standard input, and a token is shown once."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from station.adapters.system.people_file import PeopleFile
from station.cli import app
from station.domain.people import Person, Role
from tests.config.test_config import GOOD

PIN = "739154"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "line.toml"
    path.write_text(GOOD)
    (tmp_path / "state").mkdir(exist_ok=True)
    return path


def run(config: Path, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["people", *arguments, "--config", str(config)], input=typed)


def test_a_person_is_added_shown_and_removed(config: Path, tmp_path: Path) -> None:
    """Nothing that is printed has the PIN."""
    file = PeopleFile(tmp_path / "state" / "people.json")
    done = run(config, "add", "Anna Berg", "--role", "engineer", typed=f"{PIN}\n")
    assert (done.exit_code, done.stdout) == (0, "Anna Berg is an engineer now\n")
    assert file.by_pin(PIN) == Person("Anna Berg", Role.ENGINEER)
    made = run(config, "token", "MES")
    assert file.by_token(made.stdout.strip()) == Person("MES", Role.OPERATOR)
    listed = json.loads(run(config, "list", "--json").stdout)
    assert listed["people"] == [
        {"name": "Anna Berg", "role": "engineer", "known_by": "pin"},
        {"name": "MES", "role": "operator", "known_by": "token"},
    ]
    table = run(config, "list").stdout
    assert ["Anna", "Berg", "engineer", "PIN"] in [line.split() for line in table.splitlines()]
    assert PIN not in done.output + table
    assert made.stdout.strip() not in table
    assert run(config, "remove", "anna berg").exit_code == 0
    assert file.by_pin(PIN) is None


@pytest.mark.parametrize(
    ("arguments", "typed", "told"),
    [
        (("add", "Anna"), "123456\n", "the first that anybody tries"),
        (("add", "Anna"), "", "6 to 12 digits"),
        (("add", "An\nna"), f"{PIN}\n", "expected at most 40 letters"),
        (("remove", "Anna"), "", "nobody is called Anna"),
        (("add", "Anna", "--role", "king"), f"{PIN}\n", "king"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(config: Path, arguments: tuple[str, ...], typed: str, told: str) -> None:
    done = run(config, *arguments, typed=typed)
    assert done.exit_code == 2
    assert told in " ".join(done.output.replace("│", " ").split())
    assert json.loads(run(config, "list", "--json").stdout)["people"] == []


def test_nobody_yet_is_told_with_the_remedy(config: Path) -> None:
    assert "station people add" in run(config, "list").output
