# SPDX-License-Identifier: Apache-2.0
"""Hardware semaphores (HSEM). This model's coprocessor never takes one. Pure."""

from virtual_bench.emulator.peripheral import Peripheral

COUNT = 32
READ_LOCK = 0x80  # a read of these registers takes the semaphore
LOCKED = 1 << 31
APPLICATION = 4 << 8  # the application core's ID


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
        """Takes a free semaphore, or frees one for its owner."""
        if offset >= READ_LOCK:
            return
        owner = self.registers.get(offset, 0)
        if (value & LOCKED and not owner & LOCKED) or owner & ~LOCKED == value:
            super().write(offset, width, value if value & LOCKED else 0)
