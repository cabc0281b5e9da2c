# SPDX-License-Identifier: Apache-2.0
"""The station's knowledge of a board from its probe."""

import pytest

from station.domain.target import UID, Region


def test_a_uid_is_written_in_the_order_of_memory() -> None:
    """24 hexadecimal digits, as in every export."""
    assert str(UID(bytes.fromhex("0011223344556677889900aa"))) == "0011223344556677889900aa"


@pytest.mark.parametrize("size", [0, 11, 13])
def test_a_uid_has_twelve_bytes(size: int) -> None:
    """A UID of another length cannot be built."""
    with pytest.raises(ValueError, match="12 bytes"):
        UID(bytes(size))


@pytest.mark.parametrize(
    ("address", "overlaps", "held"),
    [
        (0xF00, False, False),
        (0xF01, True, False),
        (0x1000, True, True),
        (0x1F00, True, True),
        (0x1F01, True, False),
        (0x2000, False, False),
    ],
)
def test_regions_touch_without_overlapping(address: int, overlaps: bool, held: bool) -> None:  # noqa: FBT001  the expected results
    """The end of a region is the first byte after it."""
    region, other = Region(0x1000, 0x1000), Region(address, 0x100)
    assert (region.overlaps(other), other.overlaps(region), region.holds(other)) == (overlaps, overlaps, held)
