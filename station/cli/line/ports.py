# SPDX-License-Identifier: Apache-2.0
"""`station ports`: the probes and serial ports that are plugged in, without touching a target."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from station.adapters.board import tty
from station.adapters.hotplug import sources, usb_devices
from station.adapters.system import usb_access
from station.cli.consoles import say, say_json, wide_console
from station.cli.exit_codes import FAILED
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.config import toml_file
from station.config.environment import overridden
from station.config.sections import HotplugSection
from station.config.slot_tables import slot_tables
from station.daemon import control
from station.faults.slot import TTYUnavailable
from station.interfaces import BoardArrived

BAUDRATE = 115200
USABLE = "yes"
DAEMONS = "the daemon's"


@dataclass(frozen=True, slots=True)
class Port:
    """One probe with its serial port. `opens` and `probe_access` report whether this user may use them."""

    path: str
    slot: str | None
    probe: str
    tty: str
    opens: str
    probe_access: str
    refused: str | None

    @property
    def usable(self) -> bool:
        return self.opens in {USABLE, DAEMONS} and self.probe_access != usb_access.Access.DENIED and not self.refused


def ports(
    config: ConfigOption = None,
    devices: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which boards appear (default: the configuration's, or /dev/serial).", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List probes and ports: physical path, slot, and whether each can be opened. No target is touched.

    The daemon ignores boards at ports that are no slot. Ports that a running daemon serves are not opened. Exits 1 if one
    cannot be used.
    """
    line = _line(config, devices)
    links = HotplugSection(source="links", directory=devices.absolute() if devices else None)
    source = line.hotplug if line and not devices else links
    if source is not links:
        sources.check(source, config_path(config))
    folder, boards = source.links, sources.boards_now(source)
    slots = line.slots if line else {}
    served = set(slots) if line and _is_served(line.socket) else set[str]()
    found = asyncio.run(_looked_at(folder, boards, slots, served))
    if as_json:
        say_json({"ports": [asdict(port) for port in found]}, indent=1)
    elif found:
        wide_console().print(_table(found))
    else:
        by = folder if source.source == "links" else source.source
        say(f"No ST-LINK with a serial port is plugged in: {by} names none.")
    if not all(port.usable for port in found):
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Line:
    """What a line's file says of ports. All else may still be missing: whoever writes it looks here for the slots."""

    hotplug: HotplugSection
    slots: Mapping[str, str]
    socket: Path | None


def _line(given: Path | None, devices: Path | None) -> _Line | None:
    """None if there is no configuration."""
    path = config_path(given)
    if given is None and (devices is not None or not path.exists()):
        return None
    text, tables = toml_file.read(path)
    values = overridden(tables, os.environ)
    return _Line(
        configuration.hotplug_of(path, values, os.environ),
        {slot.place: slot.name for slot in slot_tables(path, text)},
        configuration.control_socket_of(path, values),
    )


def _is_served(socket: Path | None) -> bool:
    if socket is None:
        return False
    try:
        control.ask(socket, "status")
    except (control.DaemonAbsent, control.CommandRefused):
        return False
    return True


async def _looked_at(
    folder: Path, boards: Mapping[str, BoardArrived], slots: Mapping[str, str], served: set[str]
) -> list[Port]:
    """Checks all ports; returns them in the order of the hub's ports."""
    found = []
    sysfs, nodes = usb_devices.beside(folder) / "class" / "tty", folder.parent / "bus" / "usb"
    for path, board in sorted(boards.items()):
        found.append(
            Port(
                path=path,
                slot=slots.get(path),
                probe=board.probe,
                tty=board.tty,
                opens=DAEMONS if path in served else await _opens(board.tty),
                probe_access=usb_access.of_probe(board.tty, sysfs, nodes).value,
                refused=str(board.refused) if board.refused else None,
            )
        )
    return found


async def _opens(path: str) -> str:
    try:
        async with tty.opened(path, BAUDRATE):
            return USABLE
    except TTYUnavailable as fault:
        return f"no: {fault.reason}"


def _table(found: list[Port]) -> Table:
    table = Table("slot", Column("path", overflow="fold"), "probe", Column("port", overflow="fold"), "opens", "access")
    for port in found:
        probe = port.probe or "no serial number"
        remark = f"{port.opens}. {port.refused}" if port.refused else port.opens
        table.add_row(port.slot or "none", port.path, probe, port.tty, remark, port.probe_access)
    return table
