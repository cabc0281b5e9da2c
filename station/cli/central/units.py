# SPDX-License-Identifier: Apache-2.0
"""`station central units`: the units of all stations. No answer has a secret."""

import csv
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.table import Table

from station.adapters.system.shown import in_cell
from station.cli.central.connected import ReaderOption, asked
from station.cli.central.rows import cell, values
from station.cli.consoles import coloured, say, say_json, standard_output, styled, wide_console
from station.cli.exit_codes import FAILED
from station.cli.ledger.options import Format
from station.cli.ledger.questions import JsonOption, VerdictName, counted, local
from station.cli.places import ConfigOption

if TYPE_CHECKING:
    from station.adapters.centre.questions import UnitRow, UnitStory

SAID_EVERY = 5.0  # seconds

COLUMNS = {
    "uid": "the microcontroller's unique ID, 24 hexadecimal digits in memory order",
    "serial_number": "as on the label; empty for a board that no station gave an identity",
    "lot": "the lot that the serial number is from",
    "station": "the station that had the board last",
    "rank": "how far it has come: seen, taken, on_board, certified, passed or scrapped",
    "verdict": "of the last attempt that was no laboratory's: pass, fail or void; empty while there is none",
    "fault": "code of what the last attempt ended by",
    "attempts": "how many there were, on all stations",
    "dac_serial_number": "the certificate that the unit was given last, hexadecimal",
}

app = typer.Typer(help="Units of all stations, from the centre.", no_args_is_help=True)

LotOption = Annotated[str | None, typer.Option("--lot", help="Units of this lot.", show_default=False)]
StationOption = Annotated[
    str | None, typer.Option("--station", help="Units that were last on this station.", show_default=False)
]
VerdictOption = Annotated[
    VerdictName | None, typer.Option("--verdict", help="Units with this verdict.", show_default=False)
]


@app.command("list")
def list_units(
    lot: LotOption = None,
    station: StationOption = None,
    verdict: VerdictOption = None,
    limit: Annotated[int, typer.Option("--limit", "--last", min=1, help="Shows only the newest N.")] = 100,
    all_wanted: Annotated[bool, typer.Option("--all", help="Shows all, whatever the limit.")] = False,
    dsn: ReaderOption = None,
    config: ConfigOption = None,
    json_wanted: JsonOption = False,
) -> None:
    """List the newest units, with the station that had each last and its last verdict.

    The newest are those of the highest serial numbers if a lot is given, else those that were seen last.

    Example: station central units list --station line-3 --verdict fail
    """
    with asked(dsn, config) as connection:
        from station.adapters.centre import questions

        newest, named = None if all_wanted else limit + 1, verdict and verdict.value
        found = list(questions.units(connection, newest=newest, lot=lot, station=station, verdict=named))
    more = newest is not None and len(found) > limit
    if newest is not None:
        found = found[:limit][::-1]
    if json_wanted:
        say_json({"units": [values(unit) for unit in found], "more": more})
        return
    columns = ("serial number", "uid", "lot", "station", "rank", "attempts", "verdict", "DAC", "fault")
    table = Table(*columns, box=None, header_style="bold")
    for unit in found:
        table.add_row(
            cell(unit.serial_number),
            str(unit.uid),
            cell(unit.lot),
            unit.station,
            unit.rank.name.lower(),
            str(unit.attempts),
            coloured(unit.verdict or ""),
            (unit.dac_serial_number or "")[:16],
            cell(unit.fault),
        )
    console = wide_console()
    if found:
        console.print(table)
    console.print(
        f"The newest {counted(len(found), 'unit')}; --all lists them all." if more else counted(len(found), "unit")
    )


@app.command()
def show(
    unit: Annotated[str, typer.Argument(metavar="UID-OR-SERIAL", help="24 hexadecimal digits, or a serial number.")],
    dsn: ReaderOption = None,
    config: ConfigOption = None,
    json_wanted: JsonOption = False,
) -> None:
    """Show one unit: its identity, its certificates, and its attempts on every station.

    The events of an attempt are in its station's own ledger: station units show. Exits 1 when the centre does not know the
    unit.
    """
    with asked(dsn, config) as connection:
        from station.adapters.centre import questions

        story = questions.unit(connection, unit)
    if story is None:
        say(f"the centre knows no unit {unit}", err=True)
        raise typer.Exit(FAILED)
    if json_wanted:
        say_json(_as_json(story))
    else:
        _print(story)


@app.command(
    help="Write all units, one row each, in constant memory.\n\n"
    "Example: station central units export --lot LOT-7 -o units.csv\n\n"
    + "\n\n".join(f"{name}: {meaning}" for name, meaning in COLUMNS.items())
)
def export(
    form: Annotated[
        Format, typer.Option("--format", help="CSV with a header row, or one JSON object a line.")
    ] = Format.CSV,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write; else standard output.", show_default=False)
    ] = None,
    lot: LotOption = None,
    station: StationOption = None,
    verdict: VerdictOption = None,
    dsn: ReaderOption = None,
    config: ConfigOption = None,
) -> None:
    with asked(dsn, config) as connection, _opened(output) as file:
        from station.adapters.centre import questions

        rows = _counting(questions.units(connection, lot=lot, station=station, verdict=verdict and verdict.value))
        if form is Format.CSV:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows({name: in_cell(value) for name, value in values(row).items()} for row in rows)
        else:
            file.writelines(json.dumps(values(row)) + "\n" for row in rows)


def _counting(rows: Iterable["UnitRow"]) -> Iterator["UnitRow"]:
    """The rows, with their number on standard error every few seconds."""
    said = time.monotonic()
    for number, row in enumerate(rows, 1):
        yield row
        if time.monotonic() - said >= SAID_EVERY:
            said = time.monotonic()
            say(f"{counted(number, 'unit')} so far", err=True)


def _as_json(story: "UnitStory") -> dict[str, object]:
    return {
        "unit": values(story.unit),
        "epoch": story.epoch,
        "began_at": story.began_at,
        "certificates": [values(each) for each in story.certificates],
        "attempts": [values(each) for each in story.attempts],
    }


def _print(story: "UnitStory") -> None:
    console, unit = wide_console(), story.unit
    console.print(styled((unit.serial_number or unit.uid, "bold"), f"  uid {unit.uid}  lot {cell(unit.lot)}"))
    began = f", begun at {story.began_at}" if story.began_at else ""
    console.print(f"{unit.rank.name.lower()}{began}, last at {unit.station}")
    for certificate in story.certificates:
        console.print(f"certificate {certificate.dac_serial_number}  for key {certificate.key}")
    columns = ("began", "station", "attempt", "slot", "verdict", "fault", "seconds", "release")
    table = Table(*columns, box=None, header_style="bold")
    for each in story.attempts:
        table.add_row(
            local(each.started_at),
            each.station,
            str(each.number),
            each.slot,
            coloured(each.verdict, f"{each.verdict} (laboratory)" if each.laboratory else ""),
            cell(each.fault),
            f"{each.seconds:.1f}",
            each.release[:12],
        )
    if story.attempts:
        console.print(table)


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        file = standard_output()
        yield file
        file.flush()  # flush here, where a closed pipe ends the command in order
        return
    with output.open("w", encoding="utf-8", newline="") as file:
        yield file
