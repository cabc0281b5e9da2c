# SPDX-License-Identifier: Apache-2.0
"""`station central yield`: how many attempts passed, by station, slot, hour or fault."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from station.cli.central.connected import ReaderOption, asked
from station.cli.central.rows import values
from station.cli.consoles import say_json, wide_console
from station.cli.ledger.questions import JsonOption, local, period
from station.cli.places import ConfigOption
from station.domain.numbers import natural

BACK = timedelta(days=1)  # unless somebody asks for another time


class By(StrEnum):
    STATION = "station"
    SLOT = "slot"
    HOUR = "hour"
    FAULT = "fault"


def show_yield(
    by: Annotated[By, typer.Option("--by", help="What the attempts are counted by.")] = By.STATION,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            show_default="24 hours ago",
            help='Attempts of that hour or later: "10:00", 2026-11-23, "2026-11-23 10:00" or 2026-11-23T09:00Z.',
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="TIME",
            show_default=False,
            help="Attempts of earlier hours; a date includes its whole day.",
        ),
    ] = None,
    lot: Annotated[str | None, typer.Option("--lot", help="Attempts for this lot.", show_default=False)] = None,
    dsn: ReaderOption = None,
    config: ConfigOption = None,
    json_wanted: JsonOption = False,
) -> None:
    """Show how many attempts of all stations passed, failed and were void, in whole hours.

    Attempts of the laboratory never count, and void ones not in the yield. A slot is named by its station, too.

    Example: station central yield --by slot --since 06:00 --lot LOT-7
    """
    begin, end = period(since, until)
    begin = begin or datetime.now(UTC) - BACK
    with asked(dsn, config) as connection:
        from station.adapters.centre import questions

        found = list(questions.yields(connection, by.value, begin, end, lot))
    found.sort(
        key=(lambda row: (-row.failed, -row.void, row.name)) if by is By.FAULT else lambda row: natural(row.name)
    )
    if json_wanted:
        say_json({"by": by.value, "yields": [values(row) for row in found]})
        return
    table = Table(by.value, "pass", "fail", "void", "yield", box=None, header_style="bold")
    for row in found:
        judged = row.passed + row.failed
        share = f"{row.passed / judged:.1%}" if judged and by is not By.FAULT else ""
        name = local(datetime.fromisoformat(row.name)) if by is By.HOUR else row.name
        table.add_row(name, str(row.passed), str(row.failed), str(row.void), share)
    console = wide_console()
    console.print(f"since {local(begin)}" + (f" until {local(end)}" if end else ""))
    console.print(table if found else "No attempt has ended.")
