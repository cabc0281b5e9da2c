# SPDX-License-Identifier: Apache-2.0
"""Checks whether this user may access the probe behind a serial port. Never opens the probe's device node.

Linux only.
"""

import os
from enum import StrEnum
from pathlib import Path

SYSFS = Path("/sys/class/tty")
NODES = Path("/dev/bus/usb")


class Access(StrEnum):
    """The access that the programmer would have."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


def of_probe(tty: str, sysfs: Path = SYSFS, nodes: Path = NODES) -> Access:
    """The access to the probe that the serial port belongs to; unknown if the system does not show the probe."""
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
