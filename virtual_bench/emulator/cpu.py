# SPDX-License-Identifier: Apache-2.0
"""The Cortex-M4: Unicorn behind a few typed methods. Nothing else in the bench imports the engine.

This module and its callers work around three of its habits: a stop within a store executes the store twice, so only
reads stop it; WFI ends a run with the program counter behind it; the return from an exception appears as interrupt
number 8.

What happens thousands of times a board calls the engine's C functions, since its Python layer costs several times the
call itself.
"""

import ctypes
import mmap
import struct
from collections.abc import Callable
from typing import Protocol

import unicorn
from unicorn import arm_const
from unicorn.unicorn_py3 import unicorn as binding

CODE_BUFFER = 1 << 20  # bytes, in small pages: what is not used costs nothing; the default is 1 GB for every core
NOWHERE = 0xFFFFFFF0
EXCEPTION_EXIT = 8
CRASHES = {1: "no instruction", 2: "a supervisor call", 3: "nothing to execute", 4: "no data"}  # the engine's numbers
PAGE = 4096
WFI = b"\x30\xbf"
THUMB_BIT = 1
READ_ONLY = unicorn.UC_PROT_READ
EXECUTABLE = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
STACKED = ("R0", "R1", "R2", "R3", "R12", "LR", "PC", "XPSR")
OF_PROGRAM = (
    *(f"R{number}" for number in range(13)),
    *(f"S{number}" for number in range(32)),
    *("FPSCR", "CONTROL", "MSP", "PSP", "SP", "LR", "XPSR", "PRIMASK", "BASEPRI", "FAULTMASK", "PC"),
)
FRAME = struct.Struct("<8I")
EXCEPTION_RETURN = 0xFFFFFFF9
THUMB_STATE = 1 << 24  # XPSR
REALIGNED = 1 << 9  # XPSR in a frame: its stack was no multiple of eight
SP, PC, PRIMASK = arm_const.UC_ARM_REG_SP, arm_const.UC_ARM_REG_PC, arm_const.UC_ARM_REG_PRIMASK
MASKED = 1

# The same library, called without giving up the interpreter's lock, which its callbacks would have to take back each time.
_engine = ctypes.PyDLL(binding.uclib._name)  # noqa: SLF001  where the binding has found it
for _name in ("emu_start", "reg_read", "reg_read_batch", "reg_write_batch", "mem_read", "mem_write"):
    _function, _typed = (getattr(library, f"uc_{_name}") for library in (_engine, binding.uclib))
    _function.restype, _function.argtypes = _typed.restype, _typed.argtypes

_locked = ctypes.PyDLL(None)
_locked.memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
_MAP_FIXED = 0x10
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


class Crash(Exception):
    """The core cannot continue; the text says why."""


class Registers(Protocol):
    """What is around the core, and takes its accesses."""

    def read_register(self, address: int, width: int) -> int: ...

    def write_register(self, address: int, width: int, value: int) -> None: ...

    def stored(self, address: int, width: int, value: int) -> bool:
        """Called before a store into read-only memory. If it returns true, the store follows; else the core crashes."""


class NoRegisters:
    """A core with memory only."""

    def read_register(self, address: int, width: int) -> int:
        raise ValueError(address, width)

    def write_register(self, address: int, width: int, value: int) -> None:
        raise ValueError(address, width, value)

    def stored(self, address: int, width: int, value: int) -> bool:
        del address, width, value
        return False


class FlashWindow:
    """A range of this process's memory in which the file of one flash or another is seen."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory = mmap.mmap(-1, size)
        self.place = _place_of(self._memory)

    def look_at(self, file: int) -> None:
        """Shows another file, given by its descriptor. The range stays where it is, so no core notices."""
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        if _libc.mmap(self.place, self._size, protection, mmap.MAP_SHARED | _MAP_FIXED, file, 0) != self.place:
            raise OSError(ctypes.get_errno(), "a flash's file cannot be mapped")


def differing_pages(memory: mmap.mmap, other: bytearray, size: int) -> list[int]:
    """Where two pieces of memory differ, in pages, without copies of either."""
    first, second = _place_of(memory), _place_of(other)
    if not _locked.memcmp(first, second, size):
        return []
    return [at for at in range(0, size, PAGE) if _locked.memcmp(first + at, second + at, PAGE)]


def _place_of(memory: mmap.mmap | bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


class CPU:
    """One core and its view of the memories."""

    def __init__(self) -> None:
        self._engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        self._engine.ctl_set_tcg_buffer_size(CODE_BUFFER)
        self._engine.hook_add(unicorn.UC_HOOK_INTR, self._interrupted)
        self._engine.hook_add(unicorn.UC_HOOK_MEM_WRITE_PROT, self._stored)
        self._handle = self._engine._uch  # noqa: SLF001  what the C functions want
        self._kept: list[object] = []  # what the engine uses, but has no reference to
        self._frame = _Registers(self._handle, (*STACKED, "SP"))
        self._entry = _Registers(self._handle, ("SP", "LR", "XPSR", "PC"))
        self._all = _Registers(self._handle, OF_PROGRAM)
        self._number = ctypes.c_uint32()
        self._at_number = ctypes.byref(self._number)
        self._instruction = ctypes.create_string_buffer(len(WFI))
        self._word = ctypes.create_string_buffer(4)
        self._stacked = ctypes.create_string_buffer(FRAME.size)
        self._pc: int | None = None  # the program counter, if it is known
        self.written: set[int] = set()  # pages that were written from outside since their translation was forgotten
        self._exception: int | None = None
        self._refused: Crash | None = None
        self._failed: BaseException | None = None  # within a callback
        self.surround(NoRegisters())

    def surround(self, registers: Registers) -> None:
        """Sends all accesses to registers, and stores into flash, there."""
        self._read, self._write, self._store = registers.read_register, registers.write_register, registers.stored

    @property
    def pc(self) -> int:
        pc = self._pc
        if pc is None:
            pc = self._pc = self._register(PC)
        return pc

    @property
    def interrupts_masked(self) -> bool:
        return bool(self._register(PRIMASK) & MASKED)

    def _register(self, number: int) -> int:
        _engine.uc_reg_read(self._handle, number, self._at_number)
        return self._number.value

    def map_memory(self, address: int, size: int) -> mmap.mmap:
        """Maps RAM, and returns its bytes."""
        memory = mmap.mmap(-1, size)
        self._kept.append(memory)
        self._engine.mem_map_ptr(address, size, unicorn.UC_PROT_ALL, _place_of(memory))
        return memory

    def map_flash(self, address: int, size: int, *, executable: bool) -> FlashWindow:
        """Maps memory that shows a flash's file; stores into it go to the handler of stores."""
        window = FlashWindow(size)
        self._kept.append(window)
        self._engine.mem_map_ptr(address, size, EXECUTABLE if executable else READ_ONLY, window.place)
        return window

    def map_registers(self, address: int, size: int) -> None:
        """Sends every access in the range to what surrounds the core, with the whole address and the width."""

        def asked(_engine: int, offset: int, width: int, _user: int) -> int:
            try:
                return self._read(address + offset, width)
            except BaseException as exc:  # noqa: BLE001  raised by `run`: nothing may pass through the engine
                self._fail(exc)
                return 0

        def told(_engine: int, offset: int, width: int, value: int, _user: int) -> None:
            try:
                self._write(address + offset, width, value)
            except BaseException as exc:  # noqa: BLE001  as above
                self._fail(exc)

        callbacks = binding.MMIO_READ_CFUNC(asked), binding.MMIO_WRITE_CFUNC(told)
        self._kept += callbacks
        reader, writer = (ctypes.cast(callback, type(callback)) for callback in callbacks)
        if status := binding.uclib.uc_mmio_map(self._handle, address, size, reader, 0, writer, 0):
            raise unicorn.UcError(status)

    def save(self) -> object:
        """The whole state of the core's registers; only this same core can restore it, since it has pointers of the engine."""
        return self._engine.context_save()

    def restore(self, state: object) -> None:
        self._pc = None
        self._engine.context_restore(state)

    def registers_of_program(self) -> list[int]:
        """The registers that a program knows, for another core."""
        return self._all.read()

    def set_registers_of_program(self, values: list[int]) -> None:
        self._pc = None
        self._all.write(*values)

    def forget(self, address: int, size: int) -> None:
        """Forgets what it has translated from there; the engine does not see memory that others change."""
        self._engine.ctl_remove_cache(address, address + size)

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
        if _engine.uc_mem_write(self._handle, address, data, len(data)):
            raise Crash(f"nothing to write at 0x{address:08X}")
        self.written.update((address & -PAGE, (address + len(data) - 1) & -PAGE))

    def word(self, address: int) -> int:
        """A word of memory. Raises Crash at an address without memory."""
        return int.from_bytes(self._fetched(address, self._word), "little")

    def _fetched(self, address: int, into: "ctypes.Array[ctypes.c_char]") -> bytes:
        """Fills the buffer from memory. Raises Crash."""
        if _engine.uc_mem_read(self._handle, address, into, len(into)):
            raise Crash(f"nothing to read at 0x{address:08X}")
        return into.raw

    def start(self, stack: int, entry: int) -> None:
        """Loads stack pointer and program counter from the vector table, as a reset does. Raises Crash."""
        if not entry & THUMB_BIT:
            raise Crash(f"the reset vector, 0x{entry:08X}, is no Thumb code")
        self._pc = None
        self._engine.reg_write(arm_const.UC_ARM_REG_SP, stack & ~3)
        self._engine.reg_write(arm_const.UC_ARM_REG_LR, 0xFFFFFFFF)
        self._engine.reg_write(arm_const.UC_ARM_REG_PC, entry)

    def run(self, count: int) -> bool:
        """Executes up to that many instructions; returns whether a handler's return ended the run. Raises Crash."""
        self._exception = self._refused = None
        start, self._pc = self.pc | THUMB_BIT, None
        status = _engine.uc_emu_start(self._handle, start, NOWHERE, 0, count)
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        if status:
            raise Crash(f"{unicorn.UcError(status)} at 0x{self.pc:08X}")
        return self._ended_handler()

    def stop(self) -> None:
        """Ends a run from within a read of a register; the next run repeats the read.

        Not in an IT block: there the run ends behind the read, or not at all.
        """
        self._engine.emu_stop()

    def refuse(self, crash: Crash) -> None:
        """Ends a run for good, from within an access."""
        self._refused = crash
        self._engine.emu_stop()

    def sleeps(self) -> bool:
        """Whether the last instruction was a WFI. A jump to just behind a WFI looks the same, but is rare and harmless."""
        size = len(WFI)
        status = _engine.uc_mem_read(self._handle, self.pc - size, self._instruction, size)
        return not status and self._instruction.raw == WFI

    def enter_exception(self, number: int, handler: int) -> None:
        """Stacks the registers that a handler may use, and enters it."""
        *frame, xpsr, stack = self._frame.read()
        odd = stack & 4
        stack = stack - odd - FRAME.size
        self.write(stack, FRAME.pack(*frame, xpsr | odd << 7))
        self._entry.write(stack, EXCEPTION_RETURN, THUMB_STATE | number, handler | THUMB_BIT)
        self._pc = None

    def leave_exception(self) -> None:
        """Unstacks the registers, and resumes where the exception interrupted. Raises Crash."""
        stack = self._register(SP)
        *frame, pc, xpsr = FRAME.unpack(self._fetched(stack, self._stacked))
        realigned = xpsr >> 7 & 4
        self._pc = None
        self._frame.write(*frame, pc | THUMB_BIT, xpsr & ~REALIGNED, stack + FRAME.size + realigned)

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

    def _stored(self, _engine: object, _access: int, address: int, width: int, value: int, _user: object) -> bool:
        return self._store(address, width, value & ((1 << 8 * width) - 1))

    def _fail(self, exc: BaseException) -> None:
        self._failed = self._failed or exc
        self._engine.emu_stop()


class _Registers:
    """Several registers of a core, read and written by one call each."""

    def __init__(self, handle: object, names: tuple[str, ...]) -> None:
        self._handle = handle
        self._numbers = (ctypes.c_int32 * len(names))(*(getattr(arm_const, f"UC_ARM_REG_{name}") for name in names))
        self._values = (ctypes.c_uint32 * len(names))()
        start, size = ctypes.addressof(self._values), ctypes.sizeof(ctypes.c_uint32)
        self._places = (ctypes.c_void_p * len(names))(*(start + size * number for number in range(len(names))))

    def read(self) -> list[int]:
        _engine.uc_reg_read_batch(self._handle, self._numbers, self._places, len(self._values))
        return [*self._values]

    def write(self, *values: int) -> None:
        self._values[:] = [*values]
        _engine.uc_reg_write_batch(self._handle, self._numbers, self._places, len(self._values))
