# SPDX-License-Identifier: Apache-2.0
"""docs/virtual-bench.md and the bench agree."""

import asyncio
import json
import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from virtual_bench.timing.profile import PROFILES, Profile

DOCUMENT = (Path(__file__).parents[2] / "docs" / "virtual-bench.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.splitlines() if line.startswith("|")]
TIMES = [field.name for field in fields(Profile) if field.type is float]


async def test_the_document_has_every_fault() -> None:
    """The document has the texts, the order and the phases of `virtual-bench fault --list`."""
    command = [sys.executable, "-m", "virtual_bench", "fault", "--list", "--json"]
    listing = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await listing.communicate()
    listed = [
        [
            f"`{fault['name']}`",
            fault["does"],
            ", ".join(fault["phases"]),
            fault["when"],
            ", ".join(f"`{name}`" for name in fault["parameters"]) or "—",
        ]
        for fault in json.loads(output)["faults"]
    ]
    heading = ROWS.index(["fault", "does", "at", "when", "parameters"])
    assert ROWS[heading + 2 : ROWS.index(["seen", "here"])] == listed


def test_what_was_seen_of_the_real_tool_can_be_brought_about() -> None:
    """Each row names an existing fault or option of the bench."""
    heading = ROWS.index(["seen", "here"])
    faults = {row[0].strip("`") for row in ROWS if re.fullmatch(r"`[a-z_]+`", row[0])}
    options = {row[0].split()[0].strip("`") for row in ROWS if row[0].startswith("`--")}
    named = {name for row in ROWS[heading + 2 :] for name in re.findall(r"`(--[a-z-]+|[a-z]+(?:_[a-z]+)+)", row[1])}
    assert len(ROWS[heading + 2 :]) >= 27
    assert named <= faults | options


@pytest.mark.parametrize("name", TIMES)
def test_the_document_has_every_constant(name: str) -> None:
    """Each constant has its value in every profile, and a source."""
    values = [f"{getattr(profile, name):g}" for profile in PROFILES.values()]
    (row,) = [row for row in ROWS if row[0] == f"`{name}`"]
    assert row[2:-1] == values
    assert row[-1]


def test_the_profiles_stand_in_the_order_of_the_columns() -> None:
    """Each value is in its profile's column."""
    assert [*PROFILES] == next(row[2:-1] for row in ROWS if row[0] == "constant")
