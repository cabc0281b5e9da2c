# SPDX-License-Identifier: Apache-2.0
"""`station units`: shows the units in the ledger, to people and for spreadsheets. Never shows a secret."""

import asyncio
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.table import Table

from station.adapters.ledger import Ledger, ReleaseRefused
from station.adapters.ledger.reader import LedgerReader, Orphan, Totals, UnitSummary
from station.adapters.ledger.tables import iso
from station.adapters.system.shown import shown
from station.cli.accounts import account_name
from station.cli.consoles import coloured, say, say_json, wide_console
from station.cli.exit_codes import FAILED
from station.cli.ledger.unit_story import as_json, print_story
from station.cli.places import ConfigOption, config_path, ledger_path
from station.config import line as configuration
from station.daemon import control
from station.domain.target import UID
from station.faults.line import LedgerUnavailable

COLUMNS = {
    "uid": "the microcontroller's unique ID, 24 hexadecimal digits in memory order",
    "serial_number": "as on the label",
    "lot": "the lot that the serial number is from",
    "state": "reserved, on_board, certified, confirmed, passed, burned or released",
    "manufacturing_date": "YYYYMMDD, UTC",
    "discriminator": "12 bits, decimal",
    "dac_serial_number": "the certificate that the unit was given last, hexadecimal",
    "wireless_stack": "version on the coprocessor, as it was read last; empty if the recipe asks for none",
    "attempts": "how many there were on this board",
    "verdict": "of the last attempt that was no laboratory's: pass, fail or void; empty while it runs",
    "fault": "code of what the last attempt ended by",
    "seconds": "the last attempt took so long",
    "ended_at": "when the last attempt ended, UTC, ISO 8601",
}

app = typer.Typer(help="Units and their stories, from the ledger.", no_args_is_help=True)

LedgerOption = Annotated[
    Path | None, typer.Option("--ledger", help="The ledger's file, instead of the configuration's.", show_default=False)
]


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


@app.command("list")
def list_units(
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option("--limit", "--last", min=1, help="Shows only the newest N units.")] = 100,
    all_wanted: Annotated[bool, typer.Option("--all", help="Shows all units, whatever the limit.")] = False,
) -> None:
    """List the newest units with their state and their last verdict, and the number of all units."""
    reader = LedgerReader(ledger_path(config, ledger))
    table = Table(
        "serial number", "uid", "state", "attempts", "verdict", "ended", "DAC", "fault", box=None, header_style="bold"
    )
    for unit in reader.units(newest=None if all_wanted else limit):
        table.add_row(
            unit.serial_number,
            unit.uid,
            unit.state.value,
            str(unit.attempts),
            coloured(unit.verdict or ""),
            "" if unit.ended_at is None else f"{unit.ended_at:%Y-%m-%d %H:%M:%SZ}",
            (unit.dac_serial_number or "")[:16],
            unit.fault or "",
        )
    console, totals = wide_console(), reader.totals()
    console.print(table)
    if table.row_count < totals.units:
        console.print(f"The newest {table.row_count} of {totals.units} units; --all lists them all.")
    console.print(_sentence(totals))


@app.command()
def show(
    unit: Annotated[str, typer.Argument(metavar="UID-OR-SERIAL", help="24 hexadecimal digits, or a serial number.")],
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json_wanted: Annotated[bool, typer.Option("--json", help="The same as one JSON object.")] = False,
) -> None:
    """Show one unit's whole story: identity, certificates, and every attempt step by step.

    Exits 1 when the ledger does not know the unit.
    """
    path = ledger_path(config, ledger)
    story = LedgerReader(path).unit(unit)
    if story is None:
        say(f"{path} knows no unit {unit}", err=True)
        raise typer.Exit(FAILED)
    if json_wanted:
        say_json(as_json(story))
    else:
        print_story(wide_console(), story)


@app.command(
    help="Write all units, one row each. The columns are:\n\n"
    + "\n\n".join(f"{name}: {meaning}" for name, meaning in COLUMNS.items())
)
def export(
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    form: Annotated[
        Format, typer.Option("--format", help="CSV with a header row, or one JSON object a line.")
    ] = Format.CSV,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write; else standard output.", show_default=False)
    ] = None,
) -> None:
    units = LedgerReader(ledger_path(config, ledger)).units()
    with _opened(output) as file:
        if form is Format.CSV:
            _write_csv(units, file)
        else:
            for unit in units:
                file.write(json.dumps(_values(unit)) + "\n")


@app.command()
def orphans(
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json_wanted: Annotated[bool, typer.Option("--json", help="The same as a JSON array.")] = False,
) -> None:
    """List requests to the PKI without an answer. Each may have bought a certificate that no board has: revoke it."""
    found = LedgerReader(ledger_path(config, ledger)).orphans()
    if json_wanted:
        say_json([_values(orphan) for orphan in found])
        return
    table = Table("submitted", "uid", "key", "DAC that the key has", box=None, header_style="bold")
    for orphan in found:
        table.add_row(
            f"{orphan.submitted_at:%Y-%m-%d %H:%M:%SZ}", orphan.uid, orphan.key, orphan.dac_serial_number or ""
        )
    console = wide_console()
    console.print(table if found else "No request is without an answer.")


@app.command()
def fresh(
    unit: Annotated[str, typer.Argument(metavar="UID", help="24 hexadecimal digits, from the void attempt's fault.")],
    reason: Annotated[
        str, typer.Option("--reason", help="The reason, in one line. The ledger keeps it with the account's name.")
    ],
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", help="The ledger's file, if no daemon is running.", show_default=False),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Let a board that was void as unit.elsewhere be provisioned as a new unit, once.

    It gets a new identity and a new certificate. It loses those of the other station, where the unit must be written
    off.
    """
    try:
        uid = UID(bytes.fromhex(unit))
    except ValueError as exc:
        raise typer.BadParameter("a UID has 24 hexadecimal digits") from exc
    if ledger is not None:
        asyncio.run(_release(ledger, uid, account_name(), reason))
    else:
        socket = configuration.load(config_path(config)).control_socket
        control.ask(socket, "fresh", uid=str(uid), account=account_name(), reason=reason)
    say(f"{uid} is a new board from now on: plug it in again")


async def _release(path: Path, uid: UID, account: str, reason: str) -> None:
    """Releases the board in a ledger that no daemon writes."""
    if not path.is_file():
        raise LedgerUnavailable(f"there is no ledger at {path}")
    async with Ledger.open(path, station="-") as ledger:
        try:
            await ledger.release_unit(uid, account=account, reason=reason)
        except ReleaseRefused as exc:
            raise control.CommandRefused(str(exc)) from exc


def _write_csv(units: Iterable[UnitSummary], file: TextIO) -> None:
    rows = csv.DictWriter(file, COLUMNS)
    rows.writeheader()
    for unit in units:
        rows.writerow({key: shown(value) if isinstance(value, str) else value for key, value in _values(unit).items()})


def _values(row: UnitSummary | Orphan) -> dict[str, object]:
    return {key: iso(value) if isinstance(value, datetime) else value for key, value in asdict(row).items()}


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        sys.stdout.flush()  # flush here, where a closed pipe ends the command in order
        return
    with output.open("w", encoding="utf-8", newline="") as file:
        yield file


def _sentence(totals: Totals) -> str:
    judged = f", {totals.passed_first} of {totals.judged} judged passed first time" if totals.judged else ""
    attempts = f"{totals.attempts} attempts: {totals.passed} pass, {totals.failed} fail, {totals.void} void"
    laboratory = f"; {totals.laboratory} of them for the laboratory" if totals.laboratory else ""
    return f"{totals.units} units{judged}; {attempts}{laboratory}"
