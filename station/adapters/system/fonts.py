# SPDX-License-Identifier: Apache-2.0
"""Whether this PC has a font with Chinese characters, as fontconfig's fc-list tells it: browsers draw with the fonts that it knows."""

import asyncio
import os

from station.adapters.system.child import Budget, Child, OverBudget, Patience

ANSWERED_WITHIN = 60.0  # the first look at many fonts builds fontconfig's cache
_ASKED = ("fc-list", ":lang=zh", "family")


async def chinese() -> bool | None:
    """None where nobody can tell: a machine without fc-list."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
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
            said = [line async for line in child.lines() if not line.startswith("Fontconfig ")]  # a warning, no font
            status = await child.ended()
    except (TimeoutError, OverBudget, OSError):
        return None
    return bool(said) if status == 0 else None
