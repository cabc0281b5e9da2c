# SPDX-License-Identifier: Apache-2.0
"""How long ago something was, in words. Pure."""

from datetime import datetime

_UNITS = ((86_400, "days"), (3600, "h"), (60, "min"))


def ago(moment: datetime | None, now: datetime) -> str:
    """The time from the moment to `now` in the largest unit of which there are two, as "5 min ago"; "never" for None."""
    if moment is None:
        return "never"
    seconds = max(0.0, (now - moment).total_seconds())
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds / size)} {unit} ago"
    return f"{int(seconds)} s ago"
