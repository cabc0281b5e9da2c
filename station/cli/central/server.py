# SPDX-License-Identifier: Apache-2.0
"""`station central init`, `upgrade`, `status`, `accept-restore`, `open` and `partitions`: the database itself."""

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from station.cli.central.connected import OwnerOption, ReaderOption, asked, owned, say_left
from station.cli.central.rows import values
from station.cli.central.stations import YesOption
from station.cli.consoles import say, say_json, styled, wide_console
from station.cli.exit_codes import FAILED
from station.cli.ledger.questions import JsonOption, counted, local
from station.cli.places import ConfigOption


def init(dsn: OwnerOption = None) -> None:
    """Make the centre's tables in an empty database, and its roles; may be given again.

    What this role may not do itself is printed as SQL, for whoever may: then exits 1. Give the command again afterwards.
    """
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        left = administration.init(connection)
    say_left(left)
    say("the centre is ready: add lots and stations, and approve a release")


def upgrade(dsn: OwnerOption = None) -> None:
    """Bring the centre's tables to this version, before the stations.

    If that changes them, stations of the version before go on with what they hold until they are upgraded, too.
    """
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        before, after = administration.upgrade(connection)
    say(
        f"the centre has schema {after} already"
        if before == after
        else f"the centre has schema {after}, and had {before}"
    )


def status(dsn: ReaderOption = None, config: ConfigOption = None, json_wanted: JsonOption = False) -> None:
    """Show the centre: version, since when it runs, whether it gives serial numbers, and what waits for a person.

    Exits 1 while it gives none.
    """
    with asked(dsn, config) as connection:
        from station.adapters.centre import administration
        from station.adapters.centre.caller import WAIT

        found = administration.standing(connection)
    closed = found.frozen is not None or not found.same_server
    if json_wanted:
        say_json(values(found))
    else:
        console, now = wide_console(), datetime.now(UTC)
        console.print(f"schema {found.revision}  PostgreSQL {found.server_version}  up since {local(found.started_at)}")
        gives: tuple[object, str] = ("gives serial numbers", "green")
        if closed:
            why = found.frozen or "the server was restored, promoted or replaced"
            gives = (f"gives none: {why}: station central accept-restore", "red")
        elif found.open_from < found.started_at and now < (opens := found.started_at + timedelta(minutes=WAIT)):
            gives = (f"gives none until {local(opens)}, or station central open", "yellow")
        console.print(styled(gives, f"  tick {found.tick}"))
        console.print(
            f"{counted(found.stations, 'station')}, {counted(found.lots, 'lot')}, {counted(found.units, 'unit')}"
        )
        if found.anomalies:
            waits = f"{found.anomalies} anomalies wait for a person", "yellow"
            console.print(styled(waits, ": station central anomalies list"))
    if closed:
        raise typer.Exit(FAILED)


def accept_restore(
    skip: Annotated[
        int, typer.Option("--skip", min=0, metavar="N", help="Blocks of 256 serial numbers to burn, of every lot.")
    ],
    yes: YesOption = False,
    dsn: OwnerOption = None,
) -> None:
    """Let a centre that was set back give serial numbers again, and burn the next N blocks of every lot.

    Stations may have got them after the backup: each of their journals tells which, once it has been pushed. Skip too many
    rather than too few: a serial number that is skipped is only lost, one that is given twice is in two units.
    """
    say(f"The next {counted(skip, 'block')} of every lot are burned for ever: {256 * skip} serial numbers of each.")
    if not yes and sys.stdin.isatty():
        typer.confirm("Go on?", abort=True)
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        done = administration.accept_restore(connection, skip)
    for lot, blocks in sorted(done.lots.items()):
        say(f"lot {lot}: {counted(blocks, 'block')} skipped")
    say("the centre gives serial numbers again")


def open_now(dsn: OwnerOption = None) -> None:
    """Let a centre give serial numbers now, which has started within the last ten minutes.

    The ten minutes are there so that a station can tell that the centre was set back. Wait rather than run this if its
    files may have come from a backup.
    """
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        administration.open_now(connection)
    say("the centre gives serial numbers from now on")


def partitions(
    detach: Annotated[
        datetime | None,
        typer.Option(
            "--detach-before",
            formats=["%Y-%m-%d"],
            help="Detach those that end before this day, to be archived and dropped.",
            show_default=False,
        ),
    ] = None,
    months: Annotated[int, typer.Option("--months", min=1, max=120, help="Make those of so many months ahead.")] = 3,
    dsn: OwnerOption = None,
    json_wanted: JsonOption = False,
) -> None:
    """Make the partitions of the coming months, and list all: run it monthly, or have pg_partman do so.

    Units, identities, certificates and pairs are in none: they stay for ever.
    """
    with owned(dsn) as connection:
        from station.adapters.centre import partitions as centre

        made = centre.made(connection, months)
        gone = centre.detach(connection, detach.date()) if detach is not None else []
        found = sorted(centre.partitions(connection), key=lambda each: (each.table, each.name))
    if json_wanted:
        say_json({"made": list(made), "detached": list(gone), "partitions": [values(each) for each in found]})
        return
    table = Table("table", "partition", "since", "until", "MB", box=None, header_style="bold")
    for each in found:
        size = f"{each.bytes / 1e6:.1f}"
        table.add_row(each.table, each.name, _day(each.since), _day(each.until), size)
    console = wide_console()
    console.print(table)
    for name in made:
        console.print(f"made {name}")
    for name in gone:
        console.print(f"detached {name}: archive it with pg_dump, then drop it")


def _day(moment: datetime | date | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}"
