# SPDX-License-Identifier: Apache-2.0
"""The QUADSPI peripheral: commands to the external flash, and a window through which the core reads it. Pure."""

from collections import deque
from typing import Protocol

from virtual_bench.emulator.chip_time import ChipTime
from virtual_bench.emulator.nor_flash import READS, NORFlash
from virtual_bench.emulator.peripheral import Peripheral

CR, SR, FCR, DLR, CCR, AR, DR, PSMKR, PSMAR = 0x00, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x20, 0x24, 0x28
ENABLED, ABORT = 1, 2
COMPLETE, FIFO, MATCHED, BUSY = 1 << 1, 1 << 2, 1 << 3, 1 << 5
WRITING, READING, POLLING, MAPPED = range(4)


class Window(Protocol):
    """Shows the external flash to the core, or hides it."""

    def __call__(self, *, visible: bool) -> None: ...


class QUADSPI(Peripheral):
    """Either a window or one command after the other, never both."""

    def __init__(self, time: ChipTime, part: NORFlash, show_window: Window) -> None:
        super().__init__()
        self._time = time
        self._part = part
        self._show_window = show_window
        self._mapped = False
        self._polling = False
        self._flags = 0
        self._wanted = 0  # bytes that a program still needs
        self._data = bytearray()
        self._answer: deque[int] = deque()

    def read(self, offset: int, width: int) -> int:
        if offset == SR:
            return self._state()
        if offset == DR:
            taken = bytes(self._answer.popleft() if self._answer else 0 for _ in range(width))
            return int.from_bytes(taken, "little")
        return super().read(offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        if offset == DR:
            self._take(value.to_bytes(width, "little"))
            return
        if offset == CR and value & ABORT:
            self._abort()
            value &= ~ABORT
        if offset == FCR:
            self._flags &= ~value
        elif offset not in {CCR, AR} or not self._is_busy:
            super().write(offset, width, value)
            if (offset == CCR and (not self._has_address or self._mode == MAPPED)) or (
                offset == AR and self._has_address
            ):
                self._begin()

    @property
    def _command(self) -> int:
        return self.registers.get(CCR, 0)

    @property
    def _mode(self) -> int:
        return self._command >> 26 & 3

    @property
    def _has_address(self) -> bool:
        return bool(self._command >> 10 & 3)

    @property
    def _has_data(self) -> bool:
        return bool(self._command >> 24 & 3)

    @property
    def _is_busy(self) -> bool:
        return self._mapped or self._polling or self._wanted > 0

    def _abort(self) -> None:
        if self._mapped:
            self._show_window(visible=False)
        self._mapped = self._polling = False
        self._wanted = 0
        self._data.clear()
        self._answer.clear()

    def _begin(self) -> None:
        if not self.registers.get(CR, 0) & ENABLED:
            return
        size = self.registers.get(DLR, 0) + 1
        if self._mode == MAPPED:
            self._mapped = self._command & 0xFF in READS
            self._show_window(visible=self._mapped)
        elif self._mode == POLLING:
            self._polling = True
        elif self._mode == READING:
            self._answer.extend(self._part.answer(self._command & 0xFF, self._address, size))
            self._flags |= COMPLETE
        elif self._has_data:
            self._wanted = size
        else:
            self._obey(b"")

    @property
    def _address(self) -> int:
        return self.registers.get(AR, 0) if self._has_address else 0

    def _take(self, data: bytes) -> None:
        if self._wanted == 0:
            return
        self._data += data
        if len(self._data) >= self._wanted:
            taken, self._wanted = bytes(self._data[: self._wanted]), 0
            self._data.clear()
            self._obey(taken)

    def _obey(self, data: bytes) -> None:
        self._part.obey(self._command & 0xFF, self._address, data)
        self._flags |= COMPLETE

    def _state(self) -> int:
        if self._wanted:
            return self._flags | FIFO | BUSY
        if self._polling:
            self._poll()
        ready = FIFO if self._answer else 0
        return self._flags | ready | (BUSY if self._is_busy else 0)

    def _poll(self) -> None:
        """Polls the part's status, as the peripheral does without the core."""
        mask, match = self.registers.get(PSMKR, 0), self.registers.get(PSMAR, 0)
        if (self._part.status & mask) == match:
            self._polling = False
            self._flags |= MATCHED
        elif self._time.now < self._part.busy_until:
            self._time.await_moment(self._part.busy_until)
        else:
            self._time.await_in_vain()
