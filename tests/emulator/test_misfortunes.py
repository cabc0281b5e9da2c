# SPDX-License-Identifier: Apache-2.0
"""The emulated chip with a wrong image, a failing peripheral, or a power cut."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.authority import Authority, Status, factory_data, key_in
from tests.emulator.chip_bench import MAKE_CSR, PROVE, STORE, ChipBench, Faults, Silent, image
from virtual_bench.board import factory_data as written
from virtual_bench.emulator.chip import PowerLost
from virtual_bench.emulator.cpu import Crash

PROVISIONING = image("provisioning-flash")
UNDEFINED_INSTRUCTION = b"\x00\xde"
RECORD = 0x08093000


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ChipBench]:
    bench = ChipBench(tmp_path)
    bench.external.program(written.ADDRESS, factory_data())
    bench.flash(PROVISIONING)
    yield bench
    bench.close()


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        random.Random(1).randbytes(9000),
        random.Random(2).randbytes(9000),
        PROVISIONING[: len(PROVISIONING) // 4],
        PROVISIONING[4:],
        b"\xff" * 4096 + PROVISIONING,
        image("provisioning-flash").replace(b"\x00\x00\x03\x20", b"\x00\x00\x00\x00", 1),
    ],
    ids=["erased", "random", "random again", "truncated", "beheaded", "at a wrong base", "without a stack"],
)
def test_a_wrong_image_says_nothing(bench: ChipBench, wrong: bytes) -> None:
    """The core crashes, or runs without output."""
    bench.flash(wrong)
    with pytest.raises((Crash, Silent)) as caught:
        bench.boot()
    assert caught.type is Crash or caught.value.args == (b"",)


def instructions_of_a_request(bench: ChipBench) -> list[int]:
    """Addresses executed for every request and for nothing before it; some run only for certain random numbers."""
    return sorted(set.intersection(*(_new_instructions(bench) for _ in range(32))))


def _new_instructions(bench: ChipBench) -> set[int]:
    bench.internal.erase(RECORD, 4096)
    seen: list[set[int]] = [set(), set()]
    chip = bench.reset()
    now = 0

    def executed(address: int) -> None:
        seen[now].add(address)

    chip.trace(executed)
    bench.hear_frame()
    now = 1
    bench.ask(MAKE_CSR)
    return seen[1] - seen[0]


@pytest.mark.slow
def test_one_overwritten_instruction_on_the_way_to_the_request_is_noticed(bench: ChipBench) -> None:
    """The board still sends HELLO, but never answers the request."""
    way = instructions_of_a_request(bench)
    assert len(way) > 500
    for address in random.Random(3).sample(way, 12):
        bench.flash(PROVISIONING)
        bench.internal.erase(RECORD, 4096)
        bench.internal.restore(address, UNDEFINED_INSTRUCTION)
        bench.boot()
        with pytest.raises(Crash, match=f"0x{address:08X}"):
            bench.ask(MAKE_CSR)


@pytest.mark.parametrize(
    ("fault", "deed"),
    [("random", 0), ("random", 1), ("accelerator", 0), ("accelerator", 1)],
    ids=["no key", "no signature", "key not computed", "signature not computed"],
)
def test_an_error_of_the_cryptography_is_told_and_passes(bench: ChipBench, fault: str, deed: int) -> None:
    """The board reports the error, and answers the next request."""
    setattr(bench.faults, fault, deed)
    bench.boot()
    assert bench.refusal(MAKE_CSR) == Status.CRYPTO
    assert bench.ask(MAKE_CSR)


@pytest.mark.parametrize("deed", [0, 1, 4])
def test_a_failure_of_the_external_flash_is_told(bench: ChipBench, deed: int) -> None:
    """The flash fails at the erase or at any page; after new factory data, the same key gets its DAC."""
    authority = Authority()
    bench.boot()
    first = key_in(bench.ask(MAKE_CSR))
    bench.faults = Faults(external_write=deed)
    bench.boot()
    assert bench.refusal(STORE, authority.certificates(authority.dac(first))) == Status.FLASH
    repair(bench, authority, authority.dac(first))


def repair(bench: ChipBench, authority: Authority, dac: bytes) -> None:
    """Provisions a returning board as the station does."""
    bench.faults = Faults()
    if bench.boot()[4] != 2:
        bench.external.erase(written.ADDRESS, written.BLOCK)
        bench.external.program(written.ADDRESS, factory_data())
        bench.boot()
    assert bench.ask(STORE, authority.certificates(dac)) == b"\0"
    assert len(bench.ask(PROVE, bytes(32))) == 64
    assert {3, 4, 6} <= written.records_in(bench.external).keys()


@pytest.mark.parametrize("storage", ["flash", "secure"])
def test_after_a_power_cut_at_any_write_a_board_is_provisioned_or_can_be(bench: ChipBench, storage: str) -> None:
    """A board that reports itself provisioned is; any other gets its factory data again, and then the same DAC."""
    bench.flash(image(f"provisioning-{storage}"))
    authority = Authority()
    bench.boot()
    dac = authority.dac(key_in(bench.ask(MAKE_CSR)))
    before = {flash: flash.read(flash.base, flash.size) for flash in (bench.internal, bench.external)}
    writes = 0
    while True:
        bench.faults = Faults(power=writes)
        bench.boot()
        try:
            bench.ask(STORE, authority.certificates(dac))
            break
        except PowerLost:
            repair(bench, authority, dac)
            for flash, content in before.items():
                flash.restore(flash.base, content)
            writes += 1
    assert writes > 5


@pytest.mark.parametrize("storage", ["flash", "secure"])
def test_a_power_cut_while_the_key_is_made_costs_the_key_and_nothing_else(
    bench: ChipBench, tmp_path: Path, storage: str
) -> None:
    """The power is cut at each write of the record; the next request makes a key or finds one."""
    bench.flash(image(f"provisioning-{storage}"))
    for writes in range(40):
        bench.internal.erase(RECORD, 4096)
        (tmp_path / "secure_storage.json").write_text("[]")
        bench.faults = Faults(power=writes)
        bench.boot()
        try:
            bench.ask(MAKE_CSR)
            break
        except PowerLost:
            bench.faults = Faults()
            bench.boot()
            assert key_in(bench.ask(MAKE_CSR)) == key_in(bench.ask(MAKE_CSR))
    assert 10 < writes < 39


def test_noise_on_the_line_is_not_an_answer(bench: ChipBench) -> None:
    """Noise bytes of every value precede a question, and the board still answers it."""
    chip = bench.reset()
    bench.hear_frame()
    chip.usart.arrive(bytes(range(256)) + b"\0")
    assert bench.ask(MAKE_CSR)
