# SPDX-License-Identifier: Apache-2.0
"""`station config`: what is wrong with a line's files, before the line opens."""

import asyncio
from typing import Annotated

import typer

from station.cli.consoles import say, say_json
from station.cli.exit_codes import USAGE
from station.cli.places import ConfigOption, config_path
from station.config.problems import ConfigurationInvalid
from station.doctor import configuration

app = typer.Typer(help="Check a line's configuration.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@app.command()
def check(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The mistakes as one JSON object, for programs.")] = False,
) -> None:
    """Check configuration, environment, recipe, manifest and the files that they name, and tell every mistake at once.

    The programmer is asked for its version; no probe and no board is touched. Exit code 2 where anything is wrong.
    """
    path = config_path(config)
    try:
        loaded, recipe = asyncio.run(configuration.checked(path))
    except ConfigurationInvalid as exc:
        if not as_json:
            raise
        problems = [{"file": str(each.file), "place": each.place, "text": each.text} for each in exc.problems]
        say_json({"config": str(path), "slots": None, "recipe": None, "problems": problems})
        raise typer.Exit(USAGE) from exc
    if as_json:
        say_json({"config": str(path), "slots": len(loaded.slot), "recipe": recipe.name, "problems": []})
        return
    say(f"{path} is good: {len(loaded.slot)} slots, recipe {recipe.name}")
