# SPDX-License-Identifier: Apache-2.0
"""`station central join`: a ledger that was a station's own becomes one of many."""

import asyncio
import json
import sys
from dataclasses import asdict
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
from station.config.shared import SharedSection
from station.daemon import control
from station.domain.shared import MOST_LINES, Word

if TYPE_CHECKING:
    from station.adapters.centre.centre import Centre
    from station.adapters.centre.sessions import Session
    from station.adapters.ledger.shared import SharedLedger

UNITS_AT_ONCE = 500


def join(yes: YesOption = False, dsn: OwnerOption = None, config: ConfigOption = None) -> None:
    """Make a ledger that has made units by itself one of those that share the centre. Its daemon must not run.

    Run it at the station, once, after `station central stations add` and with [shared] in the configuration, and before a
    release is approved for its lots: the centre learns of the ledger's pairs and units, and burns the blocks of their serial
    numbers. If the command was killed, give it again. From then on the ledger opens only with [shared].
    """
    loaded = configuration.load(config_path(config))
    if loaded.shared is None:
        raise typer.BadParameter(f"{config_path(config)} has no section shared: docs/shared-ledger.md")
    if not loaded.ledger.is_file():
        raise typer.BadParameter(f"there is no ledger at {loaded.ledger}: a new one needs no join")
    say(f"{loaded.ledger}: from now on it opens only as station {loaded.station.name} of the shared ledger.")
    if not yes and sys.stdin.isatty():
        typer.confirm("Go on?", abort=True)
    with owned(dsn) as connection:
        asyncio.run(_join(loaded, loaded.shared, connection))
    say("the ledger has joined, and the centre knows its units")


async def _join(config: Config, section: SharedSection, connection: "Session") -> None:
    from station.adapters.centre.centre import Centre
    from station.adapters.centre.connection import Connection
    from station.adapters.ledger import Ledger
    from station.adapters.ledger.fleet_key_file import fleet_key
    from station.adapters.ledger.key_file import KeyUnusable
    from station.adapters.ledger.sharing import Shared
    from station.recipe.files import line_recipe

    try:
        fleet = fleet_key(section.fleet_key)
    except KeyUnusable as exc:
        raise control.CommandRefused(str(exc)) from exc
    shared, name = Shared(fleet, line_recipe.load(config).release, joining=True), config.station.name
    opening = Ledger.open(
        config.ledger,
        station=name,
        register=config.station.witness,
        key=config.secrets.key,
        only=True,
        shared=shared,
    )
    async with opening as ledger, Connection(section.dsn, name, deadline=section.deadline) as way:
        assert ledger.shared is not None
        await _register(ledger.shared, connection, name)
        await _enrol(ledger.shared, Centre(way), config.ledger, fleet.check)
        while left := await ledger.shared.join(UNITS_AT_ONCE):
            say(f"{counted(left, 'unit')} left", err=True)
        await _push(ledger.shared, Centre(way))


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
        say(f"a passcode that was forgotten: {counted(forgotten, 'unit')}; another unit may get the same one")
    if others:
        say(f"also units' of other stations: {counted(others, 'pair')}", err=True)


async def _enrol(ledger: "SharedLedger", centre: "Centre", path: Path, check: str) -> None:
    """Makes the ledger an incarnation of this station, unless it is one already."""
    from station.adapters.ledger.place import Place

    found = await ledger.standing()
    if found.must_enrol:
        place = json.dumps(asdict(Place.of(path)), sort_keys=True)  # as the daemon tells it
        asked, head = await ledger.begin_enrolment(place)
        await ledger.enrolled(await centre.enrol(asked, place, head), asked)
        found = await ledger.standing()
    if (word := await centre.hello(found.incarnation, found.lines + 1, found.tick, check)) is not Word.OK:
        raise control.CommandRefused(f"the centre answers {word.value}: another ledger is this station, or knows more")


async def _push(ledger: "SharedLedger", centre: "Centre") -> None:
    """Sends what the ledger has told, so that the centre burns the blocks of its serial numbers now."""
    found = await ledger.standing()
    sent, previous = found.acked, await ledger.hash_at(found.acked)
    while previous is not None and (lines := await ledger.unsent(sent, MOST_LINES)):
        cursor = await centre.push(found.incarnation, sent + 1, previous, lines)
        sent, previous = cursor.next_line - 1, cursor.head
        await ledger.acknowledged(sent)
        say(f"{counted(found.lines - sent, 'line')} to tell", err=True)
