# SPDX-License-Identifier: Apache-2.0
"""`station config`: what is wrong with a line's files, before the line opens."""

import asyncio

import typer

from station.cli.consoles import say
from station.cli.places import ConfigOption, config_path
from station.doctor import configuration

app = typer.Typer(help="Check a line's configuration.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@app.command()
def check(config: ConfigOption = None) -> None:
    """Check configuration, environment, recipe, manifest and the files that they name, and tell every mistake at once.

    The programmer is asked for its version; no probe and no board is touched. Exit code 2 where anything is wrong.
    """
    path = config_path(config)
    loaded, recipe = asyncio.run(configuration.checked(path))
    say(f"{path} is good: {len(loaded.slot)} slots, recipe {recipe.name}")
