# SPDX-License-Identifier: Apache-2.0
"""`station samples`: golden and known-bad boards, which prove the line."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from station.adapters.ledger import records, samples
from station.cli.accounts import account_name
from station.cli.consoles import say, say_json, wide_console
from station.cli.ledger.options import LedgerOption, ReasonOption, StoppedLedgerOption
from station.cli.ledger.questions import JsonOption, local
from station.cli.ledger.selected import known_fault
from station.cli.ledger.stopped import opened, uid_of
from station.cli.places import ConfigOption, config_path, ledger_path
from station.config import line as configuration
from station.daemon import control
from station.domain.intervention import Decision
from station.domain.samples import Expected
from station.domain.target import UID

app = typer.Typer(
    help="Golden and known-bad boards: while they are due, no other board begins until all have ended as expected.",
    no_args_is_help=True,
)

UIDArgument = Annotated[str, typer.Argument(metavar="UID", help="24 hexadecimal digits.")]


@app.command()
def add(
    unit: UIDArgument,
    reason: ReasonOption,
    fault: Annotated[
        str | None,
        typer.Option("--fault", help="A bad board: it must fail with this fault, as board.silent.", show_default=False),
    ] = None,
    ledger: StoppedLedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a board a sample: a good one, or with --fault a bad one.

    A good sample must be a unit that has passed here. A sample is counted nowhere, is never sold, and gets no certificate.
    """
    uid, decision = uid_of(unit), Decision(account_name(), reason)
    if fault is not None:
        known_fault(fault)
    expected = Expected("pass") if fault is None else Expected("fail", fault)
    if ledger is not None:
        asyncio.run(_add(ledger, uid, expected, decision))
    else:
        about: dict[str, object] = {"verdict": expected.verdict, "fault": expected.fault}
        _ask(config, "sample_add", uid, decision, **about)
    say(f"{uid} is a sample: it must {expected.verdict}{f' with {fault}' if fault else ''}")


@app.command()
def remove(
    unit: UIDArgument, reason: ReasonOption, ledger: StoppedLedgerOption = None, config: ConfigOption = None
) -> None:
    """Take a board off the list of samples. It does not return to its lot: scrap it."""
    uid, decision = uid_of(unit), Decision(account_name(), reason)
    if ledger is not None:
        asyncio.run(_remove(ledger, uid, decision))
    else:
        _ask(config, "sample_remove", uid, decision)
    say(f"{uid} is no sample any more")


@app.command("list")
def list_samples(ledger: LedgerOption = None, config: ConfigOption = None, json_wanted: JsonOption = False) -> None:
    """List the samples, and how each ended last."""
    found = samples.listed(ledger_path(config, ledger))
    if json_wanted:
        say_json({"samples": [records.values(each) for each in found]})
        return
    columns = ("uid", "must", "with", "added", "by", "reason", "last", "attempt", "as expected")
    table = Table(*columns, box=None, header_style="bold")
    for each in found:
        good = "" if each.good is None else "yes" if each.good else "NO"
        attempt = "" if each.attempt is None else str(each.attempt)
        added = (local(each.added_at), each.account, each.reason)
        table.add_row(each.uid, each.verdict, each.fault or "", *added, local(each.checked_at), attempt, good)
    wide_console().print(table if found else "There are no samples.")


def _ask(config: Path | None, command: str, uid: UID, decision: Decision, **about: object) -> None:
    socket = configuration.load(config_path(config)).control_socket
    control.ask(socket, command, uid=str(uid), reason=decision.reason, **about)


async def _add(path: Path, uid: UID, expected: Expected, decision: Decision) -> None:
    async with opened(path) as ledger:
        await ledger.samples.add(uid, expected, decision)


async def _remove(path: Path, uid: UID, decision: Decision) -> None:
    async with opened(path) as ledger:
        await ledger.samples.remove(uid, decision)
