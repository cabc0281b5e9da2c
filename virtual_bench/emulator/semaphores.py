# SPDX-License-Identifier: Apache-2.0
"""Hardware semaphores (HSEM), of which the coprocessor holds none here. Pure."""

from virtual_bench.emulator.peripheral import Peripheral

COUNT = 32
READ_LOCK = 0x80  # reading there takes it
LOCKED = 1 << 31
APPLICATION = 4 << 8  # the core that this is


class Semaphores(Peripheral):
    """Each is free, or taken by a core and its process."""

    def read(self, offset: int, width: int) -> int:
        if READ_LOCK <= offset < READ_LOCK + 4 * COUNT:
            number = offset - READ_LOCK
            if not self.registers.get(number, 0) & LOCKED:
                self.registers[number] = LOCKED | APPLICATION
            return self.registers[number]
        return super().read(offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        """Only its owner frees it, and only what is free is taken."""
        if offset >= READ_LOCK:
            return
        owner = self.registers.get(offset, 0)
        if (value & LOCKED and not owner & LOCKED) or owner & ~LOCKED == value:
            super().write(offset, width, value if value & LOCKED else 0)
