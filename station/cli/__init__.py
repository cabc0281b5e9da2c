# SPDX-License-Identifier: Apache-2.0
"""The command line: one thin module for each command group. `main` turns every failure into a message and an exit code."""

import sys
from collections.abc import Iterable
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from station.adapters.system.shown import shown
from station.cli.commands import PLACES, Commands, imported
from station.cli.consoles import say
from station.cli.exit_codes import DONE, ENVIRONMENT, FAILED, MISSING, USAGE
from station.config.problems import ConfigurationInvalid
from station.daemon.control import CommandRefused, DaemonAbsent, SubjectUnknown
from station.faults import Fault
from station.faults.line import PKIFileUnusable


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
    """Exit codes: 0 done, 1 the work failed, 2 wrong usage or configuration, 3 the environment is missing something."""
    status: object = DONE
    try:
        status = app(standalone_mode=False)
    except TyperException as exc:  # wrong usage; the typed text is text from outside, too
        from typer import rich_utils

        exc.message = shown(exc.message)
        rich_utils.rich_format_error(exc)  # type: ignore[arg-type]  # the type that it asks for is private to typer
        sys.exit(exc.exit_code)
    except ConfigurationInvalid as exc:
        say(*exc.problems, err=True)
        sys.exit(USAGE)
    except (
        PKIFileUnusable,
        SubjectUnknown,
    ) as exc:  # a file that the configuration names; a slot that the daemon has not
        say(exc, err=True)
        sys.exit(USAGE)
    except (*MISSING, OSError) as exc:
        say(exc, err=True)
        sys.exit(ENVIRONMENT)
    except (Fault, CommandRefused, DaemonAbsent) as exc:
        say(exc, err=True)
        sys.exit(FAILED)
    sys.exit(status if isinstance(status, int) else DONE)
