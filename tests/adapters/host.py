# SPDX-License-Identifier: Apache-2.0
"""A host with USB serial ports: udev's links, and the kernel's sysfs beside them."""

from pathlib import Path

from station.interfaces import BoardArrived

ST, FTDI = "0483", "0403"


class Host:
    """A host with plugged boards, known by their tty's number, which is also the hub port.

    `kernel` tells whether there is a sysfs.
    """

    def __init__(self, root: Path, *, kernel: bool) -> None:
        self.root = root
        self.directory = root / "dev" / "serial"
        self._kernel = kernel
        self._plugged = 0
        if kernel:
            (root / "sys" / "class" / "tty").mkdir(parents=True)
            (root / "sys" / "bus" / "usb" / "devices").mkdir(parents=True)

    def plug(self, number: int, serial_number: str | None, *, vendor: str = ST, driver: str = "ttyACM") -> None:
        """The kernel finds a device with a serial port; udev has made no link yet."""
        self._plugged += 1
        if not self._kernel:
            return
        tty, usb = f"{driver}{number}", f"1-1.{number}"
        device = self.root / "sys" / "devices" / "usb1" / "1-1" / usb
        interface = device / f"{usb}:1.2"
        port = interface / "tty" / tty if driver == "ttyACM" else interface / tty / "tty" / tty
        port.mkdir(parents=True)
        (port / "device").symlink_to(interface if driver == "ttyACM" else interface / tty)
        (device / "idVendor").write_text(f"{vendor}\n")
        (device / "dev").write_text(f"189:{self._plugged}\n")
        if serial_number is not None:
            (device / "serial").write_text(f"{serial_number}\n")
        (self.root / "sys" / "class" / "tty" / tty).symlink_to(port)
        (self.root / "sys" / "bus" / "usb" / "devices" / usb).symlink_to(device)

    def place(self, number: int, spelling: str = "usb", interface: str = "1.2", *, tty: str = "ttyACM") -> None:
        """udev makes the link in by-path."""
        self._link("by-path", f"pci-0000:00:14.0-{spelling}-0:1.{number}:{interface}", f"{tty}{number}")

    def name(self, number: int, name: str, *, tty: str = "ttyACM") -> None:
        """udev makes the link in by-id, or moves it here from the port that had it before."""
        self._link("by-id", name, f"{tty}{number}")

    def remove(self, folder: str, name: str) -> None:
        (self.directory / folder / name).unlink()

    def arrived(self, number: int, probe: str) -> BoardArrived:
        return BoardArrived(port(number), probe, str(self.root / "dev" / f"ttyACM{number}"))

    def _link(self, folder: str, name: str, tty: str) -> None:
        (self.directory / folder).mkdir(parents=True, exist_ok=True)
        new = self.root / "dev" / f".{name}"
        new.symlink_to(f"../../{tty}")
        new.rename(self.directory / folder / name)


def port(number: int) -> str:
    return f"pci-0000:00:14.0-usb-0:1.{number}"


def named(serial_number: str, model: str = "STM32_STLink") -> str:
    return f"usb-STMicroelectronics_{model}_{serial_number}-if02"
