# SPDX-License-Identifier: Apache-2.0
"""The `station` command with its options and its commands, in typer."""

import sys
from collections.abc import Iterable
from functools import partial
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from station.adapters.system.shown import shown
from station.cli.commands import PLACES, Commands, imported
from station.cli.consoles import say
from station.cli.endings import exit_code
from station.cli.exit_codes import INTERRUPTED


def _say_version(asked: bool) -> None:
    if asked:
        from station.adapters.system import version

        say(f"station {version.running()}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    help="A provisioning station for Matter devices on STM32WB55.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Version and commit.")
    ] = False,
) -> None:
    """Options before the command."""


def load(words: Iterable[str]) -> None:
    """Imports the commands among these words."""
    for word in words:
        if word in PLACES:
            imported(word)


def main() -> NoReturn:
    """Exit codes: 0 done, 1 the work failed, 2 wrong usage or configuration, 3 the environment is missing something, 130 ended by the person."""
    try:
        status = exit_code(partial(app, standalone_mode=False))
    except typer.Abort:  # somebody has said no to a question, or pressed Ctrl-C where the command makes nothing of it
        say("Ended before it was done.", err=True)
        status = INTERRUPTED
    except TyperException as exc:  # wrong usage; the typed text is text from outside, too
        from typer import rich_utils

        exc.message = shown(exc.message)
        rich_utils.rich_format_error(exc)  # type: ignore[arg-type]  # the type that it asks for is private to typer
        status = exc.exit_code
    sys.exit(status)
