# SPDX-License-Identifier: Apache-2.0
"""`station units`: shows the units in the ledger, to people and for spreadsheets. Only `label` and `labels` give out secrets."""

import asyncio
import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.text import Text

from station.adapters.ledger import records
from station.adapters.ledger.reader import LedgerReader, Totals, UnitSummary
from station.adapters.ledger.selection import AttemptRecord, Selection, attempts
from station.adapters.system.shown import in_cell
from station.cli.accounts import account_name
from station.cli.consoles import coloured, print_rows, say, say_json, say_json_list, wide_console
from station.cli.exit_codes import FAILED
from station.cli.ledger.labels import export_labels, forget, show_label
from station.cli.ledger.options import Format, LedgerOption
from station.cli.ledger.output import opened as output_file
from station.cli.ledger.put_away import release, scrap
from station.cli.ledger.questions import (
    FaultOption,
    JsonOption,
    LotOption,
    SinceOption,
    SlotOption,
    StepOption,
    UntilOption,
    VerdictOption,
    counted,
    local,
    period,
)
from station.cli.ledger.selected import ledger_of
from station.cli.ledger.stopped import opened, uid_of
from station.cli.ledger.unit_story import print_story
from station.cli.places import ConfigOption, config_path, ledger_path
from station.config import line as configuration
from station.daemon import control
from station.domain.target import UID

COLUMNS = {
    "uid": "the microcontroller's unique ID, 24 hexadecimal digits in memory order",
    "serial_number": "as on the label",
    "lot": "the lot that the serial number is from",
    "work_order": "number of the work order that the lot was opened for; empty for a recipe's lot",
    "state": "reserved, on_board, certified, confirmed, passed, burned or released",
    "disposition": "quarantined or scrapped; empty for a unit that may be worked on",
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

ATTEMPT_COLUMNS = {
    "number": "the attempt's number in this ledger",
    "started_at": "when it began, UTC, ISO 8601",
    "ended_at": "when it ended; empty while it runs",
    "uid": "the microcontroller's unique ID; empty if the board was never identified",
    "serial_number": "as on the label; empty if the board has no identity",
    "lot": "the lot that the attempt was for",
    "work_order": "number of its work order; empty for a recipe's lot",
    "slot": "where the board was",
    "verdict": "pass, fail or void; empty while it runs",
    "fault": "code of what the attempt ended by",
    "step": "the step that began last: a fail ended there",
    "seconds": "from the beginning to the last event",
    "probe": "serial number of the slot's probe",
    "recipe": "the recipe's name",
    "recipe_sha256": "the recipe's SHA-256",
    "station": "the station's name",
    "station_version": "its version; empty if it was not recorded",
    "station_commit": "its commit; empty if it was unknown",
    "dac_serial_number": "the certificate that the attempt used, hexadecimal",
    "laboratory": "whether it made a laboratory unit, which is not counted",
}

app = typer.Typer(help="Units and their stories, from the ledger.", no_args_is_help=True)


@app.command("list")
def list_units(
    since: SinceOption = None,
    until: UntilOption = None,
    slot: SlotOption = None,
    verdict: VerdictOption = None,
    fault: FaultOption = None,
    lot: LotOption = None,
    step: StepOption = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option("--limit", "--last", min=1, help="Shows only the newest N.")] = 100,
    all_wanted: Annotated[bool, typer.Option("--all", help="Shows all, whatever the limit.")] = False,
    json_wanted: JsonOption = False,
) -> None:
    """List the newest units, or the attempts that fulfil all the conditions given.

    Without a condition: units with their state and their last verdict, and the number of all units. With one: attempts,
    also those on boards without an identity. Text has local time with its zone, JSON has UTC.

    Examples: station units list --since 10:00 --slot 4 --verdict fail --fault board.silent; station units list --json
    """
    begin, end = period(since, until)
    selection = Selection(begin, end, slot, None if verdict is None else verdict.value, fault, lot, step)
    path, newest = ledger_of(config, ledger, selection), None if all_wanted else limit
    if selection == Selection():
        _list_units(path, newest, json_wanted=json_wanted)
    else:
        _list_attempts(path, selection, newest, json_wanted=json_wanted)


def _list_units(path: Path, newest: int | None, *, json_wanted: bool) -> None:
    reader = LedgerReader(path)
    units = reader.units(newest=newest)
    if json_wanted:
        say_json_list("units", map(records.values, units), lambda: {"totals": asdict(reader.totals())})
        return
    columns = ("serial number", "uid", "state", "attempts", "verdict", "ended", "DAC", "fault")
    listed = print_rows(columns, map(_unit_row, units))
    console, totals = wide_console(), reader.totals()
    if listed < totals.units:
        console.print(f"The newest {listed} of {counted(totals.units, 'unit')}; --all lists them all.")
    console.print(_sentence(totals))


def _unit_row(unit: UnitSummary) -> tuple[str | Text, ...]:
    return (
        unit.serial_number,
        unit.uid,
        unit.state.value if unit.disposition is None else f"{unit.state.value} ({unit.disposition})",
        str(unit.attempts),
        coloured(unit.verdict or ""),
        local(unit.ended_at),
        (unit.dac_serial_number or "")[:16],
        unit.fault or "",
    )


def _list_attempts(path: Path, selection: Selection, newest: int | None, *, json_wanted: bool) -> None:
    found, more = attempts(path, selection), False
    if newest is not None:
        last = list(attempts(path, selection, newest=newest + 1))
        found, more = iter(last[newest - 1 :: -1]), len(last) > newest
    if json_wanted:
        say_json_list("attempts", map(records.values, found), lambda: {"more": more})
        return
    columns = ("began", "serial number", "uid", "slot", "verdict", "step", "fault", "seconds")
    listed = counted(print_rows(columns, map(_attempt_row, found)), "attempt")
    wide_console().print(f"The newest {listed}; --all lists them all." if more else listed)


def _attempt_row(attempt: AttemptRecord) -> tuple[str | Text, ...]:
    return (
        local(attempt.started_at),
        attempt.serial_number or "",
        attempt.uid or "",
        attempt.slot,
        coloured(attempt.verdict or "running"),
        attempt.step or "",
        attempt.fault or "",
        f"{attempt.seconds:.1f}",
    )


@app.command()
def show(
    unit: Annotated[str, typer.Argument(metavar="UID-OR-SERIAL", help="24 hexadecimal digits, or a serial number.")],
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json_wanted: JsonOption = False,
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
        say_json(records.story(story))
    else:
        print_story(wide_console(), story)


@app.command(
    help="Write all units, one row each, or with --attempts all attempts.\n\n"
    "Example: station units export --attempts --since 2026-11-23 --lot LOT-7 -o attempts.csv\n\n"
    "The columns of units are:\n\n"
    + "\n\n".join(f"{name}: {meaning}" for name, meaning in COLUMNS.items())
    + "\n\nThe columns of attempts are:\n\n"
    + "\n\n".join(f"{name}: {meaning}" for name, meaning in ATTEMPT_COLUMNS.items())
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
    attempts_wanted: Annotated[bool, typer.Option("--attempts", help="One row for each attempt.")] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    lot: LotOption = None,
) -> None:
    begin, end = period(since, until)
    selection = Selection(since=begin, until=end, lot=lot)
    if selection != Selection() and not attempts_wanted:
        raise typer.BadParameter("--since, --until and --lot select attempts: give --attempts, too")
    path = ledger_path(config, ledger)
    rows = attempts(path, selection) if attempts_wanted else LedgerReader(path).units()
    with output_file(output) as file:
        if form is Format.CSV:
            _write_csv(rows, ATTEMPT_COLUMNS if attempts_wanted else COLUMNS, file)
        else:
            for row in rows:
                file.write(json.dumps(records.values(row)) + "\n")


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
    uid = uid_of(unit)
    if ledger is not None:
        asyncio.run(_release(ledger, config, uid, account_name(), reason))
    else:
        socket = configuration.load(config_path(config)).control_socket
        control.ask(socket, "fresh", uid=str(uid), reason=reason)
    say(f"{uid} is a new board from now on: plug it in again")


app.command("label")(show_label)
app.command("labels")(export_labels)
app.command("forget")(forget)
app.command()(release)
app.command()(scrap)


async def _release(path: Path, config: Path | None, uid: UID, account: str, reason: str) -> None:
    async with opened(path, config) as ledger:
        await ledger.release_unit(uid, account=account, reason=reason)


def _write_csv(rows: Iterable[UnitSummary | AttemptRecord], columns: Mapping[str, str], file: TextIO) -> None:
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({key: in_cell(value) for key, value in records.values(row).items()})


def _sentence(totals: Totals) -> str:
    judged = f", {totals.passed_first} of {totals.judged} judged passed first time" if totals.judged else ""
    attempts = f"{counted(totals.attempts, 'attempt')}: {totals.passed} pass, {totals.failed} fail, {totals.void} void"
    laboratory = f"; {totals.laboratory} of them for the laboratory" if totals.laboratory else ""
    return f"{counted(totals.units, 'unit')}{judged}; {attempts}{laboratory}"
