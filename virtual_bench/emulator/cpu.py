# SPDX-License-Identifier: Apache-2.0
"""The Cortex-M4: Unicorn behind a few typed methods. Nothing else in the bench imports the engine.

This module and its callers work around three of its habits: a stop within a store executes the store twice, so only
reads stop it; WFI ends a run with the program counter behind it; the return from an exception appears as interrupt
number 8.
"""

from collections.abc import Callable

import unicorn
from unicorn import arm_const

CODE_BUFFER = 1 << 20  # bytes, in small pages: what is not used costs nothing; the default is 1 GB for every core
NOWHERE = 0xFFFFFFF0
EXCEPTION_EXIT = 8
CRASHES = {1: "no instruction", 2: "a supervisor call", 3: "nothing to execute", 4: "no data"}  # the engine's numbers
WFI = b"\x30\xbf"
THUMB_BIT = 1
READ_ONLY = unicorn.UC_PROT_READ
EXECUTABLE = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
STACKED = tuple(
    getattr(arm_const, f"UC_ARM_REG_{name}") for name in ("R0", "R1", "R2", "R3", "R12", "LR", "PC", "XPSR")
)
MASKED = 1

Reader = Callable[[int, int], int]
Writer = Callable[[int, int, int], None]


class Crash(Exception):
    """The core cannot continue; the text says why."""


class CPU:
    """One core and its view of the memories."""

    def __init__(self) -> None:
        self._engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        self._engine.ctl_set_tcg_buffer_size(CODE_BUFFER)
        self._engine.hook_add(unicorn.UC_HOOK_INTR, self._interrupted)
        self._exception: int | None = None
        self._refused: Crash | None = None

    @property
    def pc(self) -> int:
        return int(self._engine.reg_read(arm_const.UC_ARM_REG_PC))

    @property
    def interrupts_masked(self) -> bool:
        return bool(self._engine.reg_read(arm_const.UC_ARM_REG_PRIMASK) & MASKED)

    def map_memory(self, address: int, size: int) -> None:
        """Maps RAM that belongs to the core and is lost at a reset."""
        self._engine.mem_map(address, size)

    def map_flash(self, address: int, size: int, host: int, *, executable: bool) -> None:
        """Maps memory of this process; stores into it go to the handler of stores."""
        self._engine.mem_map_ptr(address, size, EXECUTABLE if executable else READ_ONLY, host)

    def map_registers(self, address: int, size: int, read: Reader, write: Writer) -> None:
        """Calls these two functions at every access in the range, with the whole address and the width."""
        self._engine.mmio_map(
            address,
            size,
            lambda _engine, offset, width, _user: read(address + offset, width),
            None,
            lambda _engine, offset, width, value, _user: write(address + offset, width, value),
            None,
        )

    def on_store_to_flash(self, stored: Callable[[int, int, int], bool]) -> None:
        """Calls this before a store into read-only memory.

        If it returns true, the store follows; else the core crashes.
        """
        self._engine.hook_add(
            unicorn.UC_HOOK_MEM_WRITE_PROT,
            lambda _engine, _access, address, width, value, _user: stored(
                address, width, value & ((1 << 8 * width) - 1)
            ),
        )

    def trace(self, executed: Callable[[int], None]) -> None:
        """Calls this with the address of each instruction before the core executes it."""
        self._engine.hook_add(unicorn.UC_HOOK_CODE, lambda _engine, address, _size, _user: executed(address))

    def show(self, address: int, size: int, *, visible: bool) -> None:
        """Lets the core read a range, or makes a read crash it."""
        self._engine.mem_protect(address, size, READ_ONLY if visible else unicorn.UC_PROT_NONE)

    def read(self, address: int, size: int) -> bytes:
        """Reads memory, not registers. Raises Crash at an address without memory."""
        try:
            return bytes(self._engine.mem_read(address, size))
        except unicorn.UcError as exc:
            raise Crash(f"nothing to read at 0x{address:08X}") from exc

    def write(self, address: int, data: bytes) -> None:
        """Writes memory. Raises Crash at an address without memory."""
        try:
            self._engine.mem_write(address, data)
        except unicorn.UcError as exc:
            raise Crash(f"nothing to write at 0x{address:08X}") from exc

    def start(self, stack: int, entry: int) -> None:
        """Loads stack pointer and program counter from the vector table, as a reset does. Raises Crash."""
        if not entry & THUMB_BIT:
            raise Crash(f"the reset vector, 0x{entry:08X}, is no Thumb code")
        self._engine.reg_write(arm_const.UC_ARM_REG_SP, stack & ~3)
        self._engine.reg_write(arm_const.UC_ARM_REG_LR, 0xFFFFFFFF)
        self._engine.reg_write(arm_const.UC_ARM_REG_PC, entry)

    def run(self, count: int) -> bool:
        """Executes up to that many instructions; returns whether a handler's return ended the run. Raises Crash."""
        self._exception = self._refused = None
        try:
            self._engine.emu_start(self.pc | THUMB_BIT, NOWHERE, count=count)
        except unicorn.UcError as exc:
            raise Crash(f"{exc} at 0x{self.pc:08X}") from exc
        return self._ended_handler()

    def stop(self) -> None:
        """Ends a run from within a read of a register; the next run repeats the read."""
        self._engine.emu_stop()

    def refuse(self, crash: Crash) -> None:
        """Ends a run for good, from within an access."""
        self._refused = crash
        self._engine.emu_stop()

    def sleeps(self) -> bool:
        """Whether the last instruction was a WFI. A jump to just behind a WFI looks the same, but is rare and harmless."""
        try:
            return bytes(self._engine.mem_read(self.pc - 2, 2)) == WFI
        except unicorn.UcError:
            return False

    def enter_exception(self, number: int, handler: int) -> None:
        """Stacks the registers that a handler may use, and enters it."""
        engine = self._engine
        frame = engine.reg_read_batch(STACKED)
        stack = engine.reg_read(arm_const.UC_ARM_REG_SP)
        odd = stack & 4
        stack = stack - odd - 32
        words = [*frame[:7], frame[7] | odd << 7]
        self.write(stack, b"".join(int(word & 0xFFFFFFFF).to_bytes(4, "little") for word in words))
        engine.reg_write(arm_const.UC_ARM_REG_SP, stack)
        engine.reg_write(arm_const.UC_ARM_REG_LR, 0xFFFFFFF9)
        engine.reg_write(arm_const.UC_ARM_REG_XPSR, 1 << 24 | number)
        engine.reg_write(arm_const.UC_ARM_REG_PC, handler | THUMB_BIT)

    def leave_exception(self) -> None:
        """Unstacks the registers, and resumes where the exception interrupted. Raises Crash."""
        engine = self._engine
        stack = engine.reg_read(arm_const.UC_ARM_REG_SP)
        data = self.read(stack, 32)
        frame = [int.from_bytes(data[at : at + 4], "little") for at in range(0, 32, 4)]
        xpsr = frame[7]
        engine.reg_write(arm_const.UC_ARM_REG_XPSR, xpsr & ~(1 << 9))
        engine.reg_write_batch(
            [
                *zip(STACKED[:6], frame[:6], strict=True),
                (arm_const.UC_ARM_REG_SP, stack + 32 + (xpsr >> 7 & 4)),
                (arm_const.UC_ARM_REG_PC, frame[6] | THUMB_BIT),
            ]
        )

    def _ended_handler(self) -> bool:
        """The cause that ended a run, besides its count and WFI. Raises Crash."""
        if self._refused is not None:
            raise self._refused
        if self._exception is not None and self._exception != EXCEPTION_EXIT:
            raise Crash(f"{CRASHES.get(self._exception, f'exception {self._exception}')} at 0x{self.pc:08X}")
        return self._exception == EXCEPTION_EXIT

    def _interrupted(self, _engine: object, number: int, _user: object) -> None:
        self._exception = number
        self._engine.emu_stop()
