# SPDX-License-Identifier: Apache-2.0
"""The centre for a command: its address, and what its errors mean to a person."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from station.cli.consoles import say
from station.cli.exit_codes import ENVIRONMENT, FAILED
from station.cli.places import config_path
from station.config import line as configuration
from station.config.conninfo import without_secret
from station.config.problems import ConfigurationInvalid

if TYPE_CHECKING:
    from station.adapters.centre.sessions import Session

VARIABLE = "STATION_CENTRAL_DSN"
EXAMPLE = "host=db dbname=station user=station_owner sslmode=verify-full"
LIBRARY = "the shared ledger needs psycopg: pip install 'matter-provisioning-station[shared]'"
_UNDEFINED = frozenset({"3F000", "42P01", "42883"})  # schema, table, function
_NOT_ALLOWED = "42501"

OwnerOption = Annotated[
    str | None,
    typer.Option(
        "--dsn",
        help=f"The centre as its owner reaches it, without a password (default: ${VARIABLE}).",
        show_default=False,
    ),
]
ReaderOption = Annotated[
    str | None,
    typer.Option(
        "--dsn",
        help=f"The centre, without a password (default: shared.reader of the configuration, else ${VARIABLE}).",
        show_default=False,
    ),
]


def say_left(statements: Sequence[str]) -> None:
    """Prints SQL that this role may not run, and ends the command; goes on if there is none."""
    if statements:
        say("this role may not do the rest; have a superuser of the database run this SQL:", err=True)
        say(*(f"{each};" for each in statements))
        raise typer.Exit(FAILED)


@contextmanager
def owned(dsn: str | None) -> Iterator["Session"]:
    """A connection of the centre's owner for the block. What the centre refuses, or its absence, ends the command."""
    address = dsn or os.environ.get(VARIABLE)
    if not address:
        raise typer.BadParameter(f"the centre has no address: give --dsn '{EXAMPLE}', or set {VARIABLE}")
    with _translated(), _connected(_without_secret(address), reads_only=False) as connection:
        yield connection


@contextmanager
def asked(dsn: str | None, config: Path | None) -> Iterator["Session"]:
    """A connection that only reads, for the block, as `owned`."""
    with _translated(), _connected(_without_secret(_reader(dsn, config)), reads_only=True) as connection:
        yield connection


def _reader(dsn: str | None, config: Path | None) -> str:
    """The given address, or the configuration's, or the owner's; raises `BadParameter`, `ConfigurationInvalid`.

    Whoever looks after the centre may have no configuration, or the template of one: the owner's address is enough.
    """
    address = dsn or os.environ.get(VARIABLE)
    file = config_path(config)
    if dsn is None and (config is not None or file.is_file()):
        try:
            shared = configuration.load(file).shared
        except ConfigurationInvalid:
            if config is not None or not address:
                raise
            shared = None
        address = (shared and shared.reader) or address
    if not address:
        raise typer.BadParameter(
            f"the centre has no address: set `reader` in [shared] of {file}, give --dsn '{EXAMPLE}', or set {VARIABLE}"
        )
    return address


def _without_secret(address: str) -> str:
    """The address; one with a password is refused, since every account sees a command's arguments."""
    try:
        return without_secret(address)
    except ValueError as exc:
        raise typer.BadParameter(f"the centre's address: {exc}") from None  # the cause has the address in it


@contextmanager
def _connected(address: str, *, reads_only: bool) -> Iterator["Session"]:
    from station.adapters.centre import sessions

    with sessions.connected(address, reads_only=reads_only) as connection:
        yield connection


@contextmanager
def _translated() -> Iterator[None]:
    """Ends the command with what an error of the centre means, and what to do about it."""
    try:
        from station.adapters.centre.sessions import Refused
        from station.adapters.centre.trouble import CentreBroken, CentreRefused, CentreUnreachable
    except ImportError as exc:
        say(LIBRARY, err=True)
        raise typer.Exit(ENVIRONMENT) from exc
    try:
        yield
    except CentreUnreachable as exc:
        say(f"the centre does not answer: {exc}", err=True)
        say("look at the address, the server and the certificates, then give the command again", err=True)
        raise typer.Exit(ENVIRONMENT) from exc
    except CentreBroken as exc:
        say(_meant(exc.sqlstate, str(exc)), err=True)
        raise typer.Exit(FAILED) from exc
    except (CentreRefused, Refused) as exc:
        say(exc, err=True)
        raise typer.Exit(FAILED) from exc


def _meant(sqlstate: str, text: str) -> str:
    if sqlstate in _UNDEFINED:
        return f"this database has no centre, or one of another version ({text}): station central init, or upgrade"
    if sqlstate == _NOT_ALLOWED:
        return f"this role may not do that ({text}): give the owner's address by --dsn or {VARIABLE}"
    return f"the centre refuses: {text}; `station central status` compares its version with this station's"
