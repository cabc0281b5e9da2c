# SPDX-License-Identifier: Apache-2.0
"""Hotplug from udev: its database tells what is plugged in, its events what comes and goes. The one home of pyudev.

The events begin before the database is read, so none is missed in between. Where they overflow the socket's buffer, the
database is read again.
"""

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, Self

import pyudev
import structlog

from station.adapters.hotplug import arrivals
from station.adapters.hotplug.sightings import Sighting, judged
from station.adapters.hotplug.udev_devices import Node, UdevDevices
from station.adapters.system.descriptors import readable
from station.faults.resources import exhausted, named
from station.interfaces import BoardArrived, BoardLeft

log = structlog.get_logger()

AT_ONCE = 32  # events in one turn of the loop: each takes a tenth of a millisecond
TURNS = 20  # in a row, until no event waits; whoever sends events faster is no hub
GATHERED_FOR = 0.005  # seconds: a look costs with every board that is there, and a hub's come a millisecond apart
_SPARE = 8  # descriptors, more than libudev has open at a time
_PORTS = ("ttyACM*", "ttyUSB*")


class Overflowed(Exception):
    """The kernel has thrown events away, since nobody took them in time."""


@dataclass(frozen=True, slots=True)
class Event:
    """`node` came or was changed; None if it went, or is nothing for us. `since` is 0 where udev does not tell it."""

    path: str
    since: int
    node: Node | None
    gone: bool

    @classmethod
    def of(cls, action: str, properties: Mapping[str, str]) -> Self:
        """An `unbind` tells nothing of what is plugged in, and comes when a device's attributes may be gone already."""
        return cls(
            properties.get("DEVPATH", ""),
            int(properties.get("USEC_INITIALIZED", "0")),
            None if action in {"remove", "unbind"} else Node.of(properties),
            gone=action == "remove",
        )


class Events(Protocol):
    """udev's events and its database."""

    def fileno(self) -> int:
        """A descriptor that can be read when there is an event, or an overflow."""

    def take(self) -> Event | None:
        """The next event, None if none waits; raises `Overflowed`."""

    def found(self) -> list[Node]:
        """What is in the database; called in a thread."""


class UdevHotplug:
    """Boards that come and go at this machine's USB ports."""

    def __init__(self, events: Events) -> None:
        self._udev = events
        self._devices = UdevDevices()
        self._is_incomplete = True
        self._is_untold = False
        self._told: dict[str, Sighting] = {}
        self._events: deque[BoardArrived | BoardLeft] = deque()

    async def next(self) -> BoardArrived | BoardLeft:
        """The next board to arrive or leave; those that are there at the start arrive first."""
        while not self._events:
            if self._is_incomplete:
                # a thread, since every device takes a file or two
                self._devices.replace(await asyncio.to_thread(self._udev.found))
                self._is_incomplete = False
            elif not self._is_untold:  # else a cancellation came after the events were taken
                await readable(self._udev.fileno())
            self._is_untold = True
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHERED_FOR):
                    await self._take()
                    while not self._is_incomplete:
                        await readable(self._udev.fileno())
                        await self._take()
            if not self._is_incomplete:
                self._is_untold = False
                self._told, news = arrivals.news(self._told, self._devices.sightings())
                self._events.extend(news)
        return self._events.popleft()

    async def _take(self) -> None:
        """Takes the waiting events.

        After an overflow the kernel throws all others away, too, until none waits: so the database is read only then.
        """
        for _ in range(TURNS):
            for _ in range(AT_ONCE):
                try:
                    event = self._udev.take()
                except Overflowed:
                    log.warning("hotplug.overflowed")
                    self._is_incomplete = True
                    continue
                if event is None:
                    return
                if event.node is not None:
                    self._devices.add(event.node)
                elif event.gone:
                    self._devices.remove(event.path, event.since)
            await asyncio.sleep(0)


@asynccontextmanager
async def watching() -> AsyncIterator[UdevHotplug]:
    """The hotplug source of this machine, for the block."""
    with ExitStack() as stack:
        with named("listen to udev"):
            monitor = stack.enter_context(_Monitor())
        yield UdevHotplug(monitor)


def boards_now() -> dict[str, BoardArrived]:
    """The boards that are there, by their USB ports, as `links.boards_in` tells them."""
    devices = UdevDevices()
    devices.replace(_found())
    return arrivals.boards(judged(devices.sightings()))


class _Monitor:
    """pyudev's monitor, which owns the socket; it closes it with the last reference, which is the one here."""

    def __init__(self) -> None:
        self._monitor = pyudev.Monitor.from_netlink(pyudev.Context())
        self._monitor.filter_by("tty")
        self._monitor.filter_by("usb", "usb_device")
        self._monitor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self._monitor

    def fileno(self) -> int:
        return int(self._monitor.fileno())

    def take(self) -> Event | None:
        try:
            device = self._monitor.poll(timeout=0)
        except OSError as exc:
            raise self._meaning(exc) from exc
        return None if device is None else Event.of(device.action, device.properties)

    def _meaning(self, exc: OSError) -> Exception:
        """pyudev tells that the socket has an error, and not which; it stays until somebody asks for it."""
        with named("listen to udev"), socket.socket(fileno=os.dup(self._monitor.fileno())) as same:
            number = exc.errno or same.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number == errno.ENOBUFS:
            return Overflowed()
        return exhausted("listen to udev", OSError(number, os.strerror(number))) or exc

    @staticmethod
    def found() -> list[Node]:
        return _found()


def _found() -> list[Node]:
    """The nodes in udev's database. For want of a descriptor libudev passes devices over, and all boards would seem to have left."""
    with named("read udev's database"):
        _have_descriptors()
        context = pyudev.Context()
        ports = context.list_devices(subsystem="tty")
        for name in _PORTS:
            ports.match_sys_name(name)
        devices = chain(context.list_devices(subsystem="usb", DEVTYPE="usb_device"), ports)
        nodes = [node for device in devices if (node := Node.of(device.properties)) is not None]
        _have_descriptors()
    return nodes


def _have_descriptors() -> None:
    """Raises an OSError if there are none."""
    with ExitStack() as stack:
        for _ in range(_SPARE):
            stack.callback(os.close, os.open("/", os.O_RDONLY | os.O_CLOEXEC))
