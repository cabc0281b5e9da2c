# SPDX-License-Identifier: Apache-2.0
"""Factory data as ST's firmware reads it: records of tag, length and value until the magic word. Pure.

Follows the rules of X-CUBE-MATTER's reader, which ignores the order of records.
"""

from virtual_bench.hardware.flash import Flash

ADDRESS = 0x901C0000
BLOCK = 16384  # read, erased and rewritten as one
MAGIC = 0xACACACAC
REFUSED_LENGTH = 603  # the operational firmware's reader gives up at this length and above
DAC, PRIVATE_KEY = 3, 5


class Unreadable(Exception):
    """There is no factory data, or the list of records has no proper end."""


def records(block: bytes) -> dict[int, bytes]:
    """The records by tag; the first record of a repeated tag wins, as in ST's reader. Raises Unreadable."""
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(block):
        tag, length = (int.from_bytes(block[at : at + 4], "little") for at in (position, position + 4))
        if tag == MAGIC:
            return found
        if not 0 < length < REFUSED_LENGTH:  # erased flash, too
            break
        found.setdefault(tag, block[position + 8 : position + 8 + length])
        position += 8 + length
    raise Unreadable


def records_in(flash: Flash) -> dict[int, bytes]:
    """The records in a board's QSPI flash. Raises Unreadable."""
    return records(flash.read(ADDRESS, BLOCK))


def readable(flash: Flash) -> dict[int, bytes]:
    """Like `records_in`, but returns no records if the list is unreadable."""
    try:
        return records_in(flash)
    except Unreadable:
        return {}
