# SPDX-License-Identifier: Apache-2.0
"""The memory map is the only module of the station with addresses of the board."""

import ast
from collections.abc import Iterator
from pathlib import Path

import station
from station.domain.memory_map import (
    AGENT_RECORD,
    APPLICATION,
    COPROCESSOR_ADDRESS,
    EXTERNAL_FLASH,
    FACTORY_DATA_REGION,
    INTERNAL_FLASH,
    RAM,
    READBACK_REGION,
    UID_ADDRESS,
)
from station.domain.target import UID_SIZE, Region

SOURCES = Path(station.__file__).parent
MEMORIES = (INTERNAL_FLASH, EXTERNAL_FLASH, RAM, Region(UID_ADDRESS, UID_SIZE))


def addresses(source: Path) -> Iterator[str]:
    """The numbers in a module that are addresses on the board."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        match node:
            case ast.Constant(value=int(number)) if any(memory.holds(Region(number, 1)) for memory in MEMORIES):
                yield f"{source.relative_to(SOURCES)}:{node.lineno}: 0x{number:08X}"


def test_no_other_module_has_an_address_of_the_board() -> None:
    assert list(addresses(SOURCES / "domain" / "memory_map.py"))
    others = [source for source in SOURCES.rglob("*.py") if source.name != "memory_map.py"]
    assert [found for source in others for found in addresses(source)] == []


def test_what_the_station_writes_lies_apart_from_what_it_must_not_touch() -> None:
    assert INTERNAL_FLASH.holds(APPLICATION)
    assert INTERNAL_FLASH.holds(AGENT_RECORD)
    assert not APPLICATION.overlaps(AGENT_RECORD)
    assert AGENT_RECORD.end <= COPROCESSOR_ADDRESS
    assert EXTERNAL_FLASH.holds(FACTORY_DATA_REGION)
    assert FACTORY_DATA_REGION.holds(READBACK_REGION)
    assert (FACTORY_DATA_REGION.address, READBACK_REGION.size) == (0x901C0000, 0x4000)  # where ST's firmware reads
