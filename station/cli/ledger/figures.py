# SPDX-License-Identifier: Apache-2.0
"""`station numbers`: first-pass yield, what failed where, seconds by step, and units an hour."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from rich.table import Table

from station.adapters.ledger import records
from station.adapters.ledger.selection import Selection, numbers
from station.adapters.ledger.tables import iso
from station.cli.consoles import Screen, say, say_json, wide_console
from station.cli.ledger.options import LedgerOption
from station.cli.ledger.questions import (
    JsonOption,
    LotOption,
    SinceOption,
    SlotOption,
    UntilOption,
    counted,
    local,
    period,
)
from station.cli.ledger.selected import ledger_of
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.config.problems import ConfigurationInvalid
from station.domain.numbers import Bar, Hour, Numbers, Seconds
from station.recipe.files.limits import step_limits


def show_numbers(
    since: SinceOption = None,
    until: UntilOption = None,
    lot: LotOption = None,
    slot: SlotOption = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json_wanted: JsonOption = False,
) -> None:
    """Show first-pass yield, failed and void attempts by fault, slot, probe and step, seconds by step, and units an hour.

    Void attempts and those of the laboratory never count in the yield. A board counts when its first judged attempt is
    in the period. The limits of the steps are those of the recipe that the configuration names; with --ledger they are
    used only with --config.

    Examples: station numbers --since 06:00; station numbers --lot LOT-7 --json
    """
    begin, end = period(since, until)
    selection = Selection(since=begin, until=end, lot=lot, slot=slot)
    path = ledger_of(config, ledger, selection)
    found = numbers(path, selection, {} if ledger and not config else _limits(config_path(config)))
    if json_wanted:
        asked = {"since": begin and iso(begin), "until": end and iso(end), "lot": lot, "slot": slot}
        say_json({**asked, **records.numbers(found)})
        return
    console = wide_console()
    _print_summary(console, found, begin, end)
    tables = [_bar_table(name, bars, found) for name, bars in records.bars(found).items() if bars]
    if found.whole is not None:
        tables.append(_seconds_table({**found.steps, "whole attempt": found.whole}))
    if found.hours:
        tables.append(_hour_table(found.hours))
    for table in tables:
        console.print()
        console.print(table)


def _limits(config: Path) -> Mapping[str, float]:
    """The recipe's limits; none, with the reason on standard error, if the recipe cannot be read."""
    try:
        return step_limits(configuration.load(config).recipe)
    except ConfigurationInvalid as exc:
        say(*exc.problems, "the steps have no limits here", err=True)
        return {}


def _print_summary(console: Screen, found: Numbers, begin: datetime | None, end: datetime | None) -> None:
    if begin or end:
        console.print(
            " ".join(word for word in (begin and f"since {local(begin)}", end and f"until {local(end)}") if word)
        )
    first = found.first_pass
    low, high = first.interval
    share = "" if first.share is None else f" ({first.share:.1%}), 95 % interval {low:.1%} to {high:.1%}"
    console.print(f"first-pass yield {first.hits} of {counted(first.of, 'board')}{share}")
    console.print(
        f"{counted(found.attempts, 'attempt')}: {found.passed} pass, {found.failed} fail, {found.void} void, "
        f"{found.running} running; {found.laboratory} more of the laboratory"
    )
    if found.units_an_hour is not None:
        console.print(
            f"{counted(found.units, 'unit')} passed: {found.units_an_hour:.1f} an hour, "
            f"in {found.worked / 3600:.2f} hours without breaks"
        )


def _bar_table(name: str, bars: Iterable[Bar], found: Numbers) -> Table:
    table = Table(name, "fail", "of all fails", "void", box=None, header_style="bold")
    if name in records.PLACES:
        table.add_column("of judged here")
        table.add_column("")
    for bar in bars:
        cells = [bar.name or "none", str(bar.fails.hits), f"{bar.share:.0%}" if found.failed else "", str(bar.void)]
        if name in records.PLACES:
            cells += ["" if bar.fails.share is None else f"{bar.fails.share:.1%} of {bar.fails.of}"]
            cells += ["not chance" if bar.not_chance else ""]
        table.add_row(*cells)
    return table


def _seconds_table(rows: Mapping[str, Seconds]) -> Table:
    heads = ("seconds of passed attempts", "count", "median", "95 %", "limit", "over", "Cpk", "Ppk")
    table = Table(*heads, box=None, header_style="bold")
    for name, row in rows.items():
        limited = [_two(row.limit), str(row.over) if row.limit is not None else "", _two(row.cpk), _two(row.ppk)]
        table.add_row(name, str(row.count), _two(row.median), _two(row.late), *limited)
    return table


def _hour_table(hours: Iterable[Hour]) -> Table:
    table = Table("hour", "pass", "fail", "void", "units", box=None, header_style="bold")
    for hour in hours:
        table.add_row(local(hour.begin), str(hour.passed), str(hour.failed), str(hour.void), str(hour.units))
    return table


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
