# SPDX-License-Identifier: Apache-2.0
"""The base of all peripherals: registers that keep the written values. Pure."""

from collections.abc import Mapping


class Peripheral:
    """Registers by their offset; each peripheral adds its registers' effects."""

    def __init__(self, after_reset: Mapping[int, int] | None = None) -> None:
        self.registers = dict(after_reset or {})

    def read(self, offset: int, width: int) -> int:
        """The value that the core reads, with this width in bytes."""
        return self.registers.get(offset, 0) & (1 << 8 * width) - 1

    def write(self, offset: int, width: int, value: int) -> None:
        self.registers[offset] = value & (1 << 8 * width) - 1
