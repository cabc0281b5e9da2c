# SPDX-License-Identifier: Apache-2.0
"""Who asks: the name under which somebody logged in, which stays the same through sudo; and whether the account is the right one."""

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
    """Raises `LedgerUnavailable` where root asks for another account, which alone remembers how far the ledger had come."""
    if os.geteuid() != 0:
        return  # only the ledger's account can read it
    owners = {place.stat().st_uid for place in (ledger.parent, ledger) if place.exists()} - {0}
    for owner in owners:
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise LedgerUnavailable(
            f"{ledger}: it is of the account {name}, which must ask: sudo -u {name} station ledger …"
        )
