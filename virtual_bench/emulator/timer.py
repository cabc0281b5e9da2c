# SPDX-License-Identifier: Apache-2.0
"""TIM2, a counter of 32 bits, with the one compare channel that wakes a sleeping core. Pure."""

from virtual_bench.emulator.chip_time import NEVER, SECOND, ChipTime
from virtual_bench.emulator.clocks import Clocks
from virtual_bench.emulator.peripheral import Peripheral

CR1, DIER, SR, EGR, CNT, PSC, ARR, CCR1 = 0x00, 0x0C, 0x10, 0x14, 0x24, 0x28, 0x2C, 0x34
ENABLED, UPDATE, COMPARE = 1, 1, 2
WRAP = 1 << 32


class Timer(Peripheral):
    """Counts up from the moment it is enabled."""

    def __init__(self, time: ChipTime, clocks: Clocks) -> None:
        super().__init__({ARR: WRAP - 1})
        self._time = time
        self._clocks = clocks
        self._prescaler = 0
        self._began = 0  # when the count was zero
        self._match = NEVER  # when the count next equals the compare register
        self._flags = 0
        self._rate = 1  # counts per second
        self._running = False
        clocks.follow(self._know_rate)
        self._know_rate()

    def read(self, offset: int, width: int) -> int:
        if offset == CNT:  # a firmware that waits reads little else
            return (self._time.now - self._began) * self._rate // SECOND % WRAP if self._running else 0
        if offset == SR:
            self._notice_match()
            return self._flags
        return super().read(offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        self._notice_match()
        if offset == SR:
            self._flags &= value
            return
        running = self._running
        super().write(offset, width, value)
        self._running = bool(self.registers.get(CR1, 0) & ENABLED)
        if offset == EGR and value & UPDATE:
            self._prescaler = self.registers.get(PSC, 0)
            self._know_rate()
            self._flags |= UPDATE
            self._began = self._time.now
        elif offset == CNT:
            self._began = self._time.now - value * SECOND // self._rate
        elif offset == CR1 and self._running and not running:
            self._began = self._time.now
        self._match = self._next_match()

    def interrupt_at(self) -> int:
        """The moment of its interrupt; a past moment if the interrupt is asserted now."""
        if not self.registers.get(DIER, 0) & COMPARE:
            return NEVER
        self._notice_match()
        return 0 if self._flags & COMPARE else self._match

    def _know_rate(self) -> None:
        self._rate = max(self._clocks.frequency // (self._prescaler + 1), 1)

    @property
    def _count(self) -> int:
        return (self._time.now - self._began) * self._rate // SECOND if self._running else 0

    def _next_match(self) -> int:
        if not self._running:
            return NEVER
        count = self._count
        target = count + (self.registers.get(CCR1, 0) - count) % WRAP
        return self._began - (-target * SECOND // self._rate)  # rounded up, so that the count has been reached by then

    def _notice_match(self) -> None:
        if self._match <= self._time.now:
            self._flags |= COMPARE
            self._match = NEVER
