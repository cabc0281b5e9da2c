"""Firmware images, before a board is erased for one: whether they can boot where they go, and present what is flashed. Pure."""

from collections.abc import Iterator

from station.domain.credentials import DEVELOPMENT_KEY
from station.domain.target import Region

RAM = Region(0x20000000, 0x40000)  # SRAM1 and SRAM2 of the STM32WB55
WITHOUT_FACTORY_DATA = (
    "was built without factory data: it holds the development DAC of VID FFF1, PID 8004, and would present that; "
    "build it with CONFIG_STM32_FACTORY_DATA_ENABLE 1"
)


def vector_table_mistakes(name: str, content: bytes, region: Region) -> Iterator[str]:
    """What is wrong with an image for another address, or one that was cut off in front: it would not boot."""
    stack_pointer, reset = (int.from_bytes(content[at : at + 4], "little") for at in (0, 4))
    if not RAM.address < stack_pointer <= RAM.end or stack_pointer % 8:
        yield f"{name} does not begin with a vector table: initial stack pointer 0x{stack_pointer:08X}"
    elif not region.address < reset < region.end or reset % 2 == 0:
        yield f"{name} does not begin with a vector table for its address: reset vector 0x{reset:08X}"


def application_mistakes(name: str, content: bytes, region: Region) -> Iterator[str]:
    """Of an operational image: besides, it must have been built to read factory data."""
    yield from vector_table_mistakes(name, content, region)
    if DEVELOPMENT_KEY in content:
        yield f"{name} {WITHOUT_FACTORY_DATA}"
