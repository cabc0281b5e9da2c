# SPDX-License-Identifier: Apache-2.0
"""What the devices behind each hub may draw, against what it can give them, by their descriptors in sysfs."""

import re
from collections.abc import Iterator
from pathlib import Path

from station.doctor.finding import Finding, advice, good, unknown

SELF_POWERED = 0x40  # of bmAttributes (USB 2.0, 9.6.3)
HUB = "09"  # bDeviceClass
OF_A_BUS = 500  # mA that a port gives to a hub without a power supply of its own (USB 2.0, 7.2.1)
OWN = 100  # mA that such a hub counts for itself; it gives each port 100

_DEVICE = re.compile(r"\d+-\d+(?:\.\d+)*$")
_MILLIAMPERES = re.compile(r"(\d+)\s*mA$")


def findings(devices: Path) -> Iterator[Finding]:
    """One finding for all hubs; a hub in the PC is fed by the PC, and counts as supplied."""
    try:
        names = sorted(path.name for path in devices.iterdir() if _DEVICE.match(path.name))
    except OSError as exc:
        yield unknown("USB power", f"{devices} cannot be read: {exc.strerror}.")
        return
    hubs = [name for name in names if _attribute(devices / name, "bDeviceClass") == HUB]
    if not hubs:
        yield unknown("USB power", f"{devices} shows no hub besides the PC's own.")
        return
    said, weak = [], []
    for hub in hubs:
        drawn = {name: _drawn(devices / name) for name in names if name.rpartition(".")[0] == hub}
        total = sum(drawn.values())
        attributes = _attribute(devices / hub, "bmAttributes")
        is_fed = bool(int(attributes, 16) & SELF_POWERED) if re.fullmatch(r"[0-9a-fA-F]{1,2}", attributes) else None
        supply = {True: "a supply of its own", False: "no supply of its own", None: "an unknown supply"}[is_fed]
        said.append(f"hub {hub} has {supply}, and its {len(drawn)} devices may draw {total} mA")
        if is_fed is False and (total > OF_A_BUS - OWN or any(each > OWN for each in drawn.values())):
            weak.append(hub)
    text = f"{'; '.join(said)}."
    if weak:
        yield advice(
            "USB power", text, f"Give hub {', '.join(weak)} its power supply: without it, it has 400 mA, 100 mA a port."
        )
    else:
        yield good("USB power", text)


def _drawn(device: Path) -> int:
    """What the device asks for; a device with a supply of its own asks for little."""
    match = _MILLIAMPERES.match(_attribute(device, "bMaxPower"))
    return int(match[1]) if match else 0


def _attribute(device: Path, name: str) -> str:
    try:
        return (device / name).read_text(encoding="ascii", errors="replace").strip().lower().replace("ma", "mA")
    except OSError:  # the device is going away, or is too old for the attribute
        return ""
