# SPDX-License-Identifier: Apache-2.0
"""`station leases`: the serial numbers and passcodes that this station holds of a shared ledger."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from station.adapters.ledger import lease_reader, records
from station.adapters.ledger.lease_reader import BlockRecord, LeaseRecord
from station.cli.consoles import Screen, say, say_json, styled, wide_console
from station.cli.ledger.options import LedgerOption, StoppedLedgerOption
from station.cli.ledger.questions import JsonOption, counted
from station.cli.ledger.stopped import opened
from station.cli.places import ConfigOption, config_path, ledger_path
from station.config import line as configuration
from station.daemon import control

ALONE = "this station's ledger is its own: it has no [shared] section, and needs no leases"

app = typer.Typer(help="Serial numbers and passcodes that this station holds of a shared ledger.", no_args_is_help=True)


@app.command()
def show(
    all_wanted: Annotated[
        bool, typer.Option("--all", help="Also blocks that are used up, given back or burned.")
    ] = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json_wanted: JsonOption = False,
) -> None:
    """Show how many units can begin without the centre, in which blocks, and what the centre has not got yet.

    Works beside the daemon. The highest block of each lot is what `station central accept-restore` wants to know.
    """
    path = ledger_path(config, ledger)
    found = lease_reader.leases_of(path)
    if json_wanted:
        say_json(_as_json(found))
        return
    if found is None:
        say(f"{path}: {ALONE}")
        return
    console = wide_console()
    _print_standing(console, found)
    shown = [block for block in found.blocks if all_wanted or block.left]
    if shown:
        table = Table("lot", "block", "state", "left", "first serial number", "release", box=None, header_style="bold")
        for block in shown:
            row = (block.lot, str(block.number), block.state, str(block.left), block.first, block.release[:12])
            table.add_row(*row)
        console.print(table)
    for lot, highest in _highest(found.blocks).items():
        console.print(f"lot {lot}: its highest block here is {highest}")


@app.command("return")
def give_back(
    lot: Annotated[str, typer.Argument(metavar="LOT", help="The lot of the blocks.")],
    ledger: StoppedLedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Give whole unused blocks of a lot back, once this station makes no more of it: nobody will ever use them.

    The lot's balance is right then: the centre hears of it with the journal, and gives these serial numbers to no other
    station either. Passcodes stay with the station, for its next lot.
    """
    if ledger is not None:
        numbers: Iterable[object] = asyncio.run(_give_back(ledger, config, lot))
    else:
        told = control.ask(configuration.load(config_path(config)).control_socket, "leases_return", lot=lot)["blocks"]
        numbers = told if isinstance(told, list) else []
    blocks = ", ".join(map(str, numbers))
    say(f"lot {lot}: given back so far: blocks {blocks}" if blocks else f"lot {lot}: no block is whole and unused")


def _as_json(found: LeaseRecord | None) -> dict[str, object]:
    if found is None:
        return {"shared": False, "blocks": [], "pairs": 0}
    standing = found.standing
    return {
        "shared": True,
        "station": standing.station,
        "incarnation": standing.incarnation,
        "stopped": standing.stopped,
        "moved": standing.moved,
        "tick": standing.tick,
        "lines": standing.lines,
        "acknowledged": standing.acked,
        "blocks": [records.values(block) for block in found.blocks],
        "pairs": found.pairs,
        "requested": found.requested,
        "items": min(found.pairs, sum(block.left for block in found.blocks)),
    }


def _print_standing(console: Screen, found: LeaseRecord) -> None:
    standing = found.standing
    enrolled = (
        f"incarnation {standing.incarnation} of station {standing.station}"
        if standing.incarnation
        else "not enrolled yet"
    )
    stopped = [("  stopped: " + standing.stopped, "red")] if standing.stopped else []
    moved = [("  must enrol anew", "yellow")] if standing.moved else []
    console.print(styled(enrolled, *stopped, *moved, f"  tick {standing.tick}"))
    console.print(f"{counted(standing.lines - standing.acked, 'line')} of {standing.lines} not confirmed by the centre")
    numbers = sum(block.left for block in found.blocks)
    waits = f"; {counted(found.requested, 'block')} asked for" if found.requested else ""
    console.print(f"{counted(numbers, 'serial number')} and {counted(found.pairs, 'pair')} left{waits}")


def _highest(blocks: Iterable[BlockRecord]) -> Counter[str]:
    found = Counter[str]()
    for block in blocks:
        found[block.lot] = max(found[block.lot], block.number)
    return found


async def _give_back(path: Path, config: Path | None, lot: str) -> list[int]:
    async with opened(path, config) as ledger:
        if ledger.shared is None:
            raise control.CommandRefused(ALONE)
        return await ledger.shared.give_back(lot)
