# SPDX-License-Identifier: Apache-2.0
"""The mailbox between the core and the coprocessor (IPCC): one flag per channel and direction. Pure."""

from virtual_bench.emulator.chip_time import NEVER, ChipTime
from virtual_bench.emulator.coprocessor import SYSTEM, Coprocessor
from virtual_bench.emulator.peripheral import Peripheral

SET_AND_CLEAR, TO_COPROCESSOR, FROM_COPROCESSOR = 0x08, 0x0C, 0x1C
CHANNELS = 6
BOOT = 0.05


class Mailbox(Peripheral):
    """Executes the coprocessor's work at once, and shows its completion when silicon would."""

    def __init__(self, time: ChipTime, coprocessor: Coprocessor, operation_time: float) -> None:
        super().__init__()
        self._time = time
        self._coprocessor = coprocessor
        self._operation_time = operation_time
        self._booted_at = NEVER
        self._announced = False
        self._from_coprocessor = 0
        self._answered_at: dict[int, int] = {}

    def boot_coprocessor(self) -> None:
        self._booted_at = self._time.after(BOOT)

    def read(self, offset: int, width: int) -> int:
        if offset == TO_COPROCESSOR:
            return self._occupied()
        if offset == FROM_COPROCESSOR:
            return self._said()
        return super().read(offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        if offset != SET_AND_CLEAR:
            super().write(offset, width, value)
            return
        self._from_coprocessor &= ~value
        for channel in range(1, CHANNELS + 1):
            if value >> (channel + 15) & 1:
                self._hand_over(channel)

    def _hand_over(self, channel: int) -> None:
        answered = self._announced and self._coprocessor.answer(channel)
        self._answered_at[channel] = self._time.after(self._operation_time) if answered else NEVER

    def _occupied(self) -> int:
        """The channels whose command is still with the coprocessor."""
        waiting = {channel: moment for channel, moment in self._answered_at.items() if moment > self._time.now}
        if waiting:
            moment = min(waiting.values())
            if moment == NEVER:
                self._time.await_in_vain()
            else:
                self._time.await_moment(moment)
        return sum(1 << channel - 1 for channel in waiting)

    def _said(self) -> int:
        if not self._announced and self._booted_at <= self._time.now:
            self._announced = True
            self._coprocessor.announce()
            self._from_coprocessor |= 1 << SYSTEM - 1
        elif not self._announced and self._booted_at != NEVER:
            self._time.await_moment(self._booted_at)
        elif not self._from_coprocessor:
            self._time.await_in_vain()
        return self._from_coprocessor
