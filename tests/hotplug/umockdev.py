# SPDX-License-Identifier: Apache-2.0
"""A USB host that libumockdev pretends to be, bound by ctypes; the process runs under LD_PRELOAD=libumockdev-preload.so.0.

Every change sends the events that the kernel and udev would send, in the order of the calls.
"""

import ctypes
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PRELOAD = "libumockdev-preload.so.0"
ST = "0483"
CONTROLLER = "/devices/pci0000:00/0000:00:14.0"
_HUB = f"{CONTROLLER}/usb1/1-1"
_SLOTS = "pci-0000:00:14.0-usb-0"


def port(number: int) -> str:
    """The USB port as udev names it."""
    return f"{_SLOTS}:1.{number}"


@dataclass
class Plugged:
    """What is at one port: its serial port is `/dev/ttyACM{tty}`."""

    device: str
    tty: int | None = None

    @property
    def interface(self) -> str:
        return f"{self.device}/{self.device.rpartition('/')[2]}:1.2"

    @property
    def serial_port(self) -> str:
        return f"{self.interface}/tty/ttyACM{self.tty}"


class USBHost:
    """A PC with one hub; a probe at the hub's port N is the device 1-1.N."""

    def __init__(self) -> None:
        if PRELOAD.partition(".")[0] not in Path("/proc/self/maps").read_text():
            raise RuntimeError(f"to be started with LD_PRELOAD={PRELOAD}")
        library = ctypes.CDLL("libumockdev.so.0")
        self._new = _function(library, "new", ctypes.c_void_p)
        self._root = _function(library, "get_root_dir", ctypes.c_char_p, ctypes.c_void_p)
        self._add = _function(
            library, "add_from_string", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p
        )
        self._uevent = _function(library, "uevent", None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
        self._remove = _function(library, "remove_device", None, ctypes.c_void_p, ctypes.c_char_p)
        self._testbed = self._new()
        self.root = Path(self._root(self._testbed).decode())
        self.plugged: dict[int, Plugged] = {}
        self._devices = 0
        self._load(f"P: {_HUB}\nE: DEVTYPE=usb_device\nE: ID_VENDOR_ID=1d6b\nE: SUBSYSTEM=usb\nE: USEC_INITIALIZED=1\n")

    def plug(self, number: int, serial_number: str, tty: int | None = None, vendor: str = ST, node: str = "") -> None:
        """A whole probe; its serial port has the number of its USB port, if no other is asked for."""
        self.device(number, serial_number, vendor)
        self.serial_port(number, serial_number, number if tty is None else tty, vendor, node)

    def show(self, number: int, serial_number: str, tty: int, node: str) -> None:
        """The same with few files, for a host that has to be quick."""
        self._devices += 1
        plugged = self.plugged[number] = Plugged(f"{_HUB}/1-1.{number}", tty)
        self._load(
            _described(plugged.device, self._of_device(number, serial_number, ST), {})
            + "\n"
            + _described(plugged.serial_port, _of_port(number, serial_number, tty, ST, node), {})
        )

    def device(self, number: int, serial_number: str, vendor: str = ST) -> None:
        """The USB device; without a serial number if it is empty."""
        self._devices += 1
        plugged = self.plugged[number] = Plugged(f"{_HUB}/1-1.{number}")
        attributes = {
            "bNumInterfaces": "4",
            "busnum": "1",
            "dev": f"189:{self._devices}",
            "devnum": str(self._devices),
            "idProduct": "374b",
            "idVendor": vendor,
            "product": "STM32 STLink",
            "serial": serial_number,
        }
        self._load(_described(plugged.device, self._of_device(number, serial_number, vendor), attributes))
        interface = {"DEVTYPE": "usb_interface", "DRIVER": "cdc_acm", "SUBSYSTEM": "usb"}
        self._load(_described(plugged.interface, interface, {"bInterfaceNumber": "02"}))

    def serial_port(self, number: int, serial_number: str, tty: int, vendor: str = ST, node: str = "") -> None:
        """The serial port of the device that is there; its node may be outside of /dev, where the library has no hand in it."""
        plugged = self.plugged[number]
        plugged.tty = tty
        self._load(
            _described(
                plugged.serial_port,
                _of_port(number, serial_number, tty, vendor, node),
                {"dev": f"166:{tty}"},
                f"L: device=../../../{plugged.interface.rpartition('/')[2]}\n",
            )
        )

    def say_again(self, number: int, what: str, action: str) -> None:
        """Another event of the device or of its serial port, which stays as it is."""
        plugged = self.plugged[number]
        self._send(plugged.device if what == "device" else plugged.serial_port, action)

    def leads_to(self, number: int, device: Path) -> None:
        """The serial port's node is a link to a port that somebody answers at."""
        (self.root / "dev").mkdir(exist_ok=True)
        (self.root / "dev" / f"ttyACM{self.plugged[number].tty}").symlink_to(device)

    def forbid(self, number: int) -> None:
        """The serial port's node is nobody's; the library's own files stay everybody's."""
        self.root.chmod(0o755)
        for file in (self.root / "ioctl").iterdir():
            file.chmod(0o777)
        (self.root / "dev").mkdir(exist_ok=True)
        (self.root / "dev" / f"ttyACM{self.plugged[number].tty}").touch(0)

    def unplug(self, number: int) -> None:
        """Serial port, interface and device go, in this order."""
        plugged = self.plugged.pop(number)
        gone = [plugged.interface, plugged.device]
        if plugged.tty is not None:
            gone.insert(0, plugged.serial_port)
        for path in gone:
            self._send(path, "remove")
            self._remove(self._testbed, f"/sys{path}".encode())
        if plugged.tty is not None:  # the library leaves both behind, and fails when they come again
            (self.root / "sys" / "dev" / "char" / f"166:{plugged.tty}").unlink(missing_ok=True)
            (self.root / "dev" / f"ttyACM{plugged.tty}").unlink(missing_ok=True)
            (self.root / "dev" / ".node" / f"ttyACM{plugged.tty}").unlink(missing_ok=True)

    def close(self) -> None:
        """Removes the pretended files."""
        ctypes.CDLL("libgobject-2.0.so.0").g_object_unref(ctypes.c_void_p(self._testbed))

    def _of_device(self, number: int, serial_number: str, vendor: str) -> dict[str, str]:
        return {
            "DEVNAME": f"/dev/bus/usb/001/{self._devices:03d}",
            "DEVTYPE": "usb_device",
            "ID_BUS": "usb",
            "ID_MODEL_ID": "374b",
            "ID_PATH": port(number),
            "ID_SERIAL_SHORT": serial_number,
            "ID_VENDOR_ID": vendor,
            "MAJOR": "189",
            "MINOR": str(self._devices),
            "SUBSYSTEM": "usb",
        }

    def _send(self, path: str, action: str) -> None:
        self._uevent(self._testbed, f"/sys{path}".encode(), action.encode())

    def _load(self, description: str) -> None:
        error = ctypes.c_void_p()
        if not self._add(self._testbed, description.encode(), ctypes.byref(error)):
            raise ValueError(f"umockdev does not take this:\n{description}")


def _described(path: str, properties: Mapping[str, str], attributes: Mapping[str, str], links: str = "") -> str:
    since = str(time.monotonic_ns() // 1000)
    lines = [f"P: {path}", *(f"E: {name}={value}" for name, value in properties.items() if value)]
    lines += [f"E: USEC_INITIALIZED={since}", *(f"A: {name}={value}\\n" for name, value in attributes.items() if value)]
    return "\n".join(lines) + f"\n{links}"


def _of_port(number: int, serial_number: str, tty: int, vendor: str, node: str) -> dict[str, str]:
    return {
        "DEVNAME": node or f"/dev/ttyACM{tty}",
        "ID_BUS": "usb",
        "ID_PATH": f"{port(number)}:1.2",
        "ID_PATH_WITH_USB_REVISION": f"{port(number).replace('-usb-', '-usbv2-')}:1.2",
        "ID_SERIAL_SHORT": serial_number,
        "ID_VENDOR_ID": vendor,
        "MAJOR": "166",
        "MINOR": str(tty),
        "SUBSYSTEM": "tty",
    }


def _function(library: ctypes.CDLL, name: str, result: type | None, *arguments: type) -> "ctypes._NamedFuncPointer":
    function: ctypes._NamedFuncPointer = getattr(library, f"umockdev_testbed_{name}")
    function.restype, function.argtypes = result, arguments
    return function
