# SPDX-License-Identifier: Apache-2.0
"""The public key accelerator (PKA): three operations, on operands in its own memory. Pure.

The layout is that of ST's stm32wb55xx.h. No operand has a default, so a port that misplaces one gets nonsense, as on silicon.
"""

from virtual_bench.emulator import p256
from virtual_bench.emulator.chip_time import ChipTime
from virtual_bench.emulator.curve import Curve, Point
from virtual_bench.emulator.peripheral import Peripheral
from virtual_bench.hardware.chip_faults import ChipFaults

CR, SR, CLRFR, RAM = 0x00, 0x04, 0x08, 0x400
RAM_SIZE = 3576
ENABLED, START = 1, 2
BUSY, ENDED, ADDRESS_ERROR = 1 << 16, 1 << 17, 1 << 20
MULTIPLY, SIGN, VERIFY = 0x20, 0x24, 0x26
WORD = 4


class PKA(Peripheral):
    """The accelerator. Its memory survives an operation, but not a reset."""

    def __init__(self, time: ChipTime, faults: ChipFaults, operation_time: float) -> None:
        super().__init__()
        self._time = time
        self._faults = faults
        self._operation_time = operation_time
        self._memory = bytearray(RAM + RAM_SIZE)
        self._done_at = 0
        self._flags = 0
        self._outcome = 0

    def read(self, offset: int, width: int) -> int:
        if offset == SR:
            return self._state()
        if offset >= RAM:
            return int.from_bytes(self._memory[offset : offset + width], "little")
        return super().read(offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        if offset == CLRFR:
            self._flags &= ~value
        elif offset >= RAM:
            if offset + width <= len(self._memory):
                self._memory[offset : offset + width] = value.to_bytes(width, "little")
        elif offset == CR:
            super().write(offset, width, value & ~START)
            if value & START and value & ENABLED:
                self._start(value >> 8 & 0x3F)
        else:
            super().write(offset, width, value)

    def _start(self, mode: int) -> None:
        operation = {MULTIPLY: self._multiply, SIGN: self._sign, VERIFY: self._verify}.get(mode)
        self._outcome = ADDRESS_ERROR
        if operation is not None and not self._faults.accelerator_fails():
            try:
                operation()
                self._outcome = ENDED
            except ValueError:  # no inverse, or a modulus of zero: these operands belong to no curve
                self._outcome = ADDRESS_ERROR
        self._done_at = self._time.after(self._operation_time)

    def _state(self) -> int:
        if self._time.now < self._done_at:
            self._time.await_moment(self._done_at)
            return self._flags | BUSY
        self._flags |= self._outcome
        self._outcome = 0
        return self._flags

    def _multiply(self) -> None:
        curve = self._curve(sign=0x408, a=0x40C, p=0x460, bits=0x404)
        product = _multiple(curve, self._number(0x508, 0x400), (self._number(0x55C, 0x404), self._number(0x5B0, 0x404)))
        for offset, coordinate in zip((0x55C, 0x5B0), product or (0, 0), strict=True):
            self._put(offset, coordinate, 0x404)

    def _sign(self) -> None:
        curve = self._curve(sign=0x408, a=0x40C, p=0x460, bits=0x404)
        n, k = self._number(0xE94, 0x400), self._number(0x508, 0x400)
        point = _multiple(curve, k, (self._number(0x55C, 0x404), self._number(0x5B0, 0x404)))
        r = point[0] % n if point else 0
        s = pow(k, -1, n) * (self._number(0xDE8, 0x400) + r * self._number(0xE3C, 0x400)) % n
        self._put(0x700, r, 0x400)
        self._put(0x754, s, 0x400)
        self._memory[0xEE8 : 0xEE8 + WORD] = (0 if r and s else 1).to_bytes(WORD, "little")

    def _verify(self) -> None:
        curve = self._curve(sign=0x45C, a=0x460, p=0x4B8, bits=0x4B4)
        n, r, s = (self._number(offset, 0x404) for offset in (0xD5C, 0x1098, 0xA44))
        valid: bool | None = 0 < r < n and 0 < s < n
        if valid:
            number = self._number(0xFE8, 0x404)
            generator = (self._number(0x5E8, 0x4B4), self._number(0x63C, 0x4B4))
            public = (self._number(0xF40, 0x4B4), self._number(0xF94, 0x4B4))
            valid = p256.verified(curve, generator, n, public, (r, s), number)
            if valid is None:
                w = pow(s, -1, n)
                point = curve.sum_of(curve.multiply(number * w % n, generator), curve.multiply(r * w % n, public))
                valid = point is not None and point[0] % n == r
        self._memory[0x5B0 : 0x5B0 + WORD] = (0 if valid else 1).to_bytes(WORD, "little")

    def _curve(self, *, sign: int, a: int, p: int, bits: int) -> Curve:
        modulus, magnitude = self._number(p, bits), self._number(a, bits)
        if modulus < 3:
            raise ValueError(modulus)
        return Curve(modulus, -magnitude if self._word(sign) else magnitude)

    def _word(self, offset: int) -> int:
        return int.from_bytes(self._memory[offset : offset + WORD], "little")

    def _number(self, offset: int, bits: int) -> int:
        """Reads an operand; another operand holds its length in bits."""
        words = -(-min(self._word(bits), 640) // 32)
        return int.from_bytes(self._memory[offset : offset + WORD * words], "little")

    def _put(self, offset: int, number: int, bits: int) -> None:
        size = WORD * -(-min(self._word(bits), 640) // 32)
        self._memory[offset : offset + size] = number.to_bytes(size, "little")


def _multiple(curve: Curve, k: int, point: Point) -> Point | None:
    """k times the point; None at infinity."""
    return p256.multiple(curve, k, point) or curve.multiply(k, point)
