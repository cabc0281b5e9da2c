# SPDX-License-Identifier: Apache-2.0
"""The core's own registers: enabled interrupts, the address of the vectors, and the software reset. Pure."""

from virtual_bench.emulator.peripheral import Peripheral

ENABLE, DISABLE = 0x100, 0x180
CPU_ID, VECTORS, RESET_REQUEST = 0xD00, 0xD08, 0xD0C
KEY, REQUESTED = 0x05FA << 16, 1 << 2
FIRST_INTERRUPT = 16  # exceptions below are the core's own


class SystemControl(Peripheral):
    """All interrupts have one priority, so none interrupts another."""

    def __init__(self) -> None:
        super().__init__({CPU_ID: 0x410FC241, VECTORS: 0x08000000})
        self.reset_requested = False
        self._enabled = 0

    def enabled(self, interrupt: int) -> bool:
        return bool(self._enabled >> interrupt & 1)

    def vector(self, interrupt: int) -> int:
        """The address of an interrupt's vector."""
        return self.registers[VECTORS] + 4 * (FIRST_INTERRUPT + interrupt)

    def read(self, offset: int, width: int) -> int:
        for first in (ENABLE, DISABLE):
            if first <= offset < first + 8:
                return self._enabled >> 8 * (offset - first) & 0xFFFFFFFF
        return super().read(offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        if ENABLE <= offset < ENABLE + 8:
            self._enabled |= value << 8 * (offset - ENABLE)
        elif DISABLE <= offset < DISABLE + 8:
            self._enabled &= ~(value << 8 * (offset - DISABLE))
        elif offset == RESET_REQUEST:
            self.reset_requested |= value & (0xFFFF << 16 | REQUESTED) == KEY | REQUESTED
        else:
            super().write(offset, width, value)
