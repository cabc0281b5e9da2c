# SPDX-License-Identifier: Apache-2.0
"""The probes and their firmware, as the programmer lists them. Not for a running line: a listing may disturb a transfer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from station.adapters.programmer import tool_version

# The plain `-l` connects to every target, and some probes then reset their boards.
ONLY_PROBES = ("-l", "st-link-only")

_FIELD = re.compile(r"\s*ST-LINK (?P<name>SN|FW)\s*:\s*(?P<value>.*?)\s*$")
_LISTED = ("List", "No ST-L", "No ST-l")  # of "Connected ST-LINK Probes List", and "Error: No ST-Link detected!"


@dataclass(frozen=True, slots=True)
class ListedProbe:
    """`firmware` is empty where another program holds the probe."""

    serial_number: str
    firmware: str


async def listed(cli: Path) -> list[ListedProbe] | None:
    """The probes that are plugged in; None if the programmer knows no such list. Raises `NotTheProgrammer`."""
    said, _ = await tool_version.answer_of(cli, *ONLY_PROBES)
    return probes_in(said)


def probes_in(lines: Iterable[str]) -> list[ListedProbe] | None:
    """The probes in a listing; None where the lines are none."""
    found: list[ListedProbe] = []
    is_list = False
    for line in lines:
        is_list = is_list or any(mark in line for mark in _LISTED)
        field = _FIELD.match(line)
        if field is None:
            continue
        if field["name"] == "SN":
            found.append(ListedProbe(field["value"], ""))
        elif found:
            found[-1] = ListedProbe(found[-1].serial_number, field["value"])
    return found if is_list else None
