# SPDX-License-Identifier: Apache-2.0
"""Whether this PC has a font with Chinese characters, as fontconfig's fc-list tells it: browsers draw with the fonts that it knows."""

from station.adapters.system.asked import lines_of

ANSWERED_WITHIN = 60.0  # the first look at many fonts builds fontconfig's cache
_ASKED = ("fc-list", ":lang=zh", "family")


async def chinese() -> bool | None:
    """None where nobody can tell: a machine without fc-list."""
    said = await lines_of(_ASKED, within=ANSWERED_WITHIN, kept=("PATH", "HOME"))
    return None if said is None else any(not line.startswith("Fontconfig ") for line in said)  # that is a warning
