# SPDX-License-Identifier: Apache-2.0
"""`station slots history`: who held, released or drained, when, and why; from the ledger, also while no daemon runs."""

from itertools import islice
from typing import Annotated

import typer
from rich.table import Table

from station.cli.consoles import say_json, wide_console
from station.cli.ledger.options import LedgerOption
from station.cli.ledger.questions import JsonOption, local, period
from station.cli.places import ConfigOption, ledger_path


def show_history(
    slot: Annotated[str | None, typer.Option("--slot", help="What was done to this slot.", show_default=False)] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            show_default=False,
            help='What was done then or later: "10:00", 2026-11-23, "2026-11-23 10:00" or 2026-11-23T09:00Z.',
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="TIME", show_default=False, help="What was done before; a date is its whole day."
        ),
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option("--limit", "--last", min=1, help="Shows only the newest N.")] = 100,
    all_wanted: Annotated[bool, typer.Option("--all", help="Shows all, whatever the limit.")] = False,
    json_wanted: JsonOption = False,
) -> None:
    """Show who held, released or drained, and why: for each slot, and for the line.

    Example: station slots history --slot 4 --since 06:00
    """
    from station.adapters.ledger import records
    from station.adapters.ledger.interventions import history

    begin, end = period(since, until)
    newest = None if all_wanted else limit
    asked = history(
        ledger_path(config, ledger), slot=slot, since=begin, until=end, newest=None if newest is None else newest + 1
    )
    found = list(asked)
    more = newest is not None and len(found) > newest
    if newest is not None:
        found = list(islice(found, newest))[::-1]
    if json_wanted:
        say_json({"interventions": [records.values(each) for each in found], "more": more})
        return
    table = Table("when", "who", "did", "to", "which had", "reason", box=None, header_style="bold")
    for each in found:
        place = "the line" if each.slot is None else f"slot {each.slot}"
        table.add_row(local(each.at), each.who, each.deed, place, each.fault or "", each.reason)
    console = wide_console()
    console.print(table if found else "Nobody has held or released a slot.")
    if more:
        console.print(f"The newest {len(found)}; --all lists them all.")
