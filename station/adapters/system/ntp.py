# SPDX-License-Identifier: Apache-2.0
"""Whether the kernel's clock is kept by NTP, as systemd's timedatectl tells it: Python has no way to ask the kernel."""

from station.adapters.system.asked import lines_of

ANSWERED_WITHIN = 10.0
_ASKED = ("timedatectl", "show", "--property=NTPSynchronized", "--value")


async def synchronised() -> bool | None:
    """None where nobody can tell: a machine or a container without systemd."""
    said = await lines_of(_ASKED, within=ANSWERED_WITHIN)
    return {"yes": True, "no": False}.get(said[0].strip()) if said else None
