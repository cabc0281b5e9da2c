# SPDX-License-Identifier: Apache-2.0
"""The random number generator (RNG). Its numbers are the operating system's."""

import secrets

from virtual_bench.emulator.chip_time import ChipTime
from virtual_bench.emulator.clocks import Clocks
from virtual_bench.emulator.peripheral import Peripheral
from virtual_bench.hardware.chip_faults import ChipFaults

CR, SR, DR = 0x00, 0x04, 0x08
ENABLED, READY = 1 << 2, 1 << 0
CLOCK_ERROR, SEED_ERROR = 1 << 5 | 1 << 1, 1 << 6 | 1 << 2


class RNG(Peripheral):
    """Delivers words as long as it is enabled and its clock runs."""

    def __init__(self, time: ChipTime, clocks: Clocks, faults: ChipFaults) -> None:
        super().__init__()
        self._time = time
        self._clocks = clocks
        self._faults = faults
        self._errors = 0

    def read(self, offset: int, width: int) -> int:
        if offset == SR:
            return self._state()
        if offset == DR:
            return secrets.randbits(32) if self._errors == 0 and self._is_on else 0
        return super().read(offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        if offset == SR:
            self._errors &= value
            return
        was_on = self._is_on
        super().write(offset, width, value)
        if self._is_on and not was_on:
            if not self._clocks.has_random_clock:
                self._errors |= CLOCK_ERROR
            if self._faults.random_fails():
                self._errors |= SEED_ERROR

    @property
    def _is_on(self) -> bool:
        return bool(self.registers.get(CR, 0) & ENABLED)

    def _state(self) -> int:
        if self._is_on and self._errors == 0:
            return READY
        self._time.await_in_vain()
        return self._errors
