# SPDX-License-Identifier: Apache-2.0
"""`station central stations`, `retire` and `join`: who shares the ledger."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from station.cli.central.connected import OwnerOption, owned, say_left
from station.cli.central.rows import values
from station.cli.consoles import say, say_json, wide_console
from station.cli.ledger.questions import JsonOption, counted
from station.domain.ago import ago

LATE = 10_000  # ms: a station's clock that is ahead by more is shown

app = typer.Typer(help="The stations that share the ledger.", no_args_is_help=True)

StationName = Annotated[str, typer.Argument(metavar="NAME", help="The station's name, as its [station] name.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Ask nothing.")]


@app.command("list")
def list_stations(dsn: OwnerOption = None, json_wanted: JsonOption = False) -> None:
    """List all stations: their database role, when the centre heard of each, and what each holds."""
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        found = sorted(administration.stations(connection), key=lambda station: station.name)
    if json_wanted:
        say_json({"stations": [values(station) for station in found]})
        return
    columns = ("station", "role", "incarnation", "heard", "lines", "blocks", "items left", "clock")
    table = Table(*columns, box=None, header_style="bold")
    now = datetime.now(UTC)
    for station in found:
        state = "retired" if station.retired else "closed" if station.closed else ""
        incarnation = f"{station.incarnation or ''}{state and f' ({state})'}"
        ahead = station.skew_ms or 0
        clock = f"{ahead / 1000:.0f} s ahead" if ahead > LATE else ""
        numbers = map(str, (station.lines, station.blocks_held, station.items_left))
        table.add_row(station.name, station.db_role, incarnation, ago(station.heard_at, now), *numbers, clock)
    wide_console().print(table if found else "There is no station yet: station central stations add")


@app.command()
def add(
    name: StationName,
    role: Annotated[str, typer.Option("--role", help="The database role that the station logs in with.")],
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            help="The public half of its signing key (Ed25519, PEM), for audits of what it signs.",
            show_default=False,
        ),
    ] = None,
    dsn: OwnerOption = None,
) -> None:
    """Add a station, which proves itself by its database role; the role is made if there is none.

    Its client certificate or password is the database's matter. What this role may not do itself is printed as SQL, for
    whoever may: then exits 1.

    Example: station central stations add line-3 --role line_3
    """
    key = None if public_key is None else _public_key(public_key)
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        left = administration.add_station(connection, name, role, key)
    say_left(left)
    say(f"station {name} may log in as {role}")


def retire(name: StationName, yes: YesOption = False, dsn: OwnerOption = None) -> None:
    """Give a station up that will never come back: what it holds is burned, and its units may go on elsewhere.

    What it has not told is lost, so boards that it worked on then end as unit.elsewhere on other stations. If it comes back
    after all, it becomes a new incarnation without serial numbers.
    """
    say(f"The serial numbers and passcodes that {name} holds are burned for ever.")
    if not yes and sys.stdin.isatty():
        typer.confirm("Go on?", abort=True)
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        gone = administration.retire(connection, name)
    say(
        f"station {name} is retired: {counted(gone.blocks, 'block')} burned, {counted(gone.incarnations, 'incarnation')} closed"
    )


def _public_key(file: Path) -> bytes:
    """The 32 bytes of an Ed25519 public key in PEM; wrong usage if the file has none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(file.read_bytes())
    except OSError as exc:
        raise typer.BadParameter(f"{file}: cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise typer.BadParameter(f"{file}: found no public key in PEM; openssl pkey -in KEY -pubout makes one") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise typer.BadParameter(
            f"{file}: found another key than Ed25519; openssl genpkey -algorithm ed25519 makes one"
        )
    return key.public_bytes_raw()
