"""Firmware images, before a board is erased for one: whether they can boot where they go, and present what is flashed. Pure."""

from station.domain.credentials import DEVELOPMENT_KEY
from station.domain.target import Region

RAM = Region(0x20000000, 0x40000)  # SRAM1 and SRAM2 of the STM32WB55


def check_vector_table(name: str, content: bytes, region: Region) -> None:
    """`ValueError` for an image for another address, or cut off in front: it would not boot."""
    stack_pointer, reset = (int.from_bytes(content[at : at + 4], "little") for at in (0, 4))
    if not RAM.address < stack_pointer <= RAM.end or stack_pointer % 8:
        raise ValueError(f"{name} does not begin with a vector table: initial stack pointer 0x{stack_pointer:08X}")
    if not region.address < reset < region.end or reset % 2 == 0:
        raise ValueError(f"{name} does not begin with a vector table for its address: reset vector 0x{reset:08X}")


def check_reads_factory_data(name: str, content: bytes) -> None:
    """`ValueError` for an application that was built without factory data."""
    if DEVELOPMENT_KEY in content:
        raise ValueError(
            f"{name} was built without factory data: it holds the development DAC of VID FFF1, PID 8004, and would present "
            "that; build it with CONFIG_STM32_FACTORY_DATA_ENABLE 1"
        )
