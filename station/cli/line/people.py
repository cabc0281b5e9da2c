# SPDX-License-Identifier: Apache-2.0
"""`station people`: who may change something at the page and through the API."""

import sys
from typing import Annotated

import typer
from rich.table import Table

from station.adapters.system.people_file import PeopleFile, Refused
from station.cli.consoles import say, say_json, wide_console
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.domain.people import LONGEST_PIN, SHORTEST_PIN, Role, mistake_in_name

app = typer.Typer(
    help="Who may change something at the operator's page and through the API. The daemon takes changes up at once.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name that the ledger's records will have.")]
RoleOption = Annotated[
    Role,
    typer.Option(
        "--role",
        help="A reader reads where other PCs reach the page; an operator also takes slots out of service; an engineer also releases slots and line.",
    ),
]


@app.command()
def add(name: Name, role: RoleOption = Role.OPERATOR, config: ConfigOption = None) -> None:
    """Add a person, whose PIN is asked for twice; or read from standard input, one line, where that is no terminal."""
    file = _file(config)
    if mistake := mistake_in_name(name):
        raise typer.BadParameter(mistake)
    try:
        file.add(name, role, _pin())
    except Refused as exc:
        raise typer.BadParameter(str(exc)) from exc
    say(f"{name} is {role.named} now")


@app.command()
def token(name: Name, role: RoleOption = Role.OPERATOR, config: ConfigOption = None) -> None:
    """Add a program, and print its token, which it sends as `Authorization: Bearer …`. The token is shown only now."""
    try:
        made = _file(config).add_token(name, role)
    except Refused as exc:
        raise typer.BadParameter(str(exc)) from exc
    say(f"{name} is {role.named} now, by this token, which is shown only once:", err=True)
    say(made)


@app.command()
def remove(name: Name, config: ConfigOption = None) -> None:
    """Remove a person or a program. What it did stays in the ledger, under its name."""
    try:
        _file(config).remove(name)
    except Refused as exc:
        raise typer.BadParameter(str(exc)) from exc
    say(f"{name} may change nothing any more")


@app.command("list")
def show(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON object.")] = False,
) -> None:
    """Show everybody, with the role and the way to be known: by PIN or by token."""
    file = _file(config)
    tokens = file.tokens()
    rows = [(each.name, each.role.value, "token" if each.name in tokens else "PIN") for each in file.people()]
    if as_json:
        say_json({"people": [{"name": name, "role": role, "known_by": how.lower()} for name, role, how in rows]})
        return
    if not rows:
        say("nobody yet: `station people add NAME --role engineer`", err=True)
        return
    table = Table("name", "role", "known by", box=None)
    for row in rows:
        table.add_row(*row)
    wide_console().print(table)


def _file(config: ConfigOption) -> PeopleFile:
    return PeopleFile(configuration.load(config_path(config)).people_file)


def _pin() -> str:
    """The PIN, never as an argument, which every account of the computer could read."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    asked: str = typer.prompt(
        f"PIN, {SHORTEST_PIN} to {LONGEST_PIN} digits", hide_input=True, confirmation_prompt="The same again"
    )
    return asked.strip()
