# SPDX-License-Identifier: Apache-2.0
"""`station outbox`: messages that the MES has not got, and what people decide about them."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from station.adapters.ledger import outbox, records
from station.adapters.system.shown import shown
from station.cli.accounts import account_name
from station.cli.consoles import say, say_json, wide_console
from station.cli.ledger.options import LedgerOption, ReasonOption, StoppedLedgerOption
from station.cli.ledger.questions import local
from station.cli.ledger.stopped import opened
from station.cli.places import ConfigOption, config_path, ledger_path
from station.config import line as configuration
from station.daemon import control
from station.domain.intervention import Decision

app = typer.Typer(help="Messages that wait for the MES, or that were given up.", no_args_is_help=True)

Numbers = Annotated[list[int], typer.Argument(metavar="ID…", help="As `station outbox list` shows them.")]
SomeNumbers = Annotated[
    list[int] | None,
    typer.Argument(metavar="ID…", help="As `station outbox list` shows them.", show_default=False),
]


@app.command("list")
def list_messages(
    sink: Annotated[
        str | None, typer.Option("--sink", help="Only those for this receiver: webhook, mqtt.", show_default=False)
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only those that were given up.")] = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json_wanted: Annotated[
        bool, typer.Option("--json", help="The same as one JSON object, with times in UTC.")
    ] = False,
) -> None:
    """List messages that no receiver has confirmed: pending ones, and dead ones that were given up after ten refusals."""
    found = [
        each for each in outbox.listed(ledger_path(config, ledger), sink=sink) if not dead or each.dead_at is not None
    ]
    if json_wanted:
        say_json({"messages": [records.values(each) for each in found]})
        return
    console = wide_console()
    if not found:
        console.print("Every message has been delivered.")
        return
    columns = ("id", "receiver", "state", "since", "unit", "type", "tries", "next try", "last error")
    table = Table(*(Column(name, overflow="fold") for name in columns), box=None)
    for each in found:
        table.add_row(
            str(each.number),
            each.sink,
            "dead" if each.dead_at else "pending",
            local(each.created_at),
            shown(each.key),
            each.type.removeprefix("CFX."),
            str(each.tries),
            local(each.next_at) if each.next_at else "",
            shown(each.error or ""),
        )
    console.print(table)
    gone = sum(each.dead_at is not None for each in found)
    console.print(f"{len(found) - gone} pending, {gone} dead")


@app.command()
def retry(
    reason: ReasonOption,
    messages: SomeNumbers = None,
    dead: Annotated[bool, typer.Option("--dead", help="All that were given up.")] = False,
    ledger: StoppedLedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Deliver messages again from the first try on, with the same ids: those named, or all dead ones."""
    if bool(messages) is dead:
        raise typer.BadParameter("name messages, or use --dead for all that were given up")
    decision = Decision(account_name(), reason)
    if ledger is not None:
        number = asyncio.run(_retry(ledger, messages or None, decision))
    else:
        number = int(str(_ask(config, "outbox_retry", decision, messages=messages or None)["retried"]))
    say(f"{number} messages are tried again")


@app.command()
def drop(
    messages: Numbers,
    reason: ReasonOption,
    ledger: StoppedLedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove messages that shall never be delivered. The ledger keeps who dropped them and why, and what they told."""
    decision = Decision(account_name(), reason)
    if ledger is not None:
        number = asyncio.run(_drop(ledger, messages, decision))
    else:
        number = int(str(_ask(config, "outbox_drop", decision, messages=messages)["dropped"]))
    say(f"{number} messages are dropped")


def _ask(config: Path | None, command: str, decision: Decision, **arguments: object) -> dict[str, object]:
    socket = configuration.load(config_path(config)).control_socket
    return control.ask(socket, command, reason=decision.reason, **arguments)


async def _retry(path: Path, messages: list[int] | None, decision: Decision) -> int:
    async with opened(path) as ledger:
        return await ledger.outbox.retry(messages, decision, datetime.now(UTC))


async def _drop(path: Path, messages: list[int], decision: Decision) -> int:
    async with opened(path) as ledger:
        return await ledger.outbox.drop(messages, decision, datetime.now(UTC))
