# SPDX-License-Identifier: Apache-2.0
"""`station audit`: whether the ledger is as the station wrote it, its signed checkpoints, and what an engineer accepts."""

import asyncio
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from station.adapters.ledger import Ledger, audit_reader, checkpoint_file
from station.adapters.ledger.key_file import KeyUnusable
from station.adapters.ledger.timestamps import NotAStamp, StampAuthority
from station.adapters.ledger.verifying import Verified
from station.cli.accounts import account_name, check_account
from station.cli.consoles import say
from station.cli.exit_codes import FAILED
from station.cli.ledger.options import LedgerOption, ReasonOption
from station.cli.ledger.questions import counted
from station.cli.ledger.time_stamps import AuthorityOption, authority_of
from station.cli.places import ConfigOption, config_path, ledger_path
from station.config import line as configuration
from station.config.line import Config
from station.daemon import control
from station.domain.checkpoint import NotACheckpoint, Signed
from station.domain.intervention import Decision, DecisionRefused

MOST_SHOWN = 100  # findings

app = typer.Typer(
    help="Whether the ledger is as the station wrote it: its chain, and the signed checkpoints.", no_args_is_help=True
)

CheckpointsOption = Annotated[
    Path | None,
    typer.Option(
        "--checkpoints",
        metavar="FILE",
        help="Copies of checkpoints, instead of the configuration's.",
        show_default=False,
    ),
]


@app.command()
def verify(
    ledger: LedgerOption = None,
    copies: CheckpointsOption = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="PUB",
            help="The audit's public key: a PEM file, or 64 hexadecimal digits. Repeat it after a change of the key.",
            show_default=False,
        ),
    ] = None,
    timestamp_ca: AuthorityOption = None,
    config: ConfigOption = None,
) -> None:
    """Compare every row with the chain, and the chain with its signed checkpoints; name whatever differs.

    May run while the daemon does. With --ledger no configuration is read. Without a key, and without the configuration's,
    a checkpoint may be signed by anybody. Exits 1 if anything was changed, removed, inserted, reordered or put back.
    """
    path, loaded = ledger_path(config, ledger), _loaded(config, ledger)
    if ledger is None:
        check_account(path)
    file = copies or _copies_of(loaded)
    own = _own_key(loaded) if loaded is not None and not key else None
    keys = {_key(each) for each in key or []} | ({own} if own is not None else set())
    texts = _texts(file, must_exist=copies is not None)
    authority = _authority(timestamp_ca, loaded)
    said, found, began = Verified(), 0, time.monotonic()
    for finding in audit_reader.findings(path, said, texts, keys, authority):
        found += 1
        if found <= MOST_SHOWN:
            say(finding)
    for accepted in said.accepted:
        say(f"accepted by a person: {accepted}")
    say(f"the chain began {said.since}{_after(said.after_event)}")
    say(
        f"{counted(said.lines, 'line')}, {counted(said.rows, 'row')}, {counted(said.checkpoints, 'checkpoint')}, {time.monotonic() - began:.1f} s"
    )
    _say_what_vouches(said, file, texts, keys)
    if found:
        say(
            f"not sound: {counted(found, 'finding')}{f', of which {MOST_SHOWN} are shown' if found > MOST_SHOWN else ''}"
        )
        raise typer.Exit(FAILED)
    say("sound")


def _say_what_vouches(said: Verified, file: Path | None, texts: Sequence[object], keys: Collection[bytes]) -> None:
    """What whoever may write the ledger could have made anew."""
    if not said.checkpoints:
        say("There is no checkpoint: whoever may write the ledger could have made the chain anew.")
    elif not texts:
        say(
            f"There is no copy of a checkpoint{f' in {file}' if file else ''}: the end of the ledger may have been cut off."
        )
    if said.checkpoints and not keys:
        say("No key was given: the checkpoints' own keys signed them. Compare with --key.")
    if said.stamps:
        say(f"{counted(said.stamps, 'time stamp')}; by the last one {said.stamped}")
    if said.unchecked_stamps:
        say(f"{counted(said.unchecked_stamps, 'time stamp')} not checked: name the authority with --timestamp-ca")


@app.command()
def show(ledger: LedgerOption = None, config: ConfigOption = None) -> None:
    """Show the chain's newest line, its newest checkpoint, and since when there is a chain. Computes nothing."""
    path, loaded = ledger_path(config, ledger), _loaded(config, ledger)
    if ledger is None:
        check_account(path)
    try:
        there = audit_reader.standing(path)
    except NotACheckpoint as exc:
        raise control.CommandRefused(f"the newest checkpoint cannot be read: {exc}. See station audit verify") from exc
    say(f"chain {there.chain}, since {there.since}{_after(there.after_event)}")
    say(f"line {there.number}: {there.hash.hex()}")
    if there.newest is None:
        say("no checkpoint: the key of [audit] signs them")
        return
    point = there.newest.checkpoint
    say(f"checkpoint of line {point.number}, {point.at:%Y-%m-%dT%H:%M:%SZ}, by the key {there.newest.public_key.hex()}")
    if there.stamped is not None and there.stamped.timestamp is not None:
        say(f"time stamp of line {there.stamped.checkpoint.number}: {_stamp(there.stamped, _authority(None, loaded))}")


@app.command()
def checkpoint(config: ConfigOption = None) -> None:
    """Have the running daemon sign the chain now, and copy the checkpoint."""
    line = control.ask(configuration.load(config_path(config)).control_socket, "audit_checkpoint")["line"]
    say("nothing was written since the newest checkpoint" if line is None else f"signed up to line {line}")


@app.command()
def accept(reason: ReasonOption, config: ConfigOption = None) -> None:
    """Go on with a ledger that lacks what its newest copied checkpoint signs (`ledger.rolled_back`). Stop the daemon first.

    The ledger keeps the account, the reason and that checkpoint, and station audit verify shows them for ever.
    """
    loaded = configuration.load(config_path(config))
    check_account(loaded.ledger)
    decision = Decision(account_name(), reason)
    file = _copies_of(loaded)
    if file is None:
        raise control.CommandRefused("[audit] copy_to is not set: there is nothing that the ledger could contradict")
    newest = checkpoint_file.newest(file, _own_key(loaded))
    if not newest:
        raise control.CommandRefused(f"{file}: there is no checkpoint that this station has signed")
    different = asyncio.run(_accepted(loaded, newest, decision))
    say(*(f"accepted: {each}" for each in different))
    if not different:
        say("the ledger goes on from its newest checkpoint: there is nothing to accept")


async def _accepted(loaded: Config, newest: Sequence[Signed], decision: Decision) -> list[str]:
    try:
        decision.check()
    except DecisionRefused as exc:
        raise control.CommandRefused(str(exc)) from exc
    section = loaded.station
    opening = Ledger.open(loaded.ledger, station=section.name, register=section.witness, key=loaded.secrets.key)
    async with opening as ledger:
        told = list[str]()
        for each in newest:
            if (different := await ledger.audit.difference(each)) is not None:
                await ledger.audit.accept(each, decision, datetime.now(UTC))
                told.append(different)
    return told


def _loaded(config: Path | None, ledger: Path | None) -> Config | None:
    return None if ledger is not None else configuration.load(config_path(config))


def _copies_of(loaded: Config | None) -> Path | None:
    if loaded is None or loaded.audit.copy_to is None:
        return None
    return checkpoint_file.file_of(loaded.audit.copy_to, loaded.station.name)


def _own_key(loaded: Config | None) -> bytes | None:
    if loaded is None:
        return None
    try:
        key = checkpoint_file.signing_key(loaded.audit.signing_key, loaded.audit.signing_token)
    except KeyUnusable as exc:
        raise control.CommandRefused(str(exc)) from exc
    return None if key is None else key.public_key().public_bytes_raw()


def _authority(given: Path | None, loaded: Config | None) -> StampAuthority | None:
    return authority_of(given or (None if loaded is None else loaded.audit.timestamp_ca))


def _stamp(signed: Signed, authority: StampAuthority | None) -> str:
    if authority is None or signed.timestamp is None:
        return "not checked"
    try:
        return f"{authority.check(signed.checkpoint.statement(), signed.timestamp):%Y-%m-%dT%H:%M:%SZ}"
    except NotAStamp as exc:
        return f"it proves nothing: {exc}"


def _texts(file: Path | None, *, must_exist: bool) -> list[tuple[str, bytes]]:
    if file is None or (not must_exist and not file.exists()):
        return []
    return [(f"{file}, line {number}", text) for number, text in checkpoint_file.lines(file)]


def _key(given: str) -> bytes:
    """A public key; ends with exit code 2 for anything else."""
    try:
        if len(raw := bytes.fromhex(given)) == 32:
            return raw
    except ValueError:
        pass
    try:
        found = load_pem_public_key(Path(given).read_bytes())
    except (ValueError, UnsupportedAlgorithm, OSError):
        found = None
    if not isinstance(found, Ed25519PublicKey):
        raise typer.BadParameter(f"{given} is no Ed25519 public key: give a PEM file, or 64 hexadecimal digits")
    return found.public_bytes_raw()


def _after(event: int) -> str:
    return f", after event {event}: older rows are not covered" if event else ""
