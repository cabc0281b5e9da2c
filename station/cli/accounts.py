# SPDX-License-Identifier: Apache-2.0
"""The account that runs a command: its login name, which sudo does not change, and the check that it may read the ledger."""

import os
import pwd
from pathlib import Path

from station.faults.line import LedgerUnavailable


def account_name() -> str:
    try:
        return os.getlogin()
    except OSError:  # no terminal and no session, as in a container
        pass
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def check_account(ledger: Path) -> None:
    """Raises `LedgerUnavailable` if root runs the command but another account owns the ledger, and its records outside it."""
    if os.geteuid() != 0:
        return  # only the ledger's account can read it
    owners = {place.stat().st_uid for place in (ledger.parent, ledger) if place.exists()} - {0}
    for owner in owners:
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise LedgerUnavailable(
            f"{ledger}: it belongs to the account {name}; run the command as that account: sudo -u {name} station ledger …"
        )
