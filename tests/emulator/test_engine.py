# SPDX-License-Identifier: Apache-2.0
"""The engine's behaviour on which the emulator relies: a changed behaviour after an upgrade fails a test here."""

from collections.abc import Callable
from pathlib import Path

import pytest

from virtual_bench.emulator.cpu import CPU, Crash
from virtual_bench.hardware.flash import Flash

CODE, RAM, REGISTERS = 0x20000000, 0x20010000, 0x40000000
NOP, WFI, BRANCH_TO_ITSELF = b"\x00\xbf", b"\x30\xbf", b"\xfe\xe7"
CPSID, CPSIE = b"\x72\xb6", b"\x62\xb6"
LOAD_R1_FROM_R0, STORE_R1_TO_R0 = b"\x01\x68", b"\x01\x60"
COUNT_R2, BRANCH_TO_LR = b"\x01\x32", b"\x70\x47"
REGISTERS_TO_R0, FLASH_TO_R0 = b"\x4f\xf0\x80\x40", b"\x4f\xf0\x00\x60"  # mov.w r0, #0x40000000 and #0x08000000


class Accesses:
    """Registers that record their accesses, and stop the core on request."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.stops: list[str] = []
        self.cpu: CPU | None = None
        self.stored: Callable[[int, int, int], bool] = lambda *_: False

    def read_register(self, *_where: int) -> int:
        self._note("read")
        return 7

    def write_register(self, _address: int, _width: int, value: int) -> None:
        self._note(f"write {value}")

    def _note(self, what: str) -> None:
        self.seen.append(what)
        if self.cpu is not None and what in self.stops:
            self.stops.remove(what)
            self.cpu.stop()


@pytest.fixture
def accesses() -> Accesses:
    return Accesses()


@pytest.fixture
def cpu(accesses: Accesses) -> CPU:
    cpu = CPU()
    cpu.map_memory(CODE, 0x20000)
    cpu.map_registers(REGISTERS, 0x1000)
    cpu.surround(accesses)
    accesses.cpu = cpu
    return cpu


def load(cpu: CPU, *code: bytes, at: int = CODE) -> None:
    cpu.write(at, b"".join(code))
    cpu.start(RAM, CODE | 1)


def test_a_run_ends_behind_wfi(cpu: CPU) -> None:
    """The next run continues after the WFI."""
    load(cpu, NOP, WFI, NOP, BRANCH_TO_ITSELF)
    cpu.run(100)
    assert cpu.pc == CODE + 4
    assert cpu.sleeps()
    cpu.run(100)
    assert cpu.pc == CODE + 6
    assert not cpu.sleeps()


def test_a_count_ends_a_run_exactly(cpu: CPU) -> None:
    """A run of N instructions executes N instructions."""
    load(cpu, NOP * 100, BRANCH_TO_ITSELF)
    for number in range(1, 30):
        cpu.run(3)
        assert cpu.pc == CODE + 6 * number


def test_a_read_that_stops_the_core_is_read_again(cpu: CPU, accesses: Accesses) -> None:
    """So only a register that may be read twice may stop the core."""
    accesses.stops = ["read"]
    load(cpu, REGISTERS_TO_R0, LOAD_R1_FROM_R0, STORE_R1_TO_R0, BRANCH_TO_ITSELF)
    cpu.run(100)
    assert cpu.pc == CODE + 4
    assert accesses.seen == ["read"]
    cpu.run(100)
    assert accesses.seen == ["read", "read", "write 7"]


def test_interrupts_are_masked_as_the_program_says(cpu: CPU) -> None:
    """The mask is read after each single instruction, around CPSID and CPSIE."""
    load(cpu, CPSID, NOP, CPSIE, BRANCH_TO_ITSELF)
    masked = []
    for _ in range(3):
        cpu.run(1)
        masked.append(cpu.interrupts_masked)
    assert masked == [True, True, False]


def test_a_handler_returns_to_where_it_came(cpu: CPU) -> None:
    """The stacked registers are restored; the handler's changes to the others stay."""
    handler = CODE + 0x100
    load(cpu, REGISTERS_TO_R0, COUNT_R2, NOP, STORE_R1_TO_R0, BRANCH_TO_ITSELF)
    cpu.write(handler, COUNT_R2 + b"\x09\x21" + BRANCH_TO_LR)  # adds #1, r2; movs r1, #9; bx lr
    cpu.run(2)
    before = cpu.pc
    cpu.enter_exception(16 + 28, handler | 1)
    assert cpu.run(100)
    cpu.leave_exception()
    assert cpu.pc == before
    assert not cpu.run(100)


@pytest.mark.parametrize("allowed", [True, False])
def test_a_store_into_flash_is_announced_before_it_is_done(
    cpu: CPU, accesses: Accesses, tmp_path: Path, *, allowed: bool
) -> None:
    """The hook runs before the store; if it refuses, the core crashes."""
    flash = Flash(tmp_path / "flash.bin", 0x08000000, 0x1000, 0x1000)
    stores: list[tuple[int, int, int]] = []

    def stored(*store: int) -> bool:
        assert flash.read(flash.base, 4) == b"\xff" * 4
        stores.append((store[0], store[1], store[2]))
        return allowed

    cpu.map_flash(flash.base, flash.size, executable=False).look_at(flash.descriptor)
    accesses.stored = stored
    cpu.surround(accesses)
    load(cpu, FLASH_TO_R0, STORE_R1_TO_R0)
    if allowed:
        cpu.run(2)
    else:
        with pytest.raises(Crash):
            cpu.run(2)
    assert stores == [(flash.base, 4, 0)]
    assert flash.read(flash.base, 4) == (bytes(4) if allowed else b"\xff" * 4)
    flash.close()


def test_what_is_no_instruction_crashes(cpu: CPU) -> None:
    """The crash names the address."""
    load(cpu, NOP, b"\x00\xde")
    with pytest.raises(Crash, match="0x20000002"):
        cpu.run(10)


def test_memory_that_is_not_there_crashes(cpu: CPU) -> None:
    """A load from an unmapped address crashes, and so does a jump to it."""
    load(cpu, b"\x00\x20", LOAD_R1_FROM_R0)
    with pytest.raises(Crash):
        cpu.run(10)
    load(cpu, b"\x00\x20", b"\x00\x47")
    with pytest.raises(Crash):
        cpu.run(10)
