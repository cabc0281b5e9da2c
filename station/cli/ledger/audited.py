# SPDX-License-Identifier: Apache-2.0
"""`station ledger audit`: recomputes the journal of a shared ledger."""

import time

import typer

from station.adapters.ledger import lease_reader, shared
from station.cli.accounts import check_account
from station.cli.consoles import say
from station.cli.exit_codes import FAILED
from station.cli.ledger.options import LedgerOption
from station.cli.ledger.questions import counted
from station.cli.places import ConfigOption, ledger_path


def audit(ledger: LedgerOption = None, config: ConfigOption = None) -> None:
    """Recompute the chain of a shared ledger's journal: whether every line is as it was written.

    May run while the daemon does. `station central audit` compares the centre's copy. Exits 1 at the first line that
    differs. A ledger of a station by itself has no chain.
    """
    path = ledger_path(config, ledger)
    if ledger is None:
        check_account(path)
    found = lease_reader.leases_of(path)
    if found is None:
        say(f"{path}: this ledger is shared with no other station, and has no chain to audit")
        return
    say(
        f"{path}: {counted(found.standing.lines, 'line')} in incarnation {found.standing.incarnation}, computing",
        err=True,
    )
    began = time.monotonic()
    with shared.reading(path) as reader:
        broken = reader.verify()
    if broken is not None:
        say(f"incarnation {broken.incarnation}, line {broken.number}: {broken.reason}")
        raise typer.Exit(FAILED)
    say(f"sound: {time.monotonic() - began:.1f} s")
