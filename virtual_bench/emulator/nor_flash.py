# SPDX-License-Identifier: Apache-2.0
"""The S25FL128S on the module's QSPI bus: only its commands over one data line. Pure."""

from collections.abc import Callable

from virtual_bench.emulator.chip_time import ChipTime
from virtual_bench.hardware.chip_faults import ChipFaults
from virtual_bench.hardware.flash import Flash
from virtual_bench.timing.profile import Profile

WRITE_ENABLE, WRITE_DISABLE, READ_STATUS, CLEAR_STATUS = 0x06, 0x04, 0x05, 0x30
READS, PROGRAMS, ERASES = (0x03, 0x13), (0x02, 0x12), (0xD8, 0xDC)
WRITING, ENABLED, ERASE_ERROR, PROGRAM_ERROR = 1 << 0, 1 << 1, 1 << 5, 1 << 6
PAGE = 256
ERASED = b"\xff"


class NORFlash:
    """After a failure it stays busy until the firmware acknowledges the failure."""

    def __init__(self, time: ChipTime, flash: Flash, faults: ChipFaults, profile: Profile) -> None:
        self._time = time
        self._flash = flash
        self._faults = faults
        self._profile = profile
        self._enabled = False
        self._errors = 0
        self.busy_until = 0

    @property
    def status(self) -> int:
        writing = self._errors or self._time.now < self.busy_until
        return self._errors | (ENABLED if self._enabled else 0) | (WRITING if writing else 0)

    def answer(self, instruction: int, address: int, size: int) -> bytes:
        """The bytes that the part returns for a read instruction."""
        if instruction == READ_STATUS:
            return bytes([self.status]) * size
        if instruction in READS and not self.status & WRITING and self._flash.holds(self._flash.base + address, size):
            return self._flash.read(self._flash.base + address, size)
        return ERASED * size

    def obey(self, instruction: int, address: int, data: bytes) -> None:
        """Executes an instruction without an answer; while busy it accepts only one."""
        if instruction == CLEAR_STATUS:
            self._errors, self._enabled = 0, False
        elif self.status & WRITING:
            return
        elif instruction in {WRITE_ENABLE, WRITE_DISABLE}:
            self._enabled = instruction == WRITE_ENABLE
        elif instruction in PROGRAMS:
            self._write(PROGRAM_ERROR, self._profile.block_program(len(data)), lambda: self._program(address, data))
        elif instruction in ERASES:
            self._write(ERASE_ERROR, self._profile.external_sector_erase, lambda: self._erase(address))

    def _write(self, error: int, seconds: float, deed: Callable[[], None]) -> None:
        if not self._enabled:
            return
        if self._faults.external_write_fails():
            self._errors |= error
            return
        deed()
        self._enabled = False
        self.busy_until = self._time.after(seconds)

    def _program(self, address: int, data: bytes) -> None:
        """Programs within one page: bytes past its end wrap around to its start."""
        if self._faults.power_goes():
            data = data[: len(data) // 2]
        first = address - address % PAGE
        for part_at, part in ((address, data[: first + PAGE - address]), (first, data[first + PAGE - address :])):
            if part and self._flash.holds(self._flash.base + part_at, len(part)):
                self._flash.program(self._flash.base + part_at, part)

    def _erase(self, address: int) -> None:
        """Erases a sector; a power loss leaves cells cleared, since an erase clears them before it sets them."""
        start = self._flash.base + address - address % self._flash.page
        if not self._flash.holds(start):
            return
        if self._faults.power_goes():
            self._flash.program(start, bytes(self._flash.page // 2))
        else:
            self._flash.erase(start, self._flash.page)
