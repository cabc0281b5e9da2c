# SPDX-License-Identifier: Apache-2.0
"""The first channel of DMA1, and the multiplexer that chooses what it serves. Pure.

It moves bytes from a peripheral's register to SRAM, which is all that the port asks of it; set up for anything else,
it moves nothing, and the peripheral's FIFO overflows as on silicon.
"""

from collections.abc import Callable
from typing import Protocol

from virtual_bench.emulator.peripheral import Peripheral

CCR, CNDTR, CPAR, CMAR = 0x08, 0x0C, 0x10, 0x14
ENABLED, CIRCULAR, INCREMENTS_MEMORY = 1 << 0, 1 << 5, 1 << 7
KIND = 0x4FD0  # of CCR's bits, those of direction, increments and sizes
REQUEST = 0x00, 0x3F  # of the multiplexer: the first channel's register, and the bits that name what is served


class Memory(Protocol):
    """The chip's memory."""

    def write(self, address: int, data: bytes) -> None: ...


class Multiplexer(Peripheral):
    """DMAMUX1: the number of the request that the first channel serves."""

    @property
    def request(self) -> int:
        register, bits = REQUEST
        return self.registers.get(register, 0) & bits


class DMA(Peripheral):
    """One channel. What it has moved is in the memory as soon as the core can notice."""

    def __init__(self, memory: Memory, ram: tuple[int, int], multiplexer: Multiplexer) -> None:
        """`ram`: address and bytes of the only part of the memory that it writes."""
        super().__init__()
        self._memory = memory
        self._ram = ram
        self._multiplexer = multiplexer
        self._length = self._left = 0
        self._moved: list[tuple[int, bytes]] = []  # addresses and bytes that are not in the memory yet
        self.catch_up: Callable[[], None] = lambda: None
        """Lets the peripheral that it serves hand over what has come by now."""

    def read(self, offset: int, width: int) -> int:
        if offset == CNDTR:
            self.catch_up()
            self.settle()
            return self._left
        return super().read(offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        self.catch_up()
        if offset in {CNDTR, CPAR, CMAR} and self.registers.get(CCR, 0) & ENABLED:
            return  # they cannot be written while the channel is enabled (RM0434)
        super().write(offset, width, value)
        if offset == CNDTR:
            self._length = self._left = value & 0xFFFF
        self.catch_up()

    def serves(self, request: int, register: int) -> bool:
        """Whether it takes what comes in this register, for this request of the multiplexer."""
        control, start = self.registers.get(CCR, 0), self.registers.get(CMAR, 0)
        return (
            bool(control & ENABLED)
            and control & KIND == INCREMENTS_MEMORY
            and self._left > 0
            and self._ram[0] <= start <= start + self._length <= sum(self._ram)
            and self._multiplexer.request == request
            and self.registers.get(CPAR) == register
        )

    def move(self, data: bytes) -> int:
        """Moves bytes one after the other; returns how many, which are all in a circular transfer."""
        start, moved = self.registers.get(CMAR, 0), 0
        while self._left and (part := data[moved : moved + self._left]):
            self._moved.append((start + self._length - self._left, part))
            self._left -= len(part)
            moved += len(part)
            if not self._left and self.registers[CCR] & CIRCULAR:
                self._left = self._length
        return moved

    def settle(self) -> None:
        """Puts what it has moved into the memory; only while the core is this chip's."""
        for address, data in self._moved:
            self._memory.write(address, data)
        self._moved.clear()
