# SPDX-License-Identifier: Apache-2.0
"""The hub's USB devices in sysfs: DIR/sys, laid out as /sys, beside DIR/dev."""

import shutil
from dataclasses import dataclass
from pathlib import Path

VENDOR, PRODUCT = "0483", "374b"  # of an ST-LINK/V2-1
INTERFACE = "1.2"  # of its serial port
_FIRST_MINOR, _MINORS = 1, 127  # a bus numbers its devices from 1 to 127, and then from 1 again


@dataclass(frozen=True, slots=True)
class Shown:
    """One USB device with its serial port."""

    port: int
    tty: str
    serial_number: str
    plugging: int
    """The count of pluggings on this hub before this one; each plugging gets another device number."""


class Sysfs:
    """The sysfs tree of one bench, while the bench serves."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._ttys = root / "class" / "tty"
        self._usb = root / "bus" / "usb" / "devices"
        self._hub = root / "devices" / "pci0000:00" / "0000:00:14.0" / "usb1" / "1-1"
        for folder in (self._ttys, self._usb, self._hub):
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, shown: Shown) -> None:
        """Adds the device, as the kernel does."""
        device = self._hub / f"1-1.{shown.port}"
        interface = device / f"{device.name}:{INTERFACE}"
        port = interface / "tty" / shown.tty
        port.mkdir(parents=True)
        (port / "device").symlink_to("../../../" + interface.name)
        number = _FIRST_MINOR + shown.plugging % _MINORS
        attributes = {"idVendor": VENDOR, "idProduct": PRODUCT, "busnum": "1", "devnum": str(number + 1)}
        attributes["dev"] = f"189:{number}"
        if shown.serial_number:
            attributes["serial"] = shown.serial_number
        for name, value in attributes.items():
            (device / name).write_text(f"{value}\n")
        self._link(self._usb / device.name, device)
        self._link(self._ttys / shown.tty, port)

    def remove(self, shown: Shown) -> None:
        """Removes the device, as the kernel does."""
        (self._ttys / shown.tty).unlink()
        (self._usb / f"1-1.{shown.port}").unlink()
        shutil.rmtree(self._hub / f"1-1.{shown.port}")

    def _link(self, link: Path, target: Path) -> None:
        up = "../" * (len(link.relative_to(self._root).parts) - 1)
        link.symlink_to(up + str(target.relative_to(self._root)))
