# SPDX-License-Identifier: Apache-2.0
"""`station central lots` and `approve`: the serial numbers that the centre gives, and for which releases."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from station.cli.central.connected import OwnerOption, owned
from station.cli.central.rows import cell, values
from station.cli.consoles import say, say_json, wide_console
from station.cli.exit_codes import FAILED
from station.cli.ledger.questions import JsonOption
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration

_RELEASE = re.compile(r"[0-9a-fA-F]{64}")

app = typer.Typer(help="Lots, whose serial numbers the centre gives to stations in blocks.", no_args_is_help=True)


@app.command("list")
def list_lots(dsn: OwnerOption = None, json_wanted: JsonOption = False) -> None:
    """List all lots: their serial numbers, how many stations have got, and the releases that may use them."""
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        found = sorted(administration.lots(connection), key=lambda lot: lot.name)
    if json_wanted:
        say_json({"lots": [values(lot) for lot in found]})
        return
    columns = ("lot", "serial numbers", "first", "size", "given", "left", "releases")
    table = Table(*columns, box=None, header_style="bold")
    for lot in found:
        releases = " ".join(release[:12] for release in lot.releases) or "none: station central approve"
        left = max(0, lot.size - lot.next_block * lot.grid)
        numbers = (lot.first, lot.size, lot.size - left, left)
        table.add_row(lot.name, lot.serial_format, *map(cell, numbers), releases)
    wide_console().print(table if found else "There is no lot yet: station central lots add")


@app.command()
def add(
    lot: Annotated[str, typer.Argument(metavar="LOT", help="The lot's name, as recipe or work order have it.")],
    pattern: Annotated[str, typer.Option("--format", help="Serial numbers, such as LIGHT-{:06d}.")],
    first: Annotated[int, typer.Option("--first", min=0, help="The number of the first unit.")],
    size: Annotated[int, typer.Option("--size", min=1, help="How many serial numbers, in whole blocks of 256.")],
    dsn: OwnerOption = None,
) -> None:
    """Add a lot. Its serial numbers are its own for ever: no other lot may have one of them.

    Format and first number are those of the stations' recipe or work order. Example: station central lots add LOT-7
    --format LIGHT-{:07d} --first 1 --size 1048576
    """
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        administration.add_lot(connection, lot, pattern, first, size)
    say(f"lot {lot}: {size} serial numbers from {first}; stations get them after station central approve RELEASE --lot")


def approve(
    release: Annotated[
        str | None,
        typer.Argument(metavar="RELEASE", help="A release's hash, 64 hexadecimal digits.", show_default=False),
    ] = None,
    lot: Annotated[
        str | None, typer.Option("--lot", help="For this lot alone, instead of every lot.", show_default=False)
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            help="Computes the hash of this recipe with its files, under the PAI and PAA of the configuration.",
            show_default=False,
        ),
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Give no more numbers for it. Stations still use those that they hold.")
    ] = False,
    dsn: OwnerOption = None,
    config: ConfigOption = None,
) -> None:
    """Let stations make units of a release: its recipe, images, wireless stack, declaration, PAI and PAA.

    `station status` shows the release that a station runs. Whoever approves one has compared it with the released files.

    Examples: station central approve --recipe recipe.toml --lot LOT-7; station central approve 5f2c… (64 digits)
    """
    if (release is None) == (recipe is None):
        raise typer.BadParameter("give either RELEASE, or --recipe FILE, which computes it")
    wanted = _release_of(recipe, config) if recipe is not None else _checked(release or "")
    with owned(dsn) as connection:
        from station.adapters.centre import administration

        lots = (administration.revoke if withdraw else administration.approve)(connection, wanted, lot)
    names = ", ".join(sorted(lots))
    if not withdraw:
        say(f"release {wanted} may be made in {names}")
    elif names:
        say(f"release {wanted} gets no more numbers in {names}")
    else:
        say(f"release {wanted} is approved nowhere", err=True)
        raise typer.Exit(FAILED)


def _checked(release: str) -> str:
    if not _RELEASE.fullmatch(release):
        raise typer.BadParameter(
            f"{release!r} is no release: it has 64 hexadecimal digits, as `station status` shows it"
        )
    return release.lower()


def _release_of(recipe: Path, config: Path | None) -> str:
    """The hash of a recipe under the trust anchors of the configuration; raises `ConfigurationInvalid`."""
    from station.recipe.files import line_recipe
    from station.recipe.recipe import Recipe

    file = config_path(config)
    pki = configuration.load(file).pki
    loaded = line_recipe.loaded(recipe, pki.pai if pki else None, pki.paa if pki else None, file)
    if not isinstance(loaded, Recipe):
        raise typer.BadParameter(f"{recipe} is a laboratory's recipe, which makes no units")
    return loaded.release
