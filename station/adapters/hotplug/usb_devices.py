# SPDX-License-Identifier: Apache-2.0
"""USB devices as the kernel shows them in sysfs: which one is behind a serial port, and which ones are ST's."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
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

    def are_without(self, tty: str) -> bool:
        """Whether the kernel has no such serial port any more, although a link may still name it."""
        return self.known and tty.startswith(_KERNEL_NAMES) and tty not in self.of_tty


def beside(devices: Path) -> Path:
    """Where sysfs is for a folder of links: /sys for /dev/serial, DIR/sys for DIR/dev/serial."""
    return devices.parent.parent / "sys"


def found(sysfs: Path) -> USBDevices:
    """What the kernel shows now; raises `ResourcesExhausted`, since all boards would seem to have left."""
    ttys = f"{sysfs}/class/tty"
    of_tty = {
        name: device
        for name in _names(ttys)
        if name.startswith(_KERNEL_NAMES) and (device := _behind(f"{ttys}/{name}")) is not None
    }
    devices = f"{sysfs}/bus/usb/devices"
    of_st = [
        device
        for name in _names(devices)
        if ":" not in name  # else it is an interface of a device
        and (device := _device(f"{devices}/{name}")) is not None
        and device.vendor == ST
    ]
    return USBDevices(Path(ttys).is_dir(), of_tty, of_st)


def _behind(port: str) -> USBDevice | None:
    return next((device for above in _ABOVE_PORT if (device := _device(f"{port}/{above}")) is not None), None)


def _device(folder: str) -> USBDevice | None:
    vendor, number = _attribute(folder, "idVendor"), _attribute(folder, "dev")
    if not vendor or not number:  # no USB device, or one that is going away at this moment
        return None
    return USBDevice(number, vendor.lower(), _attribute(folder, "serial"))


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
