# SPDX-License-Identifier: Apache-2.0
"""`station lots`: opens, pauses and closes the lots of work orders, and shows what became of each."""

import asyncio
import csv
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from station.adapters.ledger import lot_reader, lot_report, records
from station.adapters.ledger.lot_reader import LotRecord
from station.adapters.ledger.lot_report import Line
from station.adapters.system import version
from station.adapters.system.shown import shown
from station.cli.accounts import account_name
from station.cli.consoles import say, say_json, wide_console
from station.cli.exit_codes import FAILED
from station.cli.ledger import evidence, lot_document
from station.cli.ledger.lot_words import BALANCE
from station.cli.ledger.options import LedgerOption, ReasonOption, StoppedLedgerOption
from station.cli.ledger.output import opened as output_file
from station.cli.ledger.output import whole
from station.cli.ledger.questions import JsonOption, local
from station.cli.ledger.stopped import opened
from station.cli.places import ConfigOption, config_path, ledger_path
from station.config import line as configuration
from station.daemon import control
from station.domain.intervention import Decision
from station.domain.lot_balance import LotBalance
from station.domain.work_order import LotClosed, LotOpened, LotPaused, LotResumed
from station.label import document
from station.label.extras import LibraryMissing
from station.recipe import unit_builder
from station.recipe.files import line_recipe
from station.recipe.recipe import Recipe

app = typer.Typer(
    help="Lots for work orders: open, pause and close them; what became of their units, serial numbers and certificates.",
    no_args_is_help=True,
)

LotName = Annotated[str, typer.Argument(metavar="LOT", help="The lot's name; it is never given twice.")]


@app.command("open")
def open_lot(
    lot: LotName,
    reason: ReasonOption,
    work_order: Annotated[
        str | None, typer.Option("--work-order", help="The work order's number.", show_default=False)
    ] = None,
    planned: Annotated[
        int | None, typer.Option("--planned", min=1, help="How many units are to pass.", show_default=False)
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option("--pattern", help="Serial numbers, such as LIGHT-{:06d}.", show_default="the recipe's"),
    ] = None,
    first: Annotated[
        int | None, typer.Option("--first", min=0, help="The number of the first unit.", show_default=False)
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size", min=1, help="How many serial numbers: some more than planned, for units that are scrapped."
        ),
    ] = None,
    ledger: StoppedLedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Open a lot for a work order, of the line's recipe as it is now; or open one again that was paused.

    New units get their identities from the open lot, and no more of them than planned. A new lot needs --work-order,
    --planned, --first and --size. Its serial numbers are its own: no other lot has ever had one of them.

    Example: station lots open W-4711-A --work-order 4711 --planned 500 --first 1 --size 520 --reason "as ordered"
    """
    given = {"--work-order": work_order, "--planned": planned, "--first": first, "--size": size}
    missing = [name for name, value in given.items() if value is None]
    decision = Decision(account_name(), reason)
    if len(missing) == len(given) and pattern is None:
        _change(LotResumed(lot), "lot_resume", decision, ledger, config)
        say(f"lot {lot} is open again")
        return
    if missing:
        raise typer.BadParameter(f"a new lot needs {', '.join(missing)}, too; a paused one needs none of them")
    assert work_order is not None
    assert planned is not None
    assert first is not None
    assert size is not None
    line = configuration.load(config_path(config))
    recipe = line_recipe.load(line)
    if not isinstance(recipe, Recipe) or recipe.new_secrets is None:
        raise control.CommandRefused("the line's recipe is a laboratory's, which makes no units for a work order")
    pattern = pattern if pattern is not None else recipe.lot.serial_number_format
    if ledger is not None:
        new = LotOpened(lot, work_order, recipe.name, recipe.sha256, planned, pattern, first, size)
        unit_builder.check_work_order(recipe, work_order)
        asyncio.run(_open(ledger, new, decision))
    else:
        asked: dict[str, object] = {"name": lot, "work_order": work_order, "pattern": pattern}
        numbers: dict[str, object] = {"planned": planned, "first": first, "size": size}
        control.ask(line.control_socket, "lot_open", reason=reason, **asked, **numbers)
    say(f"lot {lot} is open: new units get their identities from it")


@app.command()
def pause(lot: LotName, reason: ReasonOption, ledger: StoppedLedgerOption = None, config: ConfigOption = None) -> None:
    """Let no new unit begin in a lot for now; units that have begun go on."""
    _change(LotPaused(lot), "lot_pause", Decision(account_name(), reason), ledger, config)
    say(f"lot {lot} is paused")


@app.command()
def close(lot: LotName, reason: ReasonOption, ledger: StoppedLedgerOption = None, config: ConfigOption = None) -> None:
    """Let no new unit ever begin in a lot again; units that have begun go on."""
    _change(LotClosed(lot), "lot_close", Decision(account_name(), reason), ledger, config)
    say(f"lot {lot} is closed")


@app.command("list")
def list_lots(ledger: LedgerOption = None, config: ConfigOption = None, json_wanted: JsonOption = False) -> None:
    """List all lots: those of recipes that have units, and those of work orders."""
    found = lot_reader.lots_of(ledger_path(config, ledger))
    if json_wanted:
        say_json({"lots": [records.values(lot) | {"to_do": lot.to_do} for lot in found]})
        return
    columns = ("lot", "order", "state", "recipe", "planned", "passed", "in work", "burned", "to do")
    table = Table(*columns, box=None, header_style="bold")
    for lot in found:
        state = lot.state.value if lot.state else ""
        numbers = (lot.planned, lot.passed, lot.in_work, lot.burned, lot.to_do)
        table.add_row(lot.name, lot.work_order or "", state, lot.recipe or "", *map(_number, numbers))
    wide_console().print(table if found else "There is no lot yet.")


@app.command()
def show(
    lot: LotName, ledger: LedgerOption = None, config: ConfigOption = None, json_wanted: JsonOption = False
) -> None:
    """Show one lot: its balance of units, serial numbers and certificates, and what people did to it.

    Exits 1 when the ledger does not know the lot, or the balance does not add up.
    """
    path = ledger_path(config, ledger)
    found = lot_reader.lot(path, lot)
    if found is None:
        say(f"{path} knows no lot {lot}", err=True)
        raise typer.Exit(FAILED)
    record, balance = found
    deeds, mistakes = lot_reader.deeds(path, lot), list(balance.mistakes())
    if json_wanted:
        say_json(
            {
                "lot": records.values(record),
                "balance": asdict(balance) | {"in_work": balance.in_work, "to_do": balance.to_do},
                "mistakes": mistakes,
                "history": [records.values(deed) for deed in deeds],
            }
        )
    else:
        _print(record, balance)
        for deed in deeds:
            wide_console().print(f"{local(deed.at)}  {deed.type}  {deed.account}: {deed.reason}", markup=False)
        for mistake in mistakes:
            say(f"does not add up: {mistake}", err=True)
    if mistakes:
        raise typer.Exit(FAILED)


@app.command()
def report(
    lot: LotName,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write; else standard output.", show_default=False)
    ] = None,
    pdf: Annotated[
        Path | None, typer.Option("--pdf", help="A PDF to write, for print and signatures.", show_default=False)
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Write all that a quality manager files of a lot, as CSV (section, subject, value), or as PDF.

    Balance, yield, faults, seconds, tools, recipes, images, each unit's certificate, exceptions, and places to sign.
    With --pdf and -o both are written, of the same moment. Exits 1 when the ledger does not know the lot.
    """
    path = ledger_path(config, ledger)
    found = lot_report.report(path, lot)
    if found is None:
        say(f"{path} knows no lot {lot}", err=True)
        raise typer.Exit(FAILED)
    if pdf is not None:
        lines = list(found)  # a document's pages are numbered before the first of them is written
        found = iter(lines)
        made_by = f"Matter provisioning station {version.running()}"
        try:
            content = document.of(lot_document.of(lines, datetime.now(UTC), made_by))
        except LibraryMissing as exc:
            raise control.CommandRefused(str(exc)) from exc
        with whole(pdf) as place:
            place.write_bytes(content)
    if pdf is None or output is not None:
        _write_csv(found, output)


app.command("evidence")(evidence.write)


def _write_csv(lines: Iterable[Line], output: Path | None) -> None:
    with output_file(output) as file:
        writer = csv.writer(file)
        writer.writerow(("section", "subject", "value"))
        writer.writerows((each.section, shown(each.subject), shown(each.value)) for each in lines)


def _print(lot: LotRecord, balance: LotBalance) -> None:
    console = wide_console()
    order = f"work order {lot.work_order}, {lot.state}, recipe {lot.recipe}" if lot.work_order else "a recipe's lot"
    console.print(f"lot {lot.name}: {order}", markup=False)
    if lot.first is not None:
        console.print(f"serial numbers {lot.pattern} from {lot.first}, {lot.size} of them", markup=False)
    table = Table("what", "how many", box=None, header_style="bold")
    for name, words in BALANCE.items():
        table.add_row(words, _number(getattr(balance, name)))
    console.print(table)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _change(
    change: LotPaused | LotResumed | LotClosed,
    command: str,
    decision: Decision,
    ledger: Path | None,
    config: Path | None,
) -> None:
    if ledger is None:
        socket = configuration.load(config_path(config)).control_socket
        control.ask(socket, command, name=change.name, reason=decision.reason)
        return
    recipe = None
    if isinstance(change, LotResumed):
        recipe = line_recipe.load(configuration.load(config_path(config))).sha256
    asyncio.run(_changed(ledger, change, decision, recipe))


async def _open(path: Path, lot: LotOpened, decision: Decision) -> None:
    async with opened(path) as ledger:
        await ledger.open_lot(lot, decision)


async def _changed(
    path: Path, change: LotPaused | LotResumed | LotClosed, decision: Decision, recipe: str | None
) -> None:
    async with opened(path) as ledger:
        await ledger.change_lot(change, decision, recipe=recipe)
