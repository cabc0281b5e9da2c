# SPDX-License-Identifier: Apache-2.0
"""The command line: `development-pki serve` and `development-pki issued`."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from development_pki.attestation import Product
from development_pki.authority import issued_by, opened
from development_pki.directory import READY, DirectoryUnusable, write_private
from development_pki.faults import Fault, Faults
from development_pki.server import ESTServer, serving, tls_context
from development_pki.version import version

ENVIRONMENT_MISSING = 3  # typer exits with 2 for wrong usage, Python with 1 for a bug
FAULTS = "\n\n".join(f"{fault.name.lower()}: {fault.value}" for fault in Fault)

app = typer.Typer(
    help="A certificate authority for development: Matter attestation certificates with test vendor ids, over EST.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Directory = Annotated[Path, typer.Option("--dir", help="Keys, certificates, and the list of what was issued.")]


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"development-pki {version()}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Version.")] = False,
) -> None:
    """Options before the command."""


@app.command(epilog=f"Faults, for --fault, and as JSON for POST /fault while it runs:\n\n{FAULTS}")
def serve(
    directory: Directory,
    host: Annotated[Literal["127.0.0.1", "::1"], typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 0,
    vendor_id: Annotated[str, typer.Option(metavar="HEX", help="0xFFF1 to 0xFFF4.")] = "0xFFF1",
    product_id: Annotated[str, typer.Option(metavar="HEX", help="Any but 0.")] = "0x8004",
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME=TIMES", help="Fail on purpose; -1 times is for ever.")
    ] = None,
    retry_after: Annotated[int, typer.Option(min=0, metavar="SECONDS", help="What 202 and 503 ask for.")] = 1,
    date_offset: Annotated[
        int, typer.Option(metavar="SECONDS", help="Difference between the Date of answers and this computer's clock.")
    ] = 0,
) -> None:
    """Serve a directory, which is made at first start, until SIGINT or SIGTERM.

    Prints one line when it listens, and writes the same facts to ready.json.
    """
    faults = Faults()
    try:
        product = Product.numbered(int(vendor_id, 16), int(product_id, 16))
        faults.set({name: int(times or "1") for name, _, times in (text.partition("=") for text in fault or ())})
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        with opened(directory, product) as authority:
            _run(
                _serve(ESTServer(authority, faults, retry_after, timedelta(seconds=date_offset)), directory, host, port)
            )
    except (DirectoryUnusable, OSError) as exc:
        typer.echo(f"development-pki: {exc}", err=True)
        raise typer.Exit(ENVIRONMENT_MISSING) from exc


@app.command()
def issued(directory: Directory) -> None:
    """List what was issued: time, serial number, SHA-256 of the public key, subject, station."""
    try:
        entries = issued_by(directory)
    except OSError as exc:
        typer.echo(f"development-pki: {exc}", err=True)
        raise typer.Exit(ENVIRONMENT_MISSING) from exc
    for entry in entries:
        moment = datetime.fromtimestamp(entry["time"], UTC).isoformat(timespec="milliseconds")
        typer.echo("  ".join((moment, entry["serial_number"], entry["key_sha256"], entry["subject"], entry["station"])))


async def _serve(est: ESTServer, directory: Path, host: str, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    ready = directory / READY
    ready.unlink(missing_ok=True)  # left by a killed server
    async with serving(est, tls_context(directory), host, port) as url:
        write_private(ready, json.dumps({"url": url, "pid": os.getpid()}).encode())
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
    app()


if __name__ == "__main__":
    main()
