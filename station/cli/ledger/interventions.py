# SPDX-License-Identifier: Apache-2.0
"""`station slots history`: who held, released or drained, when, and why; from the ledger, also while no daemon runs."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from station.cli.consoles import print_rows, say, say_json_list
from station.cli.ledger.options import LedgerOption
from station.cli.ledger.questions import JsonOption, local, period
from station.cli.places import ConfigOption, ledger_path

if TYPE_CHECKING:
    from station.adapters.ledger.interventions import InterventionRecord


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
    path, chosen = ledger_path(config, ledger), partial(history, slot=slot, since=begin, until=end)
    found, more = chosen(path), False
    if newest is not None:
        last = list(chosen(path, newest=newest + 1))
        found, more = iter(last[newest - 1 :: -1]), len(last) > newest
    if json_wanted:
        say_json_list("interventions", map(records.values, found), lambda: {"more": more})
        return
    listed = print_rows(("when", "who", "did", "to", "which had", "reason"), map(_row, found))
    if not listed:
        say("Nobody has held or released a slot.")
    if more:
        say(f"The newest {listed}; --all lists them all.")


def _row(each: "InterventionRecord") -> tuple[str, ...]:
    place = "the line" if each.slot is None else f"slot {each.slot}"
    return local(each.at), each.who, each.deed, place, each.fault or "", each.reason
