# SPDX-License-Identifier: Apache-2.0
"""`station central anomalies`: what the stations' journals say that cannot all be true."""

import json
from typing import Annotated

import typer
from rich.table import Column, Table

from station.cli.accounts import account_name
from station.cli.central.connected import OwnerOption, owned
from station.cli.central.rows import values
from station.cli.consoles import say, say_json, wide_console
from station.cli.ledger.questions import JsonOption, local

app = typer.Typer(
    help="What the stations' journals say that cannot all be true: the centre takes it, and a person decides.",
    no_args_is_help=True,
)


@app.command("list")
def list_anomalies(
    all_wanted: Annotated[bool, typer.Option("--all", help="Also those that were settled.")] = False,
    dsn: OwnerOption = None,
    json_wanted: JsonOption = False,
) -> None:
    """List the anomalies that nobody has settled, the newest last."""
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        found = sorted(administration.anomalies(connection, settled=all_wanted), key=lambda each: each.id)
    if json_wanted:
        say_json({"anomalies": [values(each) for each in found]})
        return
    columns = ("id", "when", "kind", "detail", *(["settled by"] if all_wanted else []))
    table = Table(*(Column(name, overflow="fold") for name in columns), box=None, header_style="bold")
    for each in found:
        detail = json.dumps(each.detail, ensure_ascii=False, separators=(", ", ": "))
        settled = [each.settled_by or ""] if all_wanted else []
        table.add_row(str(each.id), local(each.at), each.kind, detail, *settled)
    wide_console().print(table if found else "There is no anomaly.")


@app.command()
def settle(
    number: Annotated[int, typer.Argument(metavar="ID", help="As `station central anomalies list` shows it.")],
    dsn: OwnerOption = None,
) -> None:
    """Take an anomaly off the list after it was dealt with. It stays in the database, with this account's name."""
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        administration.settle(connection, number, account_name())
    say(f"anomaly {number} is settled")
