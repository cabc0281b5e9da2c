"""Whether this user may speak with the probe behind a serial port: Linux's device nodes, looked at and never opened."""

import os
from enum import StrEnum
from pathlib import Path

SYSFS = Path("/sys/class/tty")
NODES = Path("/dev/bus/usb")


class Access(StrEnum):
    """What the programmer would meet."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


def of_probe(tty: str, sysfs: Path = SYSFS, nodes: Path = NODES) -> Access:
    """The probe whose interface the port is; unknown where the system does not tell."""
    interface = sysfs / Path(tty).name / "device"
    for device in (interface.resolve(), *interface.resolve().parents):
        try:
            bus, number = (int((device / name).read_text()) for name in ("busnum", "devnum"))
        except (OSError, ValueError):
            continue
        node = nodes / f"{bus:03d}" / f"{number:03d}"
        if not node.exists():
            return Access.UNKNOWN
        return Access.ALLOWED if os.access(node, os.R_OK | os.W_OK) else Access.DENIED
    return Access.UNKNOWN
