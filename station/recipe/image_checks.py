# SPDX-License-Identifier: Apache-2.0
"""Checks of firmware images before any board is erased: they must boot at their address and read factory data. Pure."""

from collections.abc import Iterator, Mapping

from station.domain.coprocessor import WirelessStack
from station.domain.credentials import DEVELOPMENT_KEY
from station.domain.memory_map import AGENT_IN_RAM, APPLICATION, INTERNAL_FLASH, PAGE, RAM
from station.domain.target import Region

WITHOUT_FACTORY_DATA = (
    "was built without factory data: it contains the development DAC of VID FFF1, PID 8004, and would present that one; "
    "build it with CONFIG_STM32_FACTORY_DATA_ENABLE 1"
)


_OTHER_FORMATS = {
    b"\x7fELF": "is an ELF file: make it with objcopy -O binary",
    b":": "is in Intel's hexadecimal format: make it with objcopy -I ihex -O binary",
    b"S0": "is in Motorola's hexadecimal format: make it with objcopy -I srec -O binary",
    b"version https://git-lfs": "is Git's note of a large file: fetch it with git lfs pull",
}


def format_mistake(content: bytes) -> str | None:
    """Why this is no image as it lies in flash; None if it may be one."""
    if not content:
        return "is empty"
    return next((text for begins, text in _OTHER_FORMATS.items() if content.startswith(begins)), None)


def vector_table_mistakes(name: str, content: bytes, region: Region, place: Region = APPLICATION) -> Iterator[str]:
    """The mistakes of an image that would not start at the beginning of `place`: built for elsewhere, or without its vector table."""
    if region.address != place.address:
        starts = "the core starts" if place == APPLICATION else 'plan = "ram" starts'
        belongs = '; an image in RAM needs plan = "ram" in the recipe' if AGENT_IN_RAM.holds(region) else ""
        yield (
            f"{name} would lie at load_address 0x{region.address:08X}, where no board starts it: "
            f"{starts} the vector table at 0x{place.address:08X}{belongs}"
        )
    stack_pointer, reset = (int.from_bytes(content[at : at + 4], "little") for at in (0, 4))
    if not RAM.address < stack_pointer <= RAM.end or stack_pointer % 8:
        yield f"{name} does not begin with a vector table: initial stack pointer 0x{stack_pointer:08X}"
    elif not region.address < reset < region.end or reset % 2 == 0:
        yield (
            f"{name} does not begin with a vector table for its address: reset vector 0x{reset:08X}, "
            f"expected an odd address from 0x{region.address:08X} to 0x{region.end - 1:08X}"
        )


def application_mistakes(name: str, content: bytes, region: Region, place: Region = APPLICATION) -> Iterator[str]:
    """The mistakes of an operational image, which must also have been built to read factory data."""
    yield from vector_table_mistakes(name, content, region, place)
    if DEVELOPMENT_KEY in content:
        yield f"{name} {WITHOUT_FACTORY_DATA}"


def stack_mistakes(stack: WirelessStack, others: Mapping[str, Region]) -> Iterator[str]:
    """The mistakes in the address of a wireless stack's image, which must not overlap the regions `others`."""
    name, region = stack.name, stack.region
    if not stack.content:
        yield f"{name} is empty"
        return
    taken = f"{name} takes 0x{region.address:08X} to 0x{region.end - 1:08X}"
    if stack.address % PAGE:
        yield f"{name} at 0x{stack.address:08X}: it must begin at a page, which has 0x{PAGE:X} bytes"
    if not INTERNAL_FLASH.holds(region):
        yield f"{taken}, the internal flash is 0x{INTERNAL_FLASH.address:08X} to 0x{INTERNAL_FLASH.end - 1:08X}"
    for other, place in others.items():
        if region.overlaps(place):
            yield f"{taken}, and {other} 0x{place.address:08X} to 0x{place.end - 1:08X}"
