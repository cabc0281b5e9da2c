# SPDX-License-Identifier: Apache-2.0
"""The controller of the internal flash, which erases pages, and programs double words by stores into them. Pure."""

from virtual_bench.emulator.chip_time import ChipTime
from virtual_bench.emulator.peripheral import Peripheral
from virtual_bench.hardware.chip_faults import ChipFaults
from virtual_bench.hardware.flash import DOUBLE_WORD, Flash
from virtual_bench.timing.profile import Profile

ACR, KEYR, SR, CR = 0x00, 0x08, 0x10, 0x14
KEYS = (0x45670123, 0xCDEF89AB)
PROGRAM, ERASE_PAGE, START, LOCK = 1 << 0, 1 << 1, 1 << 16, 1 << 31
ENDED, PROGRAM_ERROR, SEQUENCE_ERROR, BUSY = 1 << 0, 1 << 3, 1 << 7, 1 << 16
WORD = 4


class FlashController(Peripheral):
    """Locked after a reset. It checks stores at the next access to a register, which every program makes."""

    def __init__(self, time: ChipTime, flash: Flash, faults: ChipFaults, profile: Profile) -> None:
        super().__init__({ACR: 0x600, CR: LOCK | 1 << 30})
        self._time = time
        self._flash = flash
        self._faults = faults
        self._profile = profile
        self._keys: tuple[int, ...] = ()
        self._done_at = 0
        self._errors = 0
        self._stored: dict[int, tuple[bytes, bytes]] = {}  # address: the old bytes, the stored bytes
        self.changed: set[int] = set()  # addresses of pages that were stored to or erased; whoever looks empties it

    def read(self, offset: int, width: int) -> int:
        self.settle()
        if offset == SR:
            return self._state()
        return super().read(offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        self.settle()
        if offset == KEYR:
            self._unlock(value)
        elif offset == SR:
            self._errors &= ~value
        elif offset == CR:
            if not self.registers[CR] & LOCK:
                super().write(offset, width, value & ~START)
                if value & START and value & ERASE_PAGE:
                    self._erase(value >> 3 & 0xFF)
        else:
            super().write(offset, width, value)

    def stored(self, address: int, width: int, value: int) -> bool:
        """Takes a store of the core into flash; false if the address is not in this flash."""
        if not self._flash.holds(address, width):
            return False
        before, _ = self._stored.get(address, (self._flash.read(address, width), b""))
        self.changed.add(address - address % self._flash.page)
        self._stored[address] = before, value.to_bytes(width, "little")
        return True

    def settle(self) -> None:
        """Programs the stored bytes as the flash does: only whole double words, and only into erased cells."""
        if not self._stored:
            return
        stored, self._stored = self._stored, {}
        for address, (before, _) in stored.items():
            self._flash.restore(address, before)
        if not self.registers[CR] & PROGRAM:
            self._errors |= SEQUENCE_ERROR
            return
        for address in sorted(address for address in stored if address % DOUBLE_WORD == 0):
            halves = stored.pop(address)[1], stored.pop(address + WORD, (b"", b""))[1]
            self._program(address, b"".join(halves))
        if stored:
            self._errors |= SEQUENCE_ERROR

    def settle_whole(self) -> None:
        """Programs what is stored, unless one word of a double word is yet to come: a slice of instructions may end between the two."""
        if self._stored and all(address ^ WORD in self._stored for address in self._stored):
            self.settle()

    def _program(self, address: int, data: bytes) -> None:
        stands = self._flash.read(address, DOUBLE_WORD)
        if len(data) != DOUBLE_WORD:
            self._errors |= SEQUENCE_ERROR
        elif not self._flash.takes(address, data):
            self._errors |= PROGRAM_ERROR
        else:
            if self._faults.power_goes():
                data = data[: DOUBLE_WORD // 2] + stands[DOUBLE_WORD // 2 :]
            self._flash.program(address, data)
            self._done_at = self._time.after(self._profile.double_word)

    def _erase(self, page: int) -> None:
        address = self._flash.base + page * self._flash.page
        if not self._flash.holds(address):
            self._errors |= SEQUENCE_ERROR
            return
        self.changed.add(address)
        if self._faults.power_goes():
            self._flash.program(address, bytes(self._flash.page // 2))
        else:
            self._flash.erase(address, self._flash.page)
        self._done_at = self._time.after(self._profile.page_erase)

    def _state(self) -> int:
        if self._time.now < self._done_at:
            self._time.await_moment(self._done_at)
            return self._errors | BUSY
        return self._errors

    def _unlock(self, key: int) -> None:
        self._keys = (*self._keys, key)[-2:]
        if self._keys == KEYS:
            self.registers[CR] &= ~LOCK
