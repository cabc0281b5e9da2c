# SPDX-License-Identifier: Apache-2.0
"""The command line: `development-pki serve`, `development-pki issued` and `development-pki requests`."""

import asyncio
import gc
import json
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from development_pki.attestation import Product
from development_pki.authority import opened
from development_pki.directory import READY, DirectoryUnusable, write_private
from development_pki.faults import Fault, Faults, Place, change_from
from development_pki.lists import issued_with_fates, requests_with_answers
from development_pki.server import ESTServer, controlled, serving, tls_context
from development_pki.version import version

ENVIRONMENT_MISSING = 3  # typer exits with 2 for wrong usage, Python with 1 for a bug
FAULTS = "\n\n".join(
    f"{place.value}:\n\n" + "\n\n".join(f"{fault.label}: {fault.help}" for fault in Fault.at(place)) for place in Place
)
SWITCHES = f"""\
Switches, for --fault, and for POST /fault while it runs. A table of JSON sets them by name: {{"busy": 3}}, or with \
parameters {{"late": {{"times": -1, "seconds": 20}}}}. GET /fault tells how often each will still strike, and how often \
it has. Some make the port useless: ready.json names as `control` a second one that no switch touches.

{FAULTS}"""

app = typer.Typer(
    help="A certificate authority for development: Matter attestation certificates with test vendor ids, over EST.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Directory = Annotated[Path, typer.Option("--dir", help="Keys, certificates, and the list of what was issued.")]
JSON = Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")]
Entry = TypeVar("Entry")


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"development-pki {version()}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Version.")] = False,
) -> None:
    """Options before the command."""


@app.command(epilog=SWITCHES)
def serve(
    directory: Directory,
    host: Annotated[Literal["127.0.0.1", "::1"], typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 0,
    vendor_id: Annotated[str, typer.Option(metavar="HEX", help="0xFFF1 to 0xFFF4.")] = "0xFFF1",
    product_id: Annotated[str, typer.Option(metavar="HEX", help="Any but 0.")] = "0x8004",
    dac_vendor_id: Annotated[
        str | None, typer.Option(metavar="HEX", help="The vendor of PAI and DACs, if requests name another.")
    ] = None,
    dac_product_id: Annotated[
        str | None, typer.Option(metavar="HEX", help="The product of PAI and DACs, if requests name another.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=TIMES[,PARAMETER=VALUE…]", help="Set a switch of those below; -1 times is for ever."
        ),
    ] = None,
    retry_after: Annotated[int, typer.Option(min=0, metavar="SECONDS", help="What 202, 429 and 503 ask for.")] = 1,
    date_offset: Annotated[
        int, typer.Option(metavar="SECONDS", help="Difference between the Date of answers and this computer's clock.")
    ] = 0,
) -> None:
    """Serve a directory, which is made at first start, until SIGINT or SIGTERM.

    Prints one line when it listens, and writes the same facts to ready.json.
    """
    faults = Faults()
    try:
        asked = Product.numbered(int(vendor_id, 16), int(product_id, 16))
        product = Product.numbered(int(dac_vendor_id or vendor_id, 16), int(dac_product_id or product_id, 16))
        faults.set(dict(change_from(text) for text in fault or ()))
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        with opened(directory, product, asked) as authority:
            _run(
                _serve(ESTServer(authority, faults, retry_after, timedelta(seconds=date_offset)), directory, host, port)
            )
    except (DirectoryUnusable, OSError) as exc:
        typer.echo(f"development-pki: {exc}", err=True)
        raise typer.Exit(ENVIRONMENT_MISSING) from exc


@app.command()
def issued(directory: Directory, json_lines: JSON = False) -> None:
    """List what was issued: time, serial number, SHA-256 of the public key, request and its fate, subject, station."""
    for entry in _read(issued_with_fates, directory):
        if json_lines:
            typer.echo(json.dumps(entry))
            continue
        request = f"#{entry.get('request', 0)}"
        columns = (entry["serial_number"], entry["key_sha256"], request, entry["fate"], entry["subject"])
        typer.echo("  ".join((_moment(entry["time"]), *columns, entry["station"])))


@app.command()
def requests(directory: Directory, json_lines: JSON = False) -> None:
    """List the enrolments that came: number, time, SHA-256 of the public key, status, fate, serial numbers, station."""
    for entry in _read(requests_with_answers, directory):
        if json_lines:
            typer.echo(json.dumps(entry))
            continue
        serial_numbers = ",".join(entry["serial_numbers"]) or "-"
        columns = (entry["key_sha256"] or "-", str(entry["status"] or "-"), entry["fate"], serial_numbers)
        typer.echo("  ".join((f"#{entry['request']}", _moment(entry["time"]), *columns, entry["station"])))


def _read(reader: Callable[[Path], list[Entry]], directory: Path) -> list[Entry]:
    try:
        return reader(directory)
    except OSError as exc:
        typer.echo(f"development-pki: {exc}", err=True)
        raise typer.Exit(ENVIRONMENT_MISSING) from exc


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


async def _serve(est: ESTServer, directory: Path, host: str, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    ready = directory / READY
    ready.unlink(missing_ok=True)  # left by a killed server
    tls = tls_context(directory)
    async with serving(est, tls, host, port) as url, controlled(est, tls, host) as control:
        write_private(ready, json.dumps({"url": url, "control": control, "pid": os.getpid()}).encode())
        try:
            typer.echo(f"development-pki: ready at {url}")
            await stopped.wait()
        finally:
            ready.unlink(missing_ok=True)


def _run(main: Coroutine[None, None, None]) -> None:
    try:
        import uvloop
    except ImportError:  # uvloop does not exist for Windows
        asyncio.run(main)
    else:
        uvloop.run(main)


def main() -> None:
    """Runs the command line."""
    gc.freeze()  # what the imports made stays until the end: no collection need search it for garbage
    app()


if __name__ == "__main__":
    main()
