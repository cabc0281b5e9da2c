# SPDX-License-Identifier: Apache-2.0
"""Real events through a real netlink socket, more than it takes; run by `private_udev.sh`, where no other udev is.

The messages are udevd's: a header with the hashes of subsystem and kind, which the kernel's filter looks at, and properties.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Mapping
from contextlib import closing

import uvloop

from station.adapters.hotplug import udev
from station.interfaces import BoardLeft
from tests.hotplug.umockdev import CONTROLLER, ST, port

NETLINK_KOBJECT_UEVENT = 15
UDEVS = 2  # the group that udevd sends to
WITHIN = 200


def murmur2(text: str) -> int:
    """The hash that libudev makes of subsystem and kind."""
    data, factor, mask = text.encode(), 0x5BD1E995, 0xFFFFFFFF
    result = len(data)
    while len(data) >= 4:
        part = int.from_bytes(data[:4], "little") * factor & mask
        result = result * factor & mask ^ ((part ^ part >> 24) * factor & mask)
        data = data[4:]
    if data:
        result = (result ^ int.from_bytes(data, "little")) * factor & mask
    result = (result ^ result >> 13) * factor & mask
    return result ^ result >> 15


class Udevd:
    """Sends what udevd would send."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT)
        self._socket.bind((0, 0))
        self._events = 0

    def plugs(self, number: int, serial_number: str) -> None:
        path = f"{CONTROLLER}/usb1/1-1/1-1.{number}"
        common = {"ID_VENDOR_ID": ST, "ID_SERIAL_SHORT": serial_number}
        self._send({"DEVPATH": path, "SUBSYSTEM": "usb", "DEVTYPE": "usb_device", "ID_PATH": port(number), **common})
        path += f"/1-1.{number}:1.2/tty/ttyACM{number}"
        node = {"DEVNAME": f"/dev/ttyACM{number}", "ID_PATH": f"{port(number)}:1.2"}
        self._send({"DEVPATH": path, "SUBSYSTEM": "tty", **node, **common})

    def close(self) -> None:
        self._socket.close()

    def _send(self, properties: Mapping[str, str]) -> None:
        self._events += 1
        numbers = {"ACTION": "add", "SEQNUM": str(self._events), "USEC_INITIALIZED": str(self._events)}
        body = b"".join(f"{key}={value}\0".encode() for key, value in {**numbers, **properties}.items())
        sizes = struct.pack("=III", 40, 40, len(body))
        kind = murmur2(properties["DEVTYPE"]) if "DEVTYPE" in properties else 0
        hashes = struct.pack(">IIII", murmur2(properties["SUBSYSTEM"]), kind, 0, 0)
        self._socket.sendto(b"libudev\0" + struct.pack(">I", 0xFEEDCAFE) + sizes + hashes + body, (0, UDEVS))


def make_small() -> None:
    """Gives the monitor's socket a buffer for few events."""
    for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            same = socket.socket(fileno=os.dup(int(descriptor)))
        except OSError:
            continue  # no socket
        with same:
            if same.family == socket.AF_NETLINK:
                same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


async def main() -> None:
    """A board arrives, thousands of events overflow, and the next board arrives again."""
    async with udev.watching() as hotplug, asyncio.timeout(WITHIN):
        with closing(Udevd()) as udevd:
            make_small()
            udevd.plugs(1, "066A")
            assert (await hotplug.next()).path == port(1)
            waiting = asyncio.ensure_future(hotplug.next())
            await asyncio.sleep(0)  # it waits at the socket now
            for _ in range(1000):
                udevd.plugs(2, "066B")
            assert await waiting == BoardLeft(port(1)), "the database, which has no such board, was not read"
            udevd.plugs(3, "066C")
            assert (await hotplug.next()).path == port(3), "the source is deaf"


if __name__ == "__main__":
    uvloop.run(main())
