# SPDX-License-Identifier: Apache-2.0
"""The USB devices and serial ports that udev has told of, kept up to date event by event. Pure.

Everything is taken from the events and from udev's database, nothing from sysfs: when an event is read, another device may
have the place and the name of the one that it is about. A device is paired with its serial port by their places in the
kernel's tree, whichever of the two comes first.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from station.adapters.hotplug.sightings import Link, Sighting, sighted
from station.adapters.hotplug.usb_devices import ST, USBDevice, USBDevices
from station.domain.usb_port import one_spelling, port_of

_INTERFACE = re.compile(r"/\d+-[\d.]+:\d+\.\d+(?=/)")  # `/1-1.4:1.2`, below its device `/1-1.4`


@dataclass(frozen=True, slots=True)
class Node:
    """A USB device, or a serial port of one, as udev describes it; `tty` is empty for a USB device.

    `number` and `since` (microseconds since the PC started) tell a device from the one that had its place before.
    """

    path: str
    device: str
    """The path of the USB device, which is its own or its port's."""
    tty: str
    number: str
    since: int
    place: str
    vendor: str
    serial_number: str
    arrival: int = field(default=0, compare=False)
    """Counts arrivals: an earlier node has a smaller one."""

    @classmethod
    def of(cls, properties: Mapping[str, str]) -> "Node | None":
        """None for anything else, and for what udev has not finished yet, of which it will tell later."""
        path, is_port = properties.get("DEVPATH", ""), properties.get("SUBSYSTEM") == "tty"
        since = properties.get("USEC_INITIALIZED", "")
        interfaces = list(_INTERFACE.finditer(path))
        is_usb = bool(interfaces) if is_port else properties.get("DEVTYPE") == "usb_device"
        if not is_usb or not since:
            return None
        place = properties.get("ID_PATH", "")
        return cls(
            path,
            path[: interfaces[-1].start()] if is_port else path,
            properties.get("DEVNAME", "") if is_port else "",
            f"{properties.get('MAJOR', '')}:{properties.get('MINOR', '')}",
            int(since),
            port_of(place) if is_port else one_spelling(place),
            properties.get("ID_VENDOR_ID", "").lower(),
            properties.get("ID_SERIAL_SHORT", ""),
        )

    def is_same(self, other: "Node") -> bool:
        """Whether it is one and the same from plugging in to pulling out, perhaps with other properties."""
        return (self.path, self.number, self.since) == (other.path, other.number, other.since)


class UdevDevices:
    """What is plugged in, as far as the events have told that were read."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._arrivals = 0

    def add(self, node: Node) -> None:
        """It came, or something about it has changed."""
        before = self._nodes.get(node.path)
        if before is None or not before.is_same(node):
            self._arrivals += 1
            arrival = self._arrivals
        else:
            arrival = before.arrival
        self._nodes[node.path] = replace(node, arrival=arrival)

    def remove(self, path: str, since: int) -> None:
        """It went, and all that was plugged into it; an event about its predecessor changes nothing."""
        known = self._nodes.get(path)
        if known is not None and since and known.since and since != known.since:
            return
        self._nodes = {
            other: node for other, node in self._nodes.items() if other != path and not other.startswith(f"{path}/")
        }

    def replace(self, nodes: Iterable[Node]) -> None:
        """What udev's database holds now: whatever else was known has gone. The oldest counts as the first arrival."""
        found = sorted(nodes, key=lambda node: node.since)
        paths = {node.path for node in found}
        self._nodes = {path: node for path, node in self._nodes.items() if path in paths}
        for node in found:
            self.add(node)

    def sightings(self) -> dict[str, Sighting]:
        """One sighting for each USB port with a serial port, in the order of arrival."""
        devices = {node.path: node for node in self._nodes.values() if not node.tty}
        behind = {path: USBDevice(str(node.arrival), node.vendor, node.serial_number) for path, node in devices.items()}
        ports: dict[str, list[Node]] = {}
        whole_at: dict[str, int] = {}
        for node in sorted(self._nodes.values(), key=lambda node: node.path):
            device = devices.get(node.device) if node.tty else None
            if device is not None and (place := node.place or device.place):
                ports.setdefault(place, []).append(node)
                arrival = max(node.arrival, device.arrival)
                whole_at[place] = min(arrival, whole_at.get(place, arrival))
        return sighted(
            {
                place: [Link(node.path, node.arrival, node.tty) for node in ports[place]]
                for place in sorted(ports, key=whole_at.__getitem__)
            },
            {},
            USBDevices(
                known=True,
                of_tty={_name(node.tty): behind[node.device] for nodes in ports.values() for node in nodes},
                of_st=[device for device in behind.values() if device.vendor == ST],
            ),
        )


def _name(tty: str) -> str:
    return tty.rpartition("/")[2]
