# SPDX-License-Identifier: Apache-2.0
"""`station central join`: a ledger that was a station's own becomes one of many."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from station.cli.central.connected import OwnerOption, owned
from station.cli.central.stations import YesOption
from station.cli.consoles import say
from station.cli.ledger.questions import counted
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.config.line import Config

if TYPE_CHECKING:
    from station.adapters.centre.sessions import Session
    from station.adapters.ledger.shared import SharedLedger

UNITS_AT_ONCE = 500


def join(yes: YesOption = False, dsn: OwnerOption = None, config: ConfigOption = None) -> None:
    """Make a ledger that has made units by itself one of those that share the centre. Its daemon must not run.

    Run it at the station, once, after `station central stations add` and with [shared] in the configuration. The centre
    gets the ledger's pairs, so that no other station draws one of them; its units follow with the first push of the daemon.
    If the command was killed, give it again. From then on the ledger opens only with [shared].
    """
    loaded = configuration.load(config_path(config))
    if loaded.shared is None:
        raise typer.BadParameter(f"{config_path(config)} has no [shared] section")
    say(f"{loaded.ledger}: from now on it opens only as station {loaded.station.name} of the shared ledger.")
    if not yes and sys.stdin.isatty():
        typer.confirm("Go on?", abort=True)
    with owned(dsn) as connection:
        asyncio.run(_join(loaded, connection))
    say("the ledger has joined: station run pushes what it has told")


async def _join(config: Config, connection: "Session") -> None:
    from station.adapters.ledger import Ledger
    from station.adapters.ledger.fleet_key_file import FleetKeyUnusable, fleet_key
    from station.adapters.ledger.sharing import Shared
    from station.daemon import control
    from station.recipe.files import line_recipe

    assert config.shared is not None
    try:
        fleet = fleet_key(config.shared.fleet_key)
    except FleetKeyUnusable as exc:
        raise control.CommandRefused(str(exc)) from exc
    shared = Shared(fleet, line_recipe.load(config).release, joining=True)
    async with Ledger.open(config.ledger, station=config.station.name, shared=shared) as ledger:
        assert ledger.shared is not None
        await _register(ledger.shared, connection, config.station.name)
        await _enrol(ledger.shared, config)
        while left := await ledger.shared.join(UNITS_AT_ONCE):
            say(f"{counted(left, 'unit')} left", err=True)


async def _register(ledger: "SharedLedger", connection: "Session", station: str) -> None:
    """Enters the pairs of all units at the centre."""
    from station.adapters.centre import administration

    registered = forgotten = others = administration.join(connection, station, [])
    async for some in ledger.hashes(UNITS_AT_ONCE):
        others += administration.join(connection, station, some.hashes)
        registered, forgotten = registered + len(some.hashes), forgotten + some.forgotten
        say(f"{counted(registered, 'pair')} registered", err=True)
    say(f"{counted(registered, 'pair')} registered at the centre")
    if forgotten:
        say(f"{counted(forgotten, 'unit')} more have a passcode that was forgotten: another unit may get the same one")
    if others:
        say(f"{counted(others, 'pair')} of them are units' of other stations, too", err=True)


async def _enrol(ledger: "SharedLedger", config: Config) -> None:
    """Makes the ledger an incarnation of this station, unless it is one already."""
    from station.adapters.centre.centre import Centre
    from station.adapters.centre.connection import Connection
    from station.adapters.ledger.place import Place

    assert config.shared is not None
    if not (await ledger.standing()).must_enrol:
        return
    place = Place.of(config.ledger).as_text
    async with Connection(config.shared.dsn, config.station.name, deadline=config.shared.deadline) as connection:
        asked, head = await ledger.begin_enrolment(place)
        await ledger.enrolled(await Centre(connection).enrol(asked, place, head), asked)
