"""The command line: one thin module a command group, and one place that turns what went wrong into words and an exit code."""

import sys
from typing import NoReturn

import typer
from rich.console import Console

from station.cli import (
    attestation,
    board,
    cd,
    certificate,
    csr,
    demo,
    factory_data,
    ledger,
    onboarding,
    ports,
    run,
    slots,
    spake2p,
    status,
    units,
)
from station.control import CommandRefused, DaemonAbsent
from station.faults import Fault
from station.faults.line import LedgerDamaged, LedgerMoved, LedgerUnavailable, ProgrammerMissing, SlotTaken
from station.problems import ConfigurationInvalid

DONE, FAILED, USAGE, ENVIRONMENT = 0, 1, 2, 3

app = typer.Typer(
    help="A provisioning station for Matter devices on STM32WB55.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("ports")(ports.ports)
app.command("run")(run.run)
app.command("status")(status.status)
app.add_typer(slots.app, name="slots")
app.add_typer(factory_data.app, name="factory-data")
app.add_typer(units.app, name="units")
app.add_typer(ledger.app, name="ledger")
app.add_typer(attestation.app, name="attestation")
app.add_typer(certificate.app, name="certificate")
app.add_typer(csr.app, name="csr")
app.add_typer(cd.app, name="cd")
app.add_typer(board.app, name="board")
app.add_typer(onboarding.app, name="onboarding")
app.add_typer(spake2p.app, name="spake2p")


@app.command(
    "gen-factory-data",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def gen_factory_data(context: typer.Context) -> None:
    """ST's genFactoryData.py on the station's parts: `station gen-factory-data --help` lists its options and ours."""
    from station.cli.gen_factory_data import run as generate

    raise typer.Exit(generate(context.args))


def main() -> NoReturn:
    """Exit codes: 0 done, 1 the work failed, 2 wrong usage or configuration, 3 the environment is missing something."""
    try:
        app()
    except ConfigurationInvalid as exc:
        _complain(str(exc))
        sys.exit(USAGE)
    except (LedgerUnavailable, LedgerMoved, LedgerDamaged, SlotTaken, ProgrammerMissing, OSError) as exc:
        _complain(str(exc))
        sys.exit(ENVIRONMENT)
    except (Fault, CommandRefused, DaemonAbsent) as exc:
        _complain(str(exc))
        sys.exit(FAILED)
    sys.exit(DONE)


def _complain(text: str) -> None:
    """To standard error, wrapped by nobody: a path must stay whole."""
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(text)
