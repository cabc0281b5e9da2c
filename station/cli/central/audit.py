# SPDX-License-Identifier: Apache-2.0
"""`station central audit`: recomputes all that the centre has from the stations' own words."""

import time

import typer

from station.cli.central.connected import OwnerOption, owned
from station.cli.consoles import say
from station.cli.exit_codes import FAILED
from station.cli.ledger.questions import counted

SAID_EVERY = 5.0  # seconds


def audit(dsn: OwnerOption = None) -> None:
    """Recompute every station's chain and signatures, and compare units, identities and yields with it.

    Reads the whole database, which takes minutes for each ten million lines; progress is on standard error. It changes
    nothing. Exits 1 if anything differs.
    """
    said, lines = time.monotonic(), 0

    def heard(station: str, done: int, of: int) -> None:
        nonlocal said, lines
        lines = done
        if time.monotonic() - said >= SAID_EVERY:
            said = time.monotonic()
            say(f"station {station}: {done} of {of} lines", err=True)

    mistakes = 0
    with owned(dsn) as connection:
        from station.adapters.centre import audit as centre

        for mistake in centre.audit(connection, heard):
            mistakes += 1
            say(mistake)
    if mistakes:
        say(f"{counted(mistakes, 'mistake')} found", err=True)
        raise typer.Exit(FAILED)
    say("sound")
