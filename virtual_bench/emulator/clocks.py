# SPDX-License-Identifier: Apache-2.0
"""Clocks (RCC) and power (PWR): the frequencies, and which peripherals have a clock. Pure."""

from collections.abc import Callable

from virtual_bench.emulator.peripheral import Peripheral

CR, CFGR, PLLCFGR, CRRCR, EXTCFGR = 0x00, 0x08, 0x0C, 0x98, 0x108
READY = {0: 1, 8: 10, 16: 17, 24: 25}  # bits of CR: an oscillator's enable bit, and its ready bit
PREFETCHED = 0x30000  # EXTCFGR: both prescalers are in effect
MSI, HSI, HSE = 4_000_000, 16_000_000, 32_000_000
CR4 = 0x0C
BOOT_COPROCESSOR = 1 << 15
AHB1ENR, AHB2ENR, AHB3ENR, APB1ENR1, APB2ENR = 0x48, 0x4C, 0x50, 0x58, 0x60


class Clocks(Peripheral):
    """After a reset the core runs at 4 MHz, and nearly all peripherals are without a clock."""

    def __init__(self) -> None:
        super().__init__({CR: 0x61, PLLCFGR: 0x22040100, AHB3ENR: 0x02080000})
        self.gates_changed: Callable[[], None] = lambda: None
        self.frequency = MSI  # of the core and the buses, whose prescalers are not modelled
        self._followers: list[Callable[[], None]] = []

    def follow(self, changed: Callable[[], None]) -> None:
        """Calls this after each change of the frequency."""
        self._followers.append(changed)

    def read(self, offset: int, width: int) -> int:
        value = super().read(offset, width)
        if offset == CR:
            return value | sum(1 << ready for on, ready in READY.items() if value >> on & 1)
        if offset == CFGR:
            return value & ~0xC | (value & 3) << 2
        if offset == CRRCR:
            return value | (value & 1) << 1
        if offset == EXTCFGR:
            return value | PREFETCHED
        return value

    def write(self, offset: int, width: int, value: int) -> None:
        super().write(offset, width, value)
        if offset in {CFGR, PLLCFGR}:
            self.frequency = (MSI, HSI, HSE, self._pll())[self.registers.get(CFGR, 0) & 3]
            for changed in self._followers:
                changed()
        elif AHB1ENR <= offset <= APB2ENR:
            self.gates_changed()

    @property
    def has_random_clock(self) -> bool:
        """Whether the 48 MHz oscillator runs; without it the random number generator reports a clock error."""
        return bool(self.registers.get(CRRCR, 0) & 1)

    def feeds(self, register: int, bit: int) -> bool:
        """Whether the bit of an enable register gives a peripheral its clock."""
        return bool(self.registers.get(register, 0) >> bit & 1)

    def _pll(self) -> int:
        settings = self.registers[PLLCFGR]
        source = {1: MSI, 2: HSI, 3: HSE}.get(settings & 3, 0)
        divider, factor, output = (settings >> 4 & 7) + 1, settings >> 8 & 0x7F, (settings >> 29 & 7) + 1
        return source // divider * factor // output or MSI


class Power(Peripheral):
    """Only one of its bits has an effect here: it lets the coprocessor boot."""

    def __init__(self, boot_coprocessor: Callable[[], None]) -> None:
        super().__init__()
        self._boot_coprocessor = boot_coprocessor

    def write(self, offset: int, width: int, value: int) -> None:
        booted = self.registers.get(CR4, 0) & BOOT_COPROCESSOR
        super().write(offset, width, value)
        if offset == CR4 and value & BOOT_COPROCESSOR and not booted:
            self._boot_coprocessor()
