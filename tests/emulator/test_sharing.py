# SPDX-License-Identifier: Apache-2.0
"""Chips that share a core of the engine: each executes its own bytes with its own registers and memories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.chip_bench import ChipBench
from virtual_bench.emulator.chip import Chip, FromRAM
from virtual_bench.emulator.cpu import PAGE
from virtual_bench.emulator.sharing import RAM

CODE, COUNT_AT = 0x08000100, 0x20000100
START = (RAM[0] + 0x8000).to_bytes(4, "little") + (CODE | 1).to_bytes(4, "little")
COUNTS = bytes.fromhex("40f20010 c2f20000 0268 0132 0260 fbe7".replace(" ", ""))  # r0 = COUNT_AT; again: ++*r0
STEP = 10  # where in the code the step is, which the tests change


def program(step: int = 1, code: bytes = COUNTS) -> bytes:
    return START + bytes(CODE - 0x08000000 - len(START)) + code[:STEP] + bytes([step]) + code[STEP + 1 :]


@pytest.fixture
def benches(tmp_path: Path) -> Iterator[list[ChipBench]]:
    benches = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        benches.append(ChipBench(tmp_path / name))
    yield benches
    for bench in benches:
        bench.close()


def count(chip: Chip) -> int:
    start = COUNT_AT - RAM[0]
    return int.from_bytes(chip.ram()[start : start + 4], "little")


def started(bench: ChipBench, image: bytes) -> Chip:
    bench.flash(image)
    return bench.reset()


def test_each_chip_keeps_its_registers_and_its_memory(benches: list[ChipBench]) -> None:
    """Chips that run in turns count as far as one that runs alone."""
    first, second = (started(bench, program()) for bench in benches)
    first.run()
    alone = count(first)
    for _ in range(3):
        second.run()
        first.run()
    assert alone > 1000
    assert abs(count(first) - 4 * alone) <= 3
    assert abs(count(second) - 3 * alone) <= 3


def test_a_chip_executes_its_own_flash(benches: list[ChipBench]) -> None:
    """The programs differ in one byte of one instruction."""
    first, second = (started(bench, program(step)) for bench, step in zip(benches, (1, 5), strict=True))
    for _ in range(3):
        first.run()
        second.run()
    assert abs(count(second) - 5 * count(first)) <= 10


def test_a_chip_executes_what_is_written_into_its_flash_later(benches: list[ChipBench]) -> None:
    """A probe changes the flash of one of two running chips, and then back."""
    first, second = (started(bench, program()) for bench in benches)
    first.run()
    second.run()
    rate = count(first)
    for step in (7, 1):
        benches[1].internal.erase(CODE, PAGE)
        benches[1].internal.program(0x08000000, program(step))
        before = count(second)
        second.run()
        assert abs(count(second) - before - step * rate) <= 10
        first.run()
    assert abs(count(first) - 3 * rate) <= 3


def test_a_chip_executes_its_own_ram(benches: list[ChipBench]) -> None:
    """Two chips with the same flash execute the same place in RAM, where each has another instruction."""
    at, chips = RAM[0] + 0x1000, []
    for bench, step in zip(benches, (1, 5), strict=True):
        chips.append(started(bench, START[:4] + (at | 1).to_bytes(4, "little")))
        chips[-1].cpu.write(at, program(step)[CODE - 0x08000000 :])
    for _ in range(3):
        for chip in chips:
            chip.run()
    first, second = map(count, chips)
    assert first > 1000
    assert abs(second - 5 * first) <= 10


def test_chips_that_start_in_ram_execute_what_was_loaded(benches: list[ChipBench]) -> None:
    """What is loaded into two chips differs in one byte of one instruction."""
    at, chips = RAM[0] + 0x1000, []
    for bench, step in zip(benches, (1, 5), strict=True):
        content = bytes(at - RAM[0]) + START[:4] + (at + 0x100 | 1).to_bytes(4, "little") + program(step)[8:]
        chips.append(bench.started_in_ram(FromRAM(content + bytes(RAM[1] - len(content)), at)))
    for _ in range(3):
        for chip in chips:
            chip.run()
    first, second = map(count, chips)
    assert first > 1000
    assert abs(second - 5 * first) <= 10
