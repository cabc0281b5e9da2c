# SPDX-License-Identifier: Apache-2.0
"""USB devices as the kernel shows them in sysfs: which one is behind a serial port, and which ones are ST's."""

import os
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from station.faults.resources import exhausted

_LONGEST = 4096  # no attribute of sysfs is longer than a page
ST = "0483"  # USB vendor of every ST-LINK
_KERNEL_NAMES = ("ttyACM", "ttyUSB")  # of the serial ports of USB devices
_ABOVE_PORT = ("device/..", "device/../..")  # the port of an ST-LINK is its interface's; others have one more level


@dataclass(frozen=True, slots=True)
class USBDevice:
    """`number` is the kernel's number for this device, from plugging in to pulling out.

    Plugged in again it gets another.
    """

    number: str
    vendor: str
    serial_number: str


@dataclass(frozen=True, slots=True)
class USBDevices:
    """The devices that are plugged in.

    `known` is false where there is no sysfs: then nothing is known of any device.
    """

    known: bool
    of_tty: dict[str, USBDevice]
    of_st: list[USBDevice]
    """Also those without a serial port."""
    by_folder: Mapping[str, USBDevice] = field(default_factory=dict)
    """The devices by the folders of sysfs that they were read from."""

    def are_without(self, tty: str) -> bool:
        """Whether the kernel has no such serial port any more, although a link may still name it."""
        return self.known and tty.startswith(_KERNEL_NAMES) and tty not in self.of_tty


def beside(devices: Path) -> Path:
    """Where sysfs is for a folder of links: /sys for /dev/serial, DIR/sys for DIR/dev/serial."""
    return devices.parent.parent / "sys"


def found(sysfs: Path, before: USBDevices | None = None, unchanged: AbstractSet[str] = frozenset()) -> USBDevices:
    """What the kernel shows now; raises `ResourcesExhausted`, since all boards would seem to have left.

    Of a device that the look `before` has found in the same place, only its number is read, and nothing if it is behind
    one of the serial ports that are `unchanged` since that look.
    """
    ttys, devices = f"{sysfs}/class/tty", f"{sysfs}/bus/usb/devices"
    known = USBDevices(known=False, of_tty={}, of_st=[]) if before is None else before
    look = _Look(known.by_folder, {device.number for tty in unchanged if (device := known.of_tty.get(tty)) is not None})
    of_tty = {
        name: device
        for name in _names(ttys)
        if name.startswith(_KERNEL_NAMES) and (device := look.behind(f"{ttys}/{name}")) is not None
    }
    of_st = [
        device
        for name in _names(devices)
        if ":" not in name  # else it is an interface of a device
        and (device := look.device(f"{devices}/{name}")) is not None
        and device.vendor == ST
    ]
    return USBDevices(Path(ttys).is_dir(), of_tty, of_st, look.found)


class _Look:
    """One look at sysfs, which reads a device that was `known` by its folder and number only that far, and no `unchanged` number."""

    def __init__(self, known: Mapping[str, USBDevice], unchanged: AbstractSet[str]) -> None:
        self._known = known
        self._unchanged = unchanged
        self.found: dict[str, USBDevice] = {}

    def behind(self, port: str) -> USBDevice | None:
        return next((device for above in _ABOVE_PORT if (device := self.device(f"{port}/{above}")) is not None), None)

    def device(self, folder: str) -> USBDevice | None:
        device = self._known.get(folder)
        if device is not None and device.number in self._unchanged:
            self.found[folder] = device
            return device
        number = _attribute(folder, "dev")
        if device is None or device.number != number:
            vendor = _attribute(folder, "idVendor") if number else ""
            if not vendor:  # no USB device, or one that is going away at this moment
                return None
            device = USBDevice(number, vendor.lower(), _attribute(folder, "serial"))
        self.found[folder] = device
        return device


def _attribute(folder: str, name: str) -> str:
    """The attribute's text; empty if the kernel has none.

    Uses neither pathlib nor file objects, which take far longer while every slot waits.
    """
    try:
        descriptor = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        if fault := exhausted(f"read {folder}", exc):
            raise fault from exc
        return ""
    try:
        return os.read(descriptor, _LONGEST).decode("ascii", "replace").strip()
    except OSError:  # the device went between the two calls
        return ""
    finally:
        os.close(descriptor)


def _names(folder: str) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except OSError as exc:
        if fault := exhausted(f"list {folder}", exc):
            raise fault from exc
        return
    yield from names
