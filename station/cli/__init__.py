# SPDX-License-Identifier: Apache-2.0
"""The command line: one thin module for each command group. `main` turns every failure into a message and an exit code."""

import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from station.adapters.system import version
from station.adapters.system.shown import shown
from station.cli.consoles import say
from station.cli.demo import command
from station.cli.exit_codes import DONE, ENVIRONMENT, FAILED, MISSING, USAGE
from station.cli.judge import attestation, board, cd, certificate, csr, factory_data, onboarding, spake2p
from station.cli.ledger import figures, file, pki, units
from station.cli.line import config, doctor, drain, install, ports, run, slots, status
from station.cli.trust import dcl, update
from station.config.problems import ConfigurationInvalid
from station.daemon.control import CommandRefused, DaemonAbsent
from station.faults import Fault
from station.faults.line import PKIFileUnusable


def _say_version(asked: bool) -> None:
    if asked:
        say(f"station {version.running()}")
        raise typer.Exit


app = typer.Typer(
    help="A provisioning station for Matter devices on STM32WB55.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(command.demo)
app.command("doctor")(doctor.doctor)
app.command("drain")(drain.drain)
app.command("install")(install.install)
app.command("numbers")(figures.show_numbers)
app.command("ports")(ports.ports)
app.command("run")(run.run)
app.command("status")(status.status)
app.add_typer(config.app, name="config")
app.add_typer(slots.app, name="slots")
app.add_typer(factory_data.app, name="factory-data")
app.add_typer(units.app, name="units")
app.add_typer(file.app, name="ledger")
app.add_typer(pki.app, name="pki")
app.add_typer(update.app, name="trust")
app.add_typer(dcl.app, name="dcl")
app.add_typer(attestation.app, name="attestation")
app.add_typer(certificate.app, name="certificate")
app.add_typer(csr.app, name="csr")
app.add_typer(cd.app, name="cd")
app.add_typer(board.app, name="board")
app.add_typer(onboarding.app, name="onboarding")
app.add_typer(spake2p.app, name="spake2p")


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Version and commit.")
    ] = False,
) -> None:
    """Options before the command."""


@app.command(
    "gen-factory-data",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def gen_factory_data(context: typer.Context) -> None:
    """ST's genFactoryData.py, built from the station's parts: `station gen-factory-data --help` lists its options and ours."""
    from station.cli.gen_factory_data import run as generate

    raise typer.Exit(generate(context.args))


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
    except PKIFileUnusable as exc:  # a file that the configuration names
        say(exc, err=True)
        sys.exit(USAGE)
    except (*MISSING, OSError) as exc:
        say(exc, err=True)
        sys.exit(ENVIRONMENT)
    except (Fault, CommandRefused, DaemonAbsent) as exc:
        say(exc, err=True)
        sys.exit(FAILED)
    sys.exit(status if isinstance(status, int) else DONE)
