# SPDX-License-Identifier: Apache-2.0
"""The proofs that a write or a read of STM32_Programmer_CLI has succeeded: what each needs, and which one is missing. Pure.

The sectors that a write erases prove that the programmer reached the right memory. A write without an erase has no such
line, and a programmer that changes nothing prints the same: its place is taken by a `Witness`, which the station compares.
"""

from dataclasses import dataclass, field
from typing import Self

from station.domain.memory_map import EXTERNAL_FLASH, INTERNAL_FLASH, PAGE, SECTOR
from station.domain.product import Write
from station.domain.target import Region

BLANK = b"\xff"
WITNESSED = 4096  # bytes: 33 ms by an ST-LINK V2-1, each time
DOUBLE_WORD = 8


@dataclass(frozen=True, slots=True)
class Erasure:
    """Sectors that were erased, counted from the start of their memory, the last included."""

    memory: str
    first: int
    last: int

    @classmethod
    def needed_by(cls, write: Write) -> "Erasure":
        memory, base, sector = (
            ("external", EXTERNAL_FLASH.address, SECTOR)
            if write.external
            else ("internal", INTERNAL_FLASH.address, PAGE)
        )
        first = write.address - base
        return cls(memory, first // sector, (first + write.size - 1) // sector)

    def __str__(self) -> str:
        return f"erased {self.memory} sectors {self.first} to {self.last}"


@dataclass(slots=True)
class FileWritten:
    """The evidence for one written file; none of it counts for another file."""

    name: str
    address: int | None = None
    erased: set[Erasure] = field(default_factory=set)
    complete: bool = False
    verified: bool = False

    def missing(self, write: Write, name: str, *, erased: bool = True) -> str | None:
        """The first missing proof that the file of this name was written here; None when the write is proven.

        A write that is not `erased` needs no erase, but may have no other one, and is only proven with its `Witness`. A load
        into RAM may have none.
        """
        needed = None if write.in_ram else Erasure.needed_by(write)
        untouched = not self.erased and (write.in_ram or not erased)
        proofs = (
            (self.name == name, f"its name, the programmer says {self.name}"),
            (self.address == write.address, f"its address 0x{write.address:08X}"),
            (untouched or self.erased == {needed}, str(needed or "no erase")),
            (self.complete, "download complete"),
            (self.verified, "verified"),
        )
        return next((proof for given, proof in proofs if not given), None)


@dataclass(frozen=True, slots=True)
class Witness:
    """The end of a file, as the station itself has it read back before and after a write without an erase.

    Flash that was blank and then holds these bytes has been written by this run, in this memory, at this address. The
    programmer writes upwards, so the end is written last. It reaches to the last byte that is not FF, since a file's FF
    prove nothing.
    """

    region: Region
    meant: bytes = field(repr=False)

    @classmethod
    def of(cls, write: Write) -> Self | None:
        """The witness of this write; None if its content is blank, so that nothing can show that it was written.

        A load into RAM has none either: nothing is erased there, and the firmware's answers show that it runs.
        """
        if write.in_ram:
            return None
        length = len(write.content.rstrip(BLANK))
        end = -(-length // DOUBLE_WORD) * DOUBLE_WORD
        start = max(0, end - WITNESSED)
        if not length:
            return None
        return cls(Region(write.address + start, end - start), write.content[start:end].ljust(end - start, BLANK))

    def denies(self, before: bytes, after: bytes) -> bool:
        """Whether these two reads do not prove the write."""
        return before != BLANK * self.region.size or after != self.meant


@dataclass(slots=True)
class MemoryRead:
    """The evidence for one read into a file."""

    address: int | None = None
    done: bool = False

    def missing(self, region: Region) -> str | None:
        if self.address not in {None, region.address}:
            return f"its address 0x{region.address:08X}"
        return None if self.done else "data read"


def lacking_in(region: Region, content: bytes) -> str | None:
    """The missing proof in a read's content; None if the content is credible."""
    if len(content) != region.size:
        return f"{region.size} bytes, there are {len(content)}"
    # Erased flash reads FF. Without its loader the tool reads zeros at these addresses, and reports success.
    return "any byte but 00" if region.address >= EXTERNAL_FLASH.address and not any(content) else None
