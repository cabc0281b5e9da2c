# SPDX-License-Identifier: Apache-2.0
"""Pins (GPIO): whether a pin has been given to the peripheral that needs it. Pure."""

from collections.abc import Callable

from virtual_bench.emulator.peripheral import Peripheral

MODER, AFRL, AFRH = 0x00, 0x20, 0x24
ALTERNATE = 2


class Pins(Peripheral):
    """One port of sixteen pins; after a reset they are analogue."""

    def __init__(self) -> None:
        super().__init__({MODER: 0xFFFFFFFF})
        self.changed: Callable[[], None] = lambda: None

    def write(self, offset: int, width: int, value: int) -> None:
        super().write(offset, width, value)
        self.changed()

    def serves(self, pin: int, function: int) -> bool:
        """Whether the pin has that alternate function."""
        mode = self.registers[MODER] >> 2 * pin & 3
        chosen = self.registers.get(AFRL if pin < 8 else AFRH, 0) >> 4 * (pin % 8) & 15
        return mode == ALTERNATE and chosen == function
