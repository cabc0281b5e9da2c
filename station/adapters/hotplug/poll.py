# SPDX-License-Identifier: Apache-2.0
"""Hotplug by a look at all serial ports once a second, for Windows and macOS; pyserial tells of each what it is.

A board that left and came back between two looks shows only where its port has another inode; a probe without a serial
port does not show at all.
"""

import asyncio
import os
import re
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import Self

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from station.adapters.hotplug import arrivals
from station.adapters.hotplug.sightings import Link, Sighting, judged, sighted
from station.adapters.hotplug.usb_devices import USBDevice, USBDevices
from station.faults.resources import named
from station.interfaces import BoardArrived, BoardLeft

EVERY = 1.0
AGAIN_AFTER = 0.1
_PCI = re.compile(r"/([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])/usb\d+/(?:[^/]+/)*\d+-([\d.]+)$")


@dataclass(frozen=True, slots=True)
class Port:
    """One serial port of a USB device. `inode` mostly differs from that of the port that had its name before."""

    tty: str
    place: str
    vendor: str
    serial_number: str
    inode: int

    @classmethod
    def of(cls, info: ListPortInfo) -> Self | None:
        """None for a port that is not of a USB device, or whose place nobody knows."""
        location = (info.location or "").partition(":")[0]  # behind it is the interface
        if info.vid is None or not location:
            return None
        inode = 0
        with suppress(OSError):  # Windows shows no file, or the port has gone
            inode = os.stat(info.device).st_ino  # noqa: PTH116
        place = place_of(getattr(info, "usb_device_path", None) or "", location)
        return cls(info.device, place, f"{info.vid:04x}", info.serial_number or "", inode)


def place_of(sysfs: str, location: str) -> str:
    """The USB port: as udev spells it where Linux's sysfs shows a PCI controller, elsewhere by pyserial's location."""
    if match := _PCI.search(sysfs):
        return f"pci-{match[1]}-usb-0:{match[2]}"
    return f"usb-{location}"


def sightings(ports: Iterable[Port]) -> dict[str, Sighting]:
    """One sighting for each USB port with a serial port."""
    links = defaultdict[str, list[Link]](list)
    devices: dict[str, USBDevice] = {}
    of_tty: dict[str, USBDevice] = {}
    for port in ports:
        links[port.place].append(Link(port.tty, port.inode, port.tty))
        device = devices.setdefault(port.place, USBDevice(port.place, port.vendor, port.serial_number))
        of_tty[PurePath(port.tty).name] = device
    return sighted(links, {}, USBDevices(known=True, of_tty=of_tty, of_st=[]))


class PollHotplug:
    """Boards that come and go, as one look after the other shows them."""

    def __init__(self) -> None:
        self._told: dict[str, Sighting] = {}
        self._events: deque[BoardArrived | BoardLeft] = deque()
        self._look_at = 0.0

    async def next(self) -> BoardArrived | BoardLeft:
        """The next board to arrive or leave; those that are there at the start arrive first."""
        loop = asyncio.get_running_loop()
        while not self._events:
            await asyncio.sleep(self._look_at - loop.time())
            found = await asyncio.to_thread(_found)
            self._look_at = loop.time() + EVERY
            if found is not None:
                self._told, news = arrivals.news(self._told, found)
                self._events.extend(news)
        return self._events.popleft()


@asynccontextmanager
async def watching() -> AsyncIterator[PollHotplug]:
    """The hotplug source of this machine, for the block."""
    yield PollHotplug()


def boards_now() -> dict[str, BoardArrived]:
    """The boards that are there, by their USB ports."""
    while (found := _found()) is None:
        time.sleep(AGAIN_AFTER)
    return arrivals.boards(judged(found))


def _found() -> dict[str, Sighting] | None:
    """None if a port went while pyserial looked at it: then it trips over attributes that are not there."""
    with named("list the serial ports"):
        try:
            infos = list_ports.comports()
        except TypeError:
            return None
    return sightings(port for info in infos if (port := Port.of(info)) is not None)
