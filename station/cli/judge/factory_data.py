# SPDX-License-Identifier: Apache-2.0
"""`station factory-data`: makes the bytes for flash from ST's JSON, and shows such bytes."""

import json
from pathlib import Path
from typing import Annotated

import typer

from station.cli.consoles import say, say_json_rows
from station.cli.exit_codes import FAILED, USAGE
from station.cli.judge.inputs import read_file
from station.config import whole_file
from station.factory_data import device_information, flat_tlv, st_json
from station.factory_data.flat_tlv import FORMS, SECRET, FactoryData, Number, Octets, Tag, Text
from station.faults.line import FactoryDataInvalid

_SHOWN_OCTETS = 24

app = typer.Typer(help="Build and show ST factory data.", no_args_is_help=True)

ExistingFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]


@app.command()
def build(
    source: ExistingFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write, mode 0600.")],
    lenient: Annotated[bool, typer.Option("--lenient", help="Ignore unknown names, as ST's tool does.")] = False,
) -> None:
    """Build the bytes for 0x901C0000 from ST's JSON."""
    reading = st_json.read(read_file(source), lenient=lenient)
    for warning in reading.warnings:
        say(f"{source}: {warning}; passed over", err=True)
    for mistake in reading.mistakes:
        say(f"{source}: {mistake}", err=True)
    if reading.mistakes:
        say(f"Nothing was written: correct {source} and build again.", err=True)
        raise typer.Exit(USAGE)
    for mistake in device_information.mistakes_in(reading.factory_data):
        say(f"{source}: {mistake}; built as it is, but Matter does not allow it", err=True)
    block = flat_tlv.encode(reading.factory_data)
    try:
        whole_file.write(output, block)
    except OSError as exc:
        say(f"{output}: cannot be written: {exc.strerror}", err=True)
        raise typer.Exit(FAILED) from exc
    say(f"{output}: {len(reading.records)} records, {len(block)} bytes")


@app.command()
def show(
    source: ExistingFile,
    as_json: Annotated[bool, typer.Option("--json", help="ST's JSON; with --reveal it can be built again.")] = False,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show passcode, keys, salt and verifier too.")] = False,
) -> None:
    """Show a block, a dump of its region, or a dump of the whole external flash from 0x90000000."""
    try:
        data = flat_tlv.decode(read_file(source))
    except FactoryDataInvalid as exc:
        say(f"{source}: {exc.place}: {exc.reason}", err=True)
        say("A block, or a dump from 0x901C0000 or 0x90000000, is expected.", err=True)
        raise typer.Exit(FAILED) from exc
    if as_json:
        say_json_rows(st_json.to_json(data, reveal=reveal))
        return
    for tag in sorted(data.records):
        size = f"{len(data.records[tag])} bytes"
        say(f"{tag:3}  {tag.name:30}  {size:>9}  {_described(data, tag, reveal=reveal)}")


def _described(data: FactoryData, tag: Tag, *, reveal: bool) -> str:
    value = data.records[tag]
    if tag in SECRET and not reveal:
        return st_json.hidden(tag, value)
    match FORMS[tag]:
        case Number():
            number = int.from_bytes(value, "little")
            return f"{number} (0x{number:X})"
        case Text():
            return json.dumps(value.decode(), ensure_ascii=False)
        case Octets():
            return value.hex() if reveal or len(value) <= _SHOWN_OCTETS else f"{value[:_SHOWN_OCTETS].hex()}…"
