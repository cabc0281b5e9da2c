# SPDX-License-Identifier: Apache-2.0
"""Whether the kernel's clock is kept by NTP, as systemd's timedatectl tells it: Python has no way to ask the kernel."""

import asyncio
import os

from station.adapters.system.child import Budget, Child, OverBudget, Patience

ANSWERED_WITHIN = 10.0
_ASKED = ("timedatectl", "show", "--property=NTPSynchronized", "--value")


async def synchronised() -> bool | None:
    """None where nobody can tell: a machine or a container without systemd."""
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    try:
        async with (
            asyncio.timeout(ANSWERED_WITHIN),
            Child.started(
                list(_ASKED),
                environment={**kept, "LC_ALL": "C.UTF-8"},
                gone=asyncio.Event(),
                patience=Patience(),
                budget=Budget(),
            ) as child,
        ):
            said = [line.strip() async for line in child.lines()]
            status = await child.ended()
    except (TimeoutError, OverBudget, OSError):
        return None
    return {"yes": True, "no": False}.get(said[0]) if status == 0 and said else None
