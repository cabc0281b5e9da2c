"""Factory data as ST's firmware reads and rewrites it: records of tag, length and value until the magic word. Pure.

Rules of X-CUBE-MATTER's reader and of its provisioning firmware; the order of records means nothing.
"""

from collections.abc import Mapping

from virtual_bench.flash import Flash

ADDRESS = 0x901C0000
BLOCK = 16384  # read, erased and rewritten as one
MAGIC = 0xACACACAC
ERASED = 0xFFFFFFFF
EXPLICIT_END = MAGIC.to_bytes(4, "little") + b"\xff" * 4  # the PC tool writes the magic word alone
REFUSED_LENGTH = 603  # the operational firmware's reader gives up at this length and above
MAX_CERTIFICATE = 600

DAC, PAI, PRIVATE_KEY, PUBLIC_KEY = 3, 4, 5, 6
VENDOR_ID, PRODUCT_ID, SERIAL_NUMBER = 22, 24, 25
PRODUCT = (VENDOR_ID, PRODUCT_ID)


class Unreadable(Exception):
    """No factory data, or a list that cannot be walked to its end; `status` is one of the link's."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class DoesNotFit(Exception):
    """What would be written needs more than the block."""


def records(block: bytes) -> dict[int, bytes]:
    """The records by tag. Raises Unreadable."""
    return _walked(block)[0]


def records_in(flash: Flash) -> dict[int, bytes]:
    """The records that stand in a board's QSPI flash. Raises Unreadable."""
    return records(flash.read(ADDRESS, BLOCK))


def readable(flash: Flash) -> dict[int, bytes]:
    """As `records_in`, and none where there is nothing to read."""
    try:
        return records_in(flash)
    except Unreadable:
        return {}


def appended(block: bytes, values: Mapping[int, bytes]) -> bytes:
    """The block with records behind those it has. Raises Unreadable or DoesNotFit."""
    _, end = _walked(block)
    added = b"".join(
        tag.to_bytes(4, "little") + len(value).to_bytes(4, "little") + value for tag, value in values.items()
    )
    whole = block[:end] + added + EXPLICIT_END
    if len(whole) > BLOCK:
        raise DoesNotFit
    return whole.ljust(BLOCK, b"\xff")


def _walked(block: bytes) -> tuple[dict[int, bytes], int]:
    """The records, and where the magic word stands; of a repeated tag the first counts, as each look-up starts anew."""
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(block):
        tag, length = (int.from_bytes(block[at : at + 4], "little") for at in (position, position + 4))
        if tag == MAGIC:
            return found, position
        if tag == ERASED:
            raise Unreadable(status=1)
        if not 0 < length < REFUSED_LENGTH:
            raise Unreadable(status=3)
        found.setdefault(tag, block[position + 8 : position + 8 + length])
        position += 8 + length
    raise Unreadable(status=1)
