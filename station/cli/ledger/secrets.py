# SPDX-License-Identifier: Apache-2.0
"""`station secrets`: the station's key, under which the onboarding secrets in the ledger are sealed."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from station.adapters.ledger import rotation
from station.adapters.ledger.register import Register, folder_for
from station.adapters.ledger.station_keys import StationKeys
from station.cli.accounts import account_name, check_account
from station.cli.consoles import say, say_json
from station.cli.exit_codes import FAILED
from station.cli.ledger.options import LedgerOption
from station.cli.ledger.questions import JsonOption
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.daemon import control
from station.domain.intervention import DecisionRefused

app = typer.Typer(help="The station's key, under which the ledger's secrets are sealed.", no_args_is_help=True)

KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--key", help="The key's file, instead of the configuration's or the station's own.", show_default=False
    ),
]

CLEAR = "none"
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        help="PKCS#11 URI of the token that is to seal the new key, or none for a key in clear; as the old one if not given.",
        show_default=False,
    ),
]


@app.command()
def status(
    ledger: LedgerOption = None, key: KeyOption = None, config: ConfigOption = None, json_wanted: JsonOption = False
) -> None:
    """Show which key seals the ledger's secrets, where it is, and how many units it wraps. Exits 1 if the key is missing."""
    path, register, keys = _places(ledger, key, config)
    found = rotation.status(path, keys)
    if json_wanted:
        say_json({"secrets": {**asdict(found), "ledger": str(path), "register": str(register)}})
    else:
        say(f"{path}: sealed under key {found.key_id}")
        say(f"the key is in {found.key_file}" if found.key_file else f"the key is not in {keys}: put it back")
        if found.token is not None:
            say(f"only this token opens it: {found.token}")
        for key_id, count in sorted(found.wrapped.items()):
            say(f"key {key_id} wraps {count} units" + ("" if key_id == found.key_id else ": end the rotation"))
        say(f"{found.forgotten} units are forgotten")
        if not found.scrubbed:
            say("the file may still hold secrets of an earlier version: the daemon's next start removes them")
    if found.key_file is None:
        raise typer.Exit(FAILED)


@app.command()
def rotate(
    reason: Annotated[str, typer.Option("--reason", help="The reason, in one line, for the ledger.")] = "",
    token: TokenOption = None,
    ledger: LedgerOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
) -> None:
    """Replace the station's key: wrap every unit's key anew, then remove the old one. The daemon must not run.

    If the command was killed, give it again: it goes on where it was. Backups from before need the old key: with its last
    copy, what they hold of units forgotten since is gone, too.
    """
    path, register, keys = _places(ledger, key, config)
    check_account(path)
    try:
        sealed_by: str | Literal[False] | None = False if token == CLEAR else token
        new = rotation.rotate(path, register, keys, who=account_name(), reason=reason, token=sealed_by)
    except DecisionRefused as exc:
        raise control.CommandRefused(str(exc)) from exc
    say(f"{path}: sealed under key {new} now, which is in {keys.place_of(new)}")
    if (opens := keys.token_of(new)) is not None:
        say(f"Only this token opens it: {opens}")
    say("Keep a copy of that file apart from the ledger's backups, and make a new backup.")


@app.command("give-up")
def give_up(
    reason: Annotated[str, typer.Option("--reason", help="The reason, in one line, for the ledger.")],
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    ledger: LedgerOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
) -> None:
    """Let a ledger whose key is lost for good go on under a new key. Every unit so far is forgotten: no label, no second judgement.

    Refuses while the key is there. The daemon must not run.
    """
    path, register, keys = _places(ledger, key, config)
    check_account(path)
    say(f"{path}: the passcodes of all its units are lost with the key.")
    if not yes and sys.stdin.isatty():
        typer.confirm("Go on?", abort=True)
    try:
        new, units = rotation.give_up(path, register, keys, who=account_name(), reason=reason)
    except DecisionRefused as exc:
        raise control.CommandRefused(str(exc)) from exc
    say(f"{units} units are forgotten; new ones are sealed under key {new}, which is in {keys.place_of(new)}")


def _places(ledger: Path | None, key: Path | None, config: Path | None) -> tuple[Path, Register, StationKeys]:
    if ledger is not None:
        folder = folder_for(ledger, None)
        return ledger, Register(folder), StationKeys.of(folder, ledger, key)
    loaded = configuration.load(config_path(config))
    folder = folder_for(loaded.ledger, loaded.station.witness)
    return loaded.ledger, Register(folder), StationKeys.of(folder, loaded.ledger, key or loaded.secrets.key)
