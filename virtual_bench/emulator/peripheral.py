"""What all peripherals have in common: registers that hold what is written into them. Pure."""

from collections.abc import Mapping


class Peripheral:
    """Registers by their offset; what they do besides is for each peripheral to say."""

    def __init__(self, after_reset: Mapping[int, int] | None = None) -> None:
        self.registers = dict(after_reset or {})

    def read(self, offset: int, width: int) -> int:
        """What the core reads, with so many bytes at once."""
        return self.registers.get(offset, 0) & (1 << 8 * width) - 1

    def write(self, offset: int, width: int, value: int) -> None:
        self.registers[offset] = value & (1 << 8 * width) - 1
