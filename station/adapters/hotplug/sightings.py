# SPDX-License-Identifier: Apache-2.0
"""Which boards are there, by links and by sysfs, and which of them cannot be told apart.

One board is one USB device: neither a serial port nor a link. udev keeps one link in by-id for two probes with one
serial number, and makes two links in by-path for one port. So devices are counted as the kernel shows them; links count
where it does not.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from station.adapters.hotplug import usb_devices
from station.adapters.hotplug.usb_devices import ST, USBDevice, USBDevices
from station.domain.usb_port import port_of
from station.faults import SlotFault
from station.faults.resources import exhausted
from station.faults.slot import ProbeDuplicate, ProbeUnidentified
from station.interfaces import BoardArrived

LONGEST_SERIAL_NUMBER = 126  # characters of a USB string descriptor
# ST's serial numbers are hexadecimal: the last word of `STM32_STLink` is none.
_NAMED = re.compile(
    f"usb-STMicroelectronics_.*_(?P<serial_number>[0-9A-Fa-f]{{1,{LONGEST_SERIAL_NUMBER}}})-if[0-9a-f]{{2}}"
)
_OF_ST = "usb-STMicroelectronics_"
_SERIAL_NUMBER = re.compile(f"[0-9A-Za-z]{{1,{LONGEST_SERIAL_NUMBER}}}")
_NEVER_OF_ST = "ttyUSB"  # a probe's port is a modem by its USB class, so it is a ttyACM


@dataclass(frozen=True, slots=True)
class Link:
    """A link in by-path, or what another source knows of a serial port at a USB port.

    Its inode mostly differs from that of an earlier link of the same name; inodes are reused.
    """

    name: str
    inode: int
    tty: str
    made: int = 0
    """Nanoseconds; of two links that were made within milliseconds of one another it may be the same."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One USB port with a serial port, as it was seen in one scan.

    `nameless`: it may be an ST-LINK without a known serial number.
    """

    board: BoardArrived
    links: Mapping[str, int]
    device: USBDevice | None
    nameless: bool
    others: frozenset[str] = field(default=frozenset())
    """The other USB devices and ports that have this serial number."""

    def stayed(self, later: "Sighting", touched: AbstractSet[str]) -> bool:
        """Whether the device has been there all the time until `later` was seen.

        `touched` are the links that events have named.
        """
        common = self.links.keys() & later.links.keys()
        if not common and self.device is None:
            return False  # the one link went, and the other came: nothing tells that the board has stayed
        return self.device == later.device and all(
            self.links[name] == later.links[name] and name not in touched for name in common
        )


@dataclass
class Memory:
    """The last look, for a source to which events tell every link that has changed since: no other is read again."""

    links: dict[str, Link] = field(default_factory=dict)
    """By their paths."""
    devices: USBDevices | None = None
    seen: dict[str, tuple[object, Sighting]] = field(default_factory=dict)
    """The sighting of each USB port, with what it was made of."""

    def forget(self, touched: AbstractSet[str]) -> None:
        """Forgets the links of these names."""
        self.links = {path: link for path, link in self.links.items() if link.name not in touched}

    def forget_all(self) -> None:
        self.links, self.devices, self.seen = {}, None, {}


def found(directory: Path, memory: Memory | None = None) -> dict[str, Sighting]:
    """One sighting for each USB port with a serial port, the oldest first; nothing is refused yet. Keeps the `memory` up to date."""
    known = memory or Memory()
    by_id, by_path = (list(_links(directory / name, known.links)) for name in ("by-id", "by-path"))
    changed = {link.tty for path, link in chain(by_id, by_path) if known.links.get(path) is not link}
    unchanged = {_basename(link.tty) for _, link in by_path if link.tty not in changed}
    known.links = dict(chain(by_id, by_path))
    devices = known.devices = usb_devices.found(usb_devices.beside(directory), known.devices, unchanged)
    names = defaultdict[str, list[str]](list)
    for _, link in by_id:
        names[link.tty].append(link.name)
    ports = defaultdict[str, list[Link]](list)
    for _, link in by_path:
        if not devices.are_without(_basename(link.tty)):
            ports[port_of(link.name)].append(link)
    in_order = sorted(ports, key=lambda port: min(link.made for link in ports[port]))
    return sighted({port: ports[port] for port in in_order}, names, devices, known.seen)


def sighted(
    ports: Mapping[str, list[Link]],
    names: Mapping[str, list[str]],
    devices: USBDevices,
    before: dict[str, tuple[object, Sighting]] | None = None,
) -> dict[str, Sighting]:
    """One sighting for each of `ports`, in their order.

    `names`: what by-id calls each serial port, where there is a by-id. `before` has the sightings of the last look, of
    which those stay that would be made of the same, and gets the new ones.
    """
    known = {} if before is None else before
    seen = {}
    for port, links in ports.items():
        made_of = [(link, devices.of_tty.get(_basename(link.tty)), names.get(link.tty)) for link in links]
        if port not in known or known[port][0] != made_of:
            known[port] = made_of, _sighting(port, links, names, devices)
        seen[port] = known[port][1]
    placed = {link.tty for links in ports.values() for link in links}
    elsewhere = {tty: names[tty] for tty in names.keys() - placed if not devices.are_without(_basename(tty))}
    return _with_others(seen, elsewhere, devices)


def judged(seen: Mapping[str, Sighting]) -> dict[str, Sighting]:
    """Refuses each board whose probe has no serial number, or one that another probe has or may have."""
    nameless = any(sighting.nameless for sighting in seen.values())
    probes = sorted({sighting.board.probe for sighting in seen.values()} - {""})
    return {port: _refused(sighting, probes, nameless=nameless) for port, sighting in seen.items()}


def _refused(sighting: Sighting, probes: list[str], *, nameless: bool) -> Sighting:
    board = sighting.board
    refused: SlotFault | None = None
    if sighting.nameless and probes:
        refused = ProbeDuplicate(probes[0] if len(probes) == 1 else "unknown")
    elif not board.probe:
        refused = ProbeUnidentified(board.tty)
    elif sighting.others or nameless:
        refused = ProbeDuplicate(board.probe)
    return sighting if refused is None else replace(sighting, board=replace(board, refused=refused))


def _sighting(port: str, links: list[Link], names: Mapping[str, list[str]], devices: USBDevices) -> Sighting:
    """Takes the first serial port that is a probe's, else the first; a probe may have two at its USB port."""
    ttys = list(dict.fromkeys(link.tty for link in links))
    probes = {tty: _probe(devices.of_tty.get(_basename(tty)), names.get(tty, [])) for tty in ttys}
    tty = next((tty for tty in ttys if probes[tty]), ttys[0])
    device = devices.of_tty.get(_basename(tty))
    agreed = len(set(probes.values()) - {""}) <= 1
    return Sighting(
        BoardArrived(port, probes[tty] if agreed else "", tty),
        {link.name: link.inode for link in links},
        device,
        nameless=all(_is_nameless(tty, port, devices, names) for tty in ttys),
    )


def _probe(device: USBDevice | None, names: list[str]) -> str:
    """The serial number of the probe; empty if it has none, if it is not ST's, or if its links name two."""
    if device is not None:
        usable = device.vendor == ST and _SERIAL_NUMBER.fullmatch(device.serial_number)
        return device.serial_number if usable else ""
    serial_numbers = {match["serial_number"] for name in names if (match := _NAMED.fullmatch(name))}
    return serial_numbers.pop() if len(serial_numbers) == 1 else ""


def _is_nameless(tty: str, port: str, devices: USBDevices, names: Mapping[str, list[str]]) -> bool:
    """Whether this port may be an ST-LINK's without a link in by-id: udev may have given that link to another port."""
    device = devices.of_tty.get(_basename(tty))
    if names.get(tty):
        return False
    if device is not None:
        return device.vendor == ST and not device.serial_number
    return "-usb-" in port and not _basename(tty).startswith(_NEVER_OF_ST)


def _with_others(
    seen: Mapping[str, Sighting], elsewhere: Mapping[str, list[str]], devices: USBDevices
) -> dict[str, Sighting]:
    """Each sighting with all others that have its serial number; case is ignored.

    `elsewhere`: ports without a link in by-path.
    """
    holders = defaultdict[str, set[str]](set)
    for device in devices.of_st:
        holders[device.serial_number.casefold()].add(device.number)
    for port, sighting in seen.items():
        holders[sighting.board.probe.casefold()].add(sighting.device.number if sighting.device else port)
    for tty, names in elsewhere.items():
        behind = devices.of_tty.get(_basename(tty))
        holders[_probe(behind, names).casefold()].add(behind.number if behind else tty)
    own = {port: {sighting.device.number if sighting.device else port} for port, sighting in seen.items()}
    found = dict(seen)
    for port, sighting in seen.items():
        if others := holders[sighting.board.probe.casefold()] - own[port]:
            found[port] = replace(sighting, others=frozenset(others))
    return found


def _basename(path: str) -> str:
    return path.rpartition("/")[2]


def _links(directory: Path, known: Mapping[str, Link]) -> Iterator[tuple[str, Link]]:
    """The links by their paths, with their targets, one level deep: `/dev/ttyACM0`, whatever that is a link to.

    One that is `known` is not read again unless it has another inode now.
    """
    place = str(directory)  # plain strings: pathlib takes ten times as long, while every slot waits
    try:
        with os.scandir(place) as entries:
            listed = sorted((entry.name, entry.inode()) for entry in entries)
    except OSError as exc:  # udev removes the directory with its last link
        if fault := exhausted(f"list {place}", exc):
            raise fault from exc  # an empty answer would mean that all boards have left
        return
    for name, inode in listed:
        path = f"{place}/{name}"
        if (link := known.get(path)) is not None and link.inode == inode:
            yield path, link
            continue
        try:
            status, target = os.lstat(path), os.readlink(path)  # noqa: PTH115
        except OSError:  # the link was removed since the folder was listed
            continue
        tty = os.path.normpath(os.path.join(place, target))  # noqa: PTH118
        yield path, Link(name, status.st_ino, tty, status.st_ctime_ns)
