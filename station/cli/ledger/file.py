# SPDX-License-Identifier: Apache-2.0
"""`station ledger`: backs up the ledger, checks and audits it, and accepts one that was put back or moved."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from station.adapters.ledger import backup as backups
from station.adapters.ledger import incarnations, restoration, soundness, sqlite
from station.adapters.ledger.custody import differences
from station.adapters.ledger.register import Register, folder_for
from station.adapters.ledger.restoration import Finding
from station.cli.accounts import check_account
from station.cli.consoles import say
from station.cli.exit_codes import FAILED
from station.cli.ledger.audited import audit
from station.cli.ledger.options import LedgerOption
from station.cli.places import ConfigOption, config_path, ledger_path
from station.config import line as configuration
from station.faults.line import LedgerDamaged

app = typer.Typer(
    help="The ledger's file: back it up, check it, and accept one that was put back.", no_args_is_help=True
)


@app.command()
def backup(
    destination: Annotated[
        Path, typer.Argument(metavar="DEST", help="A new file, or a folder for a file named after the time.")
    ],
    ledger: LedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Write a copy of the ledger and of its key, also while the daemon runs.

    Neither shows a passcode without the station's key, which is in no backup (`station secrets status`). Only this account
    can read them. The copy is checked before it gets its name; no file is overwritten.
    """
    path = ledger_path(config, ledger)
    file = destination / f"ledger-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sqlite" if destination.is_dir() else destination
    try:
        written = backups.write(path, file, _register(config, ledger))
    except FileExistsError as exc:
        raise typer.BadParameter(f"{exc.filename} already exists: a backup overwrites nothing") from exc
    say(f"{written.path}: {written.identities} identities, {written.size} bytes, checked")
    say(f"{written.key}: its key; keep both, and the station's key apart from them: station secrets status")


@app.command()
def check(
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    full: Annotated[
        bool, typer.Option("--full", help="Also compare every index with its table, which takes longer.")
    ] = False,
) -> None:
    """Read the whole ledger and report whether it is sound and at its place, and when it was last backed up.

    May run while the daemon does. With --ledger it reports only whether that file is sound. Exits 1 if anything is
    wrong.
    """
    path = ledger_path(config, ledger)
    if ledger is None:
        check_account(path)
    register = _register(config, ledger).as_of_now()
    began = time.monotonic()
    with sqlite.reading(path) as connection:
        say(f"{path}: {path.stat().st_size} bytes, checking", err=True)
        try:
            soundness.check(connection, path, full=full)
        except LedgerDamaged as fault:
            say(fault)
            raise typer.Exit(FAILED) from fault
        with connection.begin():
            standing = incarnations.standing(connection)
            identities = incarnations.given_out(connection)
    say(f"sound: {identities} identities, {time.monotonic() - began:.1f} s")
    if standing is None:
        say("it has no id yet: it gets one when a station opens it")
        return
    say(f"ledger {standing.ledger}, incarnation {standing.mark.incarnation}")
    last = register.last_backup(standing.ledger)
    say("never backed up on this machine" if last is None else f"backed up {last.at} to {last.path}")
    reasons = list(differences(path, standing, register)) if ledger is None else []
    if reasons:
        say(f"moved: {'; '.join(reasons)}")
        raise typer.Exit(FAILED)


@app.command()
def restored(
    skip: Annotated[
        int | None,
        typer.Option("--skip", min=0, metavar="N", help="Serial numbers to burn, of every lot.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="The ledger's key is lost for good: make a new one.")
    ] = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Let the station go on with a ledger that was put back from a backup, moved, or lost for good.

    It becomes a new incarnation, and the next N serial numbers of every lot are burned, since the station may have
    given them out after the backup; of a shared ledger none need be. If there is no ledger, an empty one is made.
    Refuses while a daemon holds the ledger.
    """
    path = ledger_path(config, ledger)
    check_account(path)
    register = _register(config, ledger)
    loaded = None if ledger is not None else configuration.load(config_path(config))
    shared = loaded is not None and loaded.shared is not None
    finding = restoration.examine(path, register, shared=shared)
    for line in _told(path, finding):
        say(line)
    if skip is None and not finding.shared and not (new_key and not finding.reasons):
        raise typer.BadParameter(f"give the number of serial numbers to skip: --skip N, at least {finding.least}")
    if (skip or 0) < finding.least:
        raise typer.BadParameter(f"--skip must be at least {finding.least}, or serial numbers would be given out twice")
    if finding.shared:
        say("What the centre has given this ledger is burned, and it gets more once it has enrolled anew.")
    else:
        say(f"The next {skip or 0} serial numbers of every lot are burned, also of lots that begin later.")
    if not yes and sys.stdin.isatty():
        typer.confirm("Go on?", abort=True)
    station, key = None if loaded is None else loaded.station.name, _key(config, ledger)
    done = restoration.restore(path, station, register, skip=skip or 0, new_key=new_key, key=key, shared=shared)
    if not finding.shared:
        for lot, number in sorted(done.lots.items()):
            say(f"lot {lot} goes on with its serial number {number}")
        say(f"a lot that is new to the ledger begins with its serial number {done.skipped + 1}")
    say(f"{path}: incarnation {done.incarnation}; station run opens it")


app.command()(audit)


def _told(path: Path, finding: Finding) -> list[str]:
    if finding.identities is None and finding.shared:
        return [f"{path}: there is no ledger"]
    if finding.identities is None:
        return [f"{path}: there is no ledger; at least {finding.least} serial numbers were given out from there"]
    reasons = list(finding.reasons) or ["it is unchanged and at its place"]
    return [f"{path}: {finding.identities} identities", *(f"  {reason}" for reason in reasons)]


def _register(config: Path | None, ledger: Path | None) -> Register:
    """The configuration's register, or this machine's for a ledger given with --ledger."""
    if ledger is not None:
        return Register(folder_for(ledger, None))
    loaded = configuration.load(config_path(config))
    return Register(folder_for(loaded.ledger, loaded.station.witness))


def _key(config: Path | None, ledger: Path | None) -> Path | None:
    """The file of the station's key that the configuration names."""
    return None if ledger is not None else configuration.load(config_path(config)).secrets.key
