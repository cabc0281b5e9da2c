# SPDX-License-Identifier: Apache-2.0
"""`station units release` and `scrap`: what people decide about units that failed for good."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from station.cli.accounts import account_name
from station.cli.consoles import say
from station.cli.ledger.options import ReasonOption, StoppedLedgerOption
from station.cli.ledger.stopped import opened, uid_of
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.daemon import control
from station.domain.intervention import Decision
from station.domain.target import UID

UIDArgument = Annotated[str, typer.Argument(metavar="UID", help="24 hexadecimal digits.")]


def release(
    unit: UIDArgument, reason: ReasonOption, ledger: StoppedLedgerOption = None, config: ConfigOption = None
) -> None:
    """Let a unit that was void as unit.quarantined be tried again; its fails so far count no more.

    It got there by itself, after [policy] quarantine_after fails, or after a fault that no attempt can mend.
    """
    uid, decision = uid_of(unit), Decision(account_name(), reason)
    if ledger is not None:
        asyncio.run(_release(ledger, uid, decision))
    else:
        socket = configuration.load(config_path(config)).control_socket
        control.ask(socket, "unit_release", uid=str(uid), reason=reason)
    say(f"{uid} may be tried again: plug it in")


def scrap(
    unit: UIDArgument, reason: ReasonOption, ledger: StoppedLedgerOption = None, config: ConfigOption = None
) -> None:
    """Write a unit off for ever: its identity is burned, and its certificate listed for revocation.

    The board is refused wherever it is plugged in again, before anything is touched. In a work order another unit takes
    its place.
    """
    uid, decision = uid_of(unit), Decision(account_name(), reason)
    if ledger is not None:
        certificate = asyncio.run(_scrap(ledger, uid, decision))
    else:
        socket = configuration.load(config_path(config)).control_socket
        told = control.ask(socket, "unit_scrap", uid=str(uid), reason=reason)["certificate"]
        certificate = None if told is None else str(told)
    revoke = f"; its certificate {certificate} is to be revoked: station pki orphans" if certificate else ""
    say(f"{uid} is scrapped{revoke}")


async def _release(path: Path, uid: UID, decision: Decision) -> None:
    async with opened(path) as ledger:
        await ledger.release_from_quarantine(uid, decision)


async def _scrap(path: Path, uid: UID, decision: Decision) -> str | None:
    async with opened(path) as ledger:
        return await ledger.scrap(uid, decision)
