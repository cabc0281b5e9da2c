# SPDX-License-Identifier: Apache-2.0
"""Probes and serial ports: which are there, who holds them, and how the USB tree is built. Nothing is opened."""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from station.adapters.hotplug import sources, usb_devices
from station.adapters.system import usb_access
from station.config.line import Config
from station.doctor import usb_power
from station.doctor.finding import Finding, advice, bad, good, unknown
from station.faults import Fault
from station.interfaces import BoardArrived

DEEPEST = 5  # hubs between a device and its controller, by the USB specification
ENDPOINTS = 96  # that a common xHCI controller has for all its devices

_DEVICE = re.compile(r"(?P<bus>\d+)-(?P<ports>\d+(?:\.\d+)*)$")


def findings(config: Config, *, runs: bool, proc: Path = Path("/proc")) -> Iterator[Finding]:
    """The checks of what is plugged in."""
    try:
        boards = sources.boards_now(config.hotplug)
    except (Fault, OSError) as exc:
        yield unknown("probes", f"What is plugged in cannot be seen: {exc}.")
        boards = {}
    else:
        yield _probes(config, boards)
    yield from _ports(config, boards, proc, runs=runs)
    devices = usb_devices.beside(config.hotplug.links) / "bus" / "usb" / "devices"
    yield _tree(devices)
    yield from usb_power.findings(devices)


def _probes(config: Config, boards: Mapping[str, BoardArrived]) -> Finding:
    refused = [f"{path}: {board.refused}" for path, board in boards.items() if board.refused]
    if refused:
        return bad("probes", f"{'; '.join(refused)}.", "Exchange that probe, or plug it in again.")
    filled = sum(slot.path in boards for slot in config.slot)
    others = len(boards) - filled
    elsewhere = f"; {others} probes are at places that are no slot" if others else ""
    text = f"{filled} of {len(config.slot)} slots have a probe with a serial port{elsewhere}."
    if others and not filled:
        return bad("probes", text, "Compare the slots' paths with `station ports`.")
    return good("probes", text)


def _ports(config: Config, boards: Mapping[str, BoardArrived], proc: Path, *, runs: bool) -> Iterator[Finding]:
    sysfs, nodes = (
        usb_devices.beside(config.hotplug.links) / "class" / "tty",
        config.hotplug.links.parent / "bus" / "usb",
    )
    denied = [board.tty for board in boards.values() if not os.access(board.tty, os.R_OK | os.W_OK)]
    denied += [
        f"the probe of {board.tty}"
        for board in boards.values()
        if usb_access.of_probe(board.tty, sysfs, nodes) is usb_access.Access.DENIED
    ]
    if denied:
        yield bad(
            "access",
            f"This account may not use {', '.join(denied)}.",
            "Add it to the groups dialout and plugdev, and install the udev rules.",
        )
    elif boards:
        yield good("access", "This account may use every port and every probe.")
    ours = {os.path.realpath(board.tty) for board in boards.values()}
    held, hidden = _holders(ours, proc)
    if held and not runs:
        yield bad("ports", f"{'; '.join(held)}.", "End that program: the station needs the port alone.")
    elif hidden and ours and os.geteuid() != 0:
        yield unknown("ports", "Ports that programs of other accounts hold cannot be seen.", "Run the doctor as root.")
    else:
        yield good("ports", "The running daemon has the ports." if runs else "No other program holds a port.")


def _holders(ttys: set[str], proc: Path) -> tuple[list[str], int]:
    """Who holds which port; and how many processes cannot be looked into."""
    held, hidden = list[str](), 0
    for process in proc.glob("[0-9]*"):
        try:
            descriptors = list((process / "fd").iterdir())
            name = (process / "comm").read_text().strip()
        except PermissionError:
            hidden += 1
            continue
        except OSError:  # the process has ended
            continue
        open_files = set[str]()  # a terminal's program has its port three times
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                open_files.add(str(descriptor.readlink()))
        held += [f"{name} (process {process.name}) holds {tty}" for tty in sorted(ttys & open_files)]
    return held, hidden


def _tree(devices: Path) -> Finding:
    """Depth of the hubs, and endpoints a controller, from sysfs."""
    try:
        found = [(path, match) for path in devices.iterdir() if (match := _DEVICE.match(path.name))]
        buses = Counter(match["bus"] for _, match in found)
        endpoints = Counter[str]()
        for path, match in found:
            endpoints[match["bus"]] += len(list(path.glob("ep_*"))) + len(list(path.glob("*/ep_*")))
    except OSError as exc:
        return unknown("USB topology", f"{devices} cannot be read: {exc.strerror}.")
    if not found:
        return unknown("USB topology", f"{devices} shows no USB device.")
    deepest = max(match["ports"].count(".") for _, match in found)
    text = ", ".join(
        f"bus {bus} has {number} devices with {endpoints[bus]} endpoints" for bus, number in sorted(buses.items())
    )
    text = f"{text}; the deepest device is behind {deepest} hubs."
    if deepest > DEEPEST:
        return bad("USB topology", text, f"Plug hubs closer to the PC: {DEEPEST} in a row are allowed.")
    if max(endpoints.values()) > ENDPOINTS:
        return advice("USB topology", text, f"Spread the probes over controllers: many end at {ENDPOINTS} endpoints.")
    return good("USB topology", text)
