# SPDX-License-Identifier: Apache-2.0
"""Peripherals by their registers, without a core, compared with RM0434 and ST's headers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from tests.emulator.chip_bench import Faults
from virtual_bench.emulator.chip_time import MILLISECOND, NEVER, ChipTime
from virtual_bench.emulator.clocks import Clocks
from virtual_bench.emulator.dma import DMA, Multiplexer
from virtual_bench.emulator.flash_controller import FlashController
from virtual_bench.emulator.nor_flash import NORFlash
from virtual_bench.emulator.pins import Pins
from virtual_bench.emulator.pka import PKA
from virtual_bench.emulator.quadspi import QUADSPI
from virtual_bench.emulator.semaphores import Semaphores
from virtual_bench.emulator.timer import Timer
from virtual_bench.emulator.usart import USART
from virtual_bench.hardware.flash import Flash
from virtual_bench.timing.profile import Profile

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
KEY = ec.derive_private_key(0x1234567890ABCDEF << 130 | 77, ec.SECP256R1())
DIGEST = 0x9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08


class Accelerator:
    """The PKA from a driver's view: numbers are little-endian words at the header's offsets."""

    def __init__(self) -> None:
        self.time = ChipTime()
        self.faults = Faults()
        self.pka = PKA(self.time, self.faults, 0.08)

    def put(self, offset: int, number: int) -> None:
        for word in range(8):
            self.pka.write(offset + 4 * word, 4, number >> 32 * word & 0xFFFFFFFF)

    def get(self, offset: int) -> int:
        return sum(self.pka.read(offset + 4 * word, 4) << 32 * word for word in range(8))

    def run(self, mode: int) -> int:
        """Runs an operation; returns the flags at its end."""
        self.pka.write(0x00, 4, 1)
        self.pka.write(0x00, 4, 1 | mode << 8 | 2)
        assert self.pka.read(0x04, 4) == 1 << 16
        return self.pka.read(0x04, 4)


@pytest.fixture
def accelerator() -> Accelerator:
    return Accelerator()


def test_a_multiplication_makes_the_public_key(accelerator: Accelerator) -> None:
    """Scalar at 0x508, point at 0x55C and 0x5B0; the product replaces the point."""
    for offset, value in ((0x400, 256), (0x404, 256), (0x408, 1)):
        accelerator.pka.write(offset, 4, value)
    numbers = KEY.private_numbers()
    for offset, value in ((0x40C, 3), (0x460, P), (0x508, numbers.private_value), (0x55C, G[0]), (0x5B0, G[1])):
        accelerator.put(offset, value)
    assert accelerator.run(0x20) == 1 << 17
    assert accelerator.time.now == 80 * MILLISECOND
    assert accelerator.time.has_leapt()
    public = numbers.public_numbers
    assert (accelerator.get(0x55C), accelerator.get(0x5B0)) == (public.x, public.y)


def sign(accelerator: Accelerator, n_at: int = 0xE94) -> tuple[int, int, int]:
    """Signs; returns r, s and the error word."""
    for offset, value in ((0x400, 256), (0x404, 256), (0x408, 1)):
        accelerator.pka.write(offset, 4, value)
    operands = ((0x40C, 3), (0x460, P), (0x508, 0xC0FFEE << 200), (0x55C, G[0]), (0x5B0, G[1]), (0xDE8, DIGEST))
    for offset, value in (*operands, (0xE3C, KEY.private_numbers().private_value), (n_at, N)):
        accelerator.put(offset, value)
    accelerator.run(0x24)
    return accelerator.get(0x700), accelerator.get(0x754), accelerator.pka.read(0xEE8, 4)


def test_a_signature_verifies_elsewhere(accelerator: Accelerator) -> None:
    """Another library verifies it. The hash is at 0xDE8, the key at 0xE3C, the order at 0xE94."""
    r, s, error = sign(accelerator)
    assert error == 0
    digest = DIGEST.to_bytes(32)
    KEY.public_key().verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def test_an_operand_in_a_wrong_place_makes_no_signature(accelerator: Accelerator) -> None:
    """Some drivers wrote the order to 0xE90."""
    assert sign(accelerator, n_at=0xE90)[:2] != sign(Accelerator())[:2]


@pytest.mark.parametrize(("change", "result"), [(0, 0), (1, 1)])
def test_a_verification_tells_right_from_wrong(accelerator: Accelerator, change: int, result: int) -> None:
    """The result's word is 0 if the signature is valid."""
    signature = KEY.sign(DIGEST.to_bytes(32), ec.ECDSA(Prehashed(hashes.SHA256())))
    r, s = decode_dss_signature(signature)
    public = KEY.private_numbers().public_numbers
    for offset, value in ((0x404, 256), (0x4B4, 256), (0x45C, 1)):
        accelerator.pka.write(offset, 4, value)
    operands = ((0x460, 3), (0x4B8, P), (0x5E8, G[0]), (0x63C, G[1]), (0xF40, public.x), (0xF94, public.y))
    for offset, value in (*operands, (0x1098, r), (0xA44, s), (0xFE8, DIGEST ^ change), (0xD5C, N)):
        accelerator.put(offset, value)
    assert accelerator.run(0x26) == 1 << 17
    assert accelerator.pka.read(0x5B0, 4) == result


def test_an_accelerator_that_fails_says_so(accelerator: Accelerator) -> None:
    """The accelerator reports its address error once."""
    accelerator.faults.accelerator = 0
    assert accelerator.run(0x20) == 1 << 20
    accelerator.pka.write(0x08, 4, 1 << 20)
    assert accelerator.pka.read(0x04, 4) == 0


def clocks_at_64_mhz() -> Clocks:
    """The PLL: half of the crystal's 32 MHz, times eight, halved."""
    clocks = Clocks()
    clocks.write(0x0C, 4, 3 | 1 << 4 | 8 << 8 | 1 << 28 | 1 << 29)
    clocks.write(0x08, 4, 3)
    return clocks


def test_the_clock_is_what_the_registers_say() -> None:
    """After a reset the clock has 4 MHz."""
    assert Clocks().frequency == 4_000_000
    assert clocks_at_64_mhz().frequency == 64_000_000


def test_a_timer_reaches_its_compare_value_at_the_moment_it_interrupts() -> None:
    """With a count one short at the interrupt, a core that checks the count would sleep for ever."""
    time = ChipTime()
    timer = Timer(time, clocks_at_64_mhz())
    for offset, value in ((0x28, 63_999), (0x14, 1), (0x10, 0), (0x00, 1)):
        timer.write(offset, 4, value)
    for wanted in (1, 7, 333, 500, 99_999):
        time.now += 123_457
        timer.write(0x10, 4, 0xFFFFFFFD)
        timer.write(0x34, 4, timer.read(0x24, 4) + wanted)
        timer.write(0x0C, 4, 2)
        expected = timer.read(0x34, 4)
        time.reach(timer.interrupt_at())
        assert timer.read(0x24, 4) == expected
        assert timer.read(0x10, 4) & 2
        timer.write(0x10, 4, 0xFFFFFFFD)
        assert timer.interrupt_at() == NEVER


MEMORY = 0x20000000, 0x40000


class RAM:
    """Memory from address 0x20000000 on, which the DMA writes."""

    def __init__(self) -> None:
        self.content = bytearray(16)

    def write(self, address: int, data: bytes) -> None:
        start = address - 0x20000000
        assert 0 <= start <= start + len(data) <= len(self.content)
        self.content[start : start + len(data)] = data


def serial_line(baud_rate: int = 115_200, dma: DMA | None = None) -> tuple[ChipTime, USART]:
    """USART1 with its pins and FIFOs enabled, and an interrupt at four bytes or an idle line."""
    time, clocks, pins = ChipTime(), clocks_at_64_mhz(), Pins()
    pins.write(0x00, 4, 0b1010 << 12)
    pins.write(0x20, 4, 0x77 << 24)
    usart = USART(time, clocks, pins, dma or DMA(RAM(), MEMORY, Multiplexer()), 115_200)
    usart.write(0x0C, 4, 64_000_000 // baud_rate)
    usart.write(0x08, 4, 2 << 25 | 1 << 28)
    usart.write(0x00, 4, 1 << 29 | 1 << 4 | 0b1101)
    return time, usart


def received(usart: USART) -> bytes:
    data = bytearray()
    while usart.read(0x1C, 4) & 1 << 5:
        data.append(usart.read(0x24, 4))
    return bytes(data)


def test_bytes_arrive_one_after_the_other() -> None:
    """Four bytes interrupt after forty bit times, the last ones when the line falls idle."""
    time, usart = serial_line()
    usart.arrive(b"abcdef")
    assert usart.interrupt_at() == pytest.approx(4 * 10 / 115_200 * 1e9, abs=100)
    time.reach(usart.interrupt_at())
    assert received(usart) == b"abcd"
    time.reach(usart.interrupt_at())
    assert time.now == pytest.approx(7 * 10 / 115_200 * 1e9, abs=100)
    assert received(usart) == b"ef"
    usart.write(0x20, 4, 1 << 4)
    assert usart.interrupt_at() == NEVER


def test_a_core_that_does_not_come_loses_bytes() -> None:
    """The UART's FIFO holds eight bytes."""
    time, usart = serial_line()
    usart.arrive(bytes(range(12)))
    time.now = MILLISECOND * 5
    assert usart.read(0x1C, 4) & 1 << 3
    assert received(usart) == bytes(range(8))


def test_a_core_goes_on_at_once_when_its_fifo_has_been_sent() -> None:
    """It stops only after a wait in which the bench might pull the board."""
    time, usart = serial_line()
    for byte in b"8 bytes!!":
        usart.write(0x28, 4, byte)
    assert not usart.read(0x1C, 4) & 1 << 7
    assert time.now == pytest.approx(9 * 10 / 115_200 * 1e9, abs=1000)
    assert not time.has_leapt()


def test_many_short_waits_of_a_turn_are_a_long_one() -> None:
    """Their sum counts, not the longest of them, until the next turn begins."""
    time = ChipTime()
    stops: list[int] = []
    time.interrupt = lambda: stops.append(time.now)
    for _ in range(21):
        time.await_in_vain()
    assert stops == [21 * MILLISECOND]
    time.begin_turn()
    time.await_in_vain()
    assert len(stops) == 1


def line_with_dma(
    baud_rate: int = 115_200,
    *,
    request: int = 14,
    source: int = 0x40013824,
    target: int = 0x20000000,
    control: int = 1 << 7 | 1 << 5 | 1,
) -> tuple[ChipTime, USART, DMA, RAM]:
    """The serial line whose bytes the DMA puts into a ring of eight."""
    ram, multiplexer = RAM(), Multiplexer()
    dma = DMA(ram, MEMORY, multiplexer)
    multiplexer.write(0x00, 4, request)
    for offset, value in ((0x10, source), (0x14, target), (0x0C, 8), (0x08, control)):
        dma.write(offset, 4, value)
    time, usart = serial_line(baud_rate, dma)
    usart.write(0x08, 4, 1 << 6)
    return time, usart, dma, ram


def test_the_dma_puts_what_comes_into_a_ring() -> None:
    """Its count goes down with each byte and begins anew; only the idle line interrupts."""
    time, usart, dma, ram = line_with_dma()
    usart.arrive(b"0123456789")
    time.now = usart.interrupt_at()
    assert time.now == pytest.approx(11 * 10 / 115_200 * 1e9, abs=1000)
    assert usart.interrupt_at() == 0
    assert (dma.read(0x0C, 4), bytes(ram.content)) == (6, b"89234567" + bytes(8))
    assert received(usart) == b""
    assert not usart.read(0x1C, 4) & 1 << 3


def test_the_dma_has_moved_only_what_has_arrived() -> None:
    time, usart, dma, ram = line_with_dma()
    usart.arrive(b"01234567")
    time.now = round(3.5 * 10 / 115_200 * 1e9)
    usart.interrupt_at()
    assert (dma.read(0x0C, 4), bytes(ram.content[:4])) == (5, b"012\0")


def test_the_dma_ends_without_its_ring() -> None:
    """After the last byte of its count, the FIFO fills as if there were no DMA."""
    time, usart, dma, ram = line_with_dma(control=1 << 7 | 1)
    usart.arrive(bytes(range(17)))
    time.now = MILLISECOND * 5
    assert usart.read(0x1C, 4) & 1 << 3
    assert (dma.read(0x0C, 4), bytes(ram.content)) == (0, bytes(range(8)) + bytes(8))
    assert received(usart) == bytes(range(8, 16))


@pytest.mark.parametrize(
    "other",
    [
        {"request": 15},
        {"source": 0x40013828},
        {"target": 0x08080000},
        {"control": 1 << 7 | 1 << 5},
        {"control": 1 << 7 | 1 << 8 | 1},
    ],
    ids=["another request", "another register", "into flash", "not enabled", "halfwords"],
)
def test_a_dma_that_is_set_up_wrong_moves_nothing(other: dict[str, int]) -> None:
    """The UART's FIFO overflows."""
    time, usart, dma, ram = line_with_dma(**other)
    usart.arrive(bytes(range(12)))
    time.now = MILLISECOND * 5
    assert usart.read(0x1C, 4) & 1 << 3
    assert (dma.read(0x0C, 4), bytes(ram.content)) == (8, bytes(16))
    assert received(usart) == bytes(range(8))


def test_the_dma_keeps_its_settings_while_it_is_enabled() -> None:
    """Count and addresses can be written only while it is not."""
    _, _, dma, _ = line_with_dma()
    dma.write(0x0C, 4, 3)
    assert dma.read(0x0C, 4) == 8
    dma.write(0x08, 4, 0)
    dma.write(0x0C, 4, 3)
    assert dma.read(0x0C, 4) == 3


def test_the_dma_leaves_out_bytes_with_an_error() -> None:
    """The error's flag interrupts if CR3 says so."""
    time, usart, dma, ram = line_with_dma(9600)
    usart.write(0x08, 4, 1 << 6 | 1)
    usart.arrive(b"A")
    time.now = MILLISECOND // 8  # before the line falls idle
    assert usart.interrupt_at() == 0
    assert usart.read(0x1C, 4) & 1 << 1
    assert (dma.read(0x0C, 4), bytes(ram.content)) == (8, bytes(16))
    usart.write(0x20, 4, 1 << 1)
    assert usart.interrupt_at() > 0


def test_after_an_overrun_the_dma_waits_for_the_core() -> None:
    """Bytes that come before the core clears the flag are lost; those in the FIFO are not."""
    time, usart, dma, ram = line_with_dma()
    usart.write(0x08, 4, 1)
    usart.arrive(bytes(range(9)))
    time.now = MILLISECOND
    assert usart.interrupt_at() == 0
    usart.write(0x08, 4, 1 << 6 | 1)
    assert (dma.read(0x0C, 4), bytes(ram.content)) == (8, bytes(16))
    usart.write(0x20, 4, 1 << 3)
    assert (dma.read(0x0C, 4), bytes(ram.content)) == (8, bytes(range(8)) + bytes(8))


def test_a_core_that_only_polls_sees_the_count_go_down() -> None:
    """Nobody else has asked the UART."""
    time, usart, dma, _ = line_with_dma()
    usart.arrive(b"0123")
    time.now = MILLISECOND
    assert dma.read(0x0C, 4) == 4


def test_a_dma_that_is_enabled_late_takes_what_is_in_the_fifo() -> None:
    time, usart, dma, ram = line_with_dma(control=0)
    usart.arrive(b"0123")
    time.now = MILLISECOND
    assert usart.read(0x1C, 4) & 1 << 5
    dma.write(0x08, 4, 1 << 7 | 1 << 5 | 1)
    assert (dma.read(0x0C, 4), bytes(ram.content[:4])) == (4, b"0123")


def test_a_wrong_baud_rate_is_heard_as_rubbish() -> None:
    """Both directions receive garbage."""
    time, usart = serial_line(9600)
    usart.write(0x28, 4, 0x41)
    assert usart.take_sent() == b"\xff"
    usart.arrive(b"A")
    time.now = MILLISECOND
    assert received(usart) == b"\xff"


def test_without_its_pin_nothing_leaves() -> None:
    """A port that does not set the alternate function is silent, as on the board."""
    usart = USART(ChipTime(), clocks_at_64_mhz(), Pins(), DMA(RAM(), MEMORY, Multiplexer()), 115_200)
    usart.write(0x0C, 4, 555)
    usart.write(0x00, 4, 0b1001)
    usart.write(0x28, 4, 0x41)
    assert usart.take_sent() == b""


def test_sending_takes_its_time() -> None:
    """A full FIFO has no room until bytes have left."""
    time, usart = serial_line()
    for _ in range(100):
        while not usart.read(0x1C, 4) & 1 << 7:
            pass
        usart.write(0x28, 4, 0x55)
    assert time.now == pytest.approx(96 * 10 / 115_200 * 1e9, rel=0.1)


def test_a_semaphore_is_taken_by_reading_and_freed_by_its_owner() -> None:
    """RLR answers 0x80000400 to this core."""
    semaphores = Semaphores()
    assert semaphores.read(0x84, 4) == 0x80000400
    assert semaphores.read(0x04, 4) == 0x80000400
    semaphores.write(0x04, 4, 0x800)
    assert semaphores.read(0x04, 4) == 0x80000400
    semaphores.write(0x04, 4, 0x400)
    assert semaphores.read(0x04, 4) == 0


@pytest.fixture
def internal(tmp_path: Path) -> Iterator[Flash]:
    flash = Flash(tmp_path / "internal.bin", 0x08000000, 0x4000, 0x1000)
    yield flash
    flash.close()


def store(controller: FlashController, flash: Flash, address: int, *values: int) -> int:
    """Stores words as the core does, bypassing `program`; returns the controller's errors."""
    for number, value in enumerate(values):
        assert controller.stored(address + 4 * number, 4, value)
        flash.restore(address + 4 * number, value.to_bytes(4, "little"))
    while (state := controller.read(0x10, 4)) & 1 << 16:
        pass
    return state


def unlocked(flash: Flash, command: int) -> FlashController:
    controller = FlashController(ChipTime(), flash, Faults(), Profile())
    controller.write(0x08, 4, 0x45670123)
    controller.write(0x08, 4, 0xCDEF89AB)
    controller.write(0x14, 4, command)
    return controller


def test_internal_flash_takes_double_words_where_it_is_erased(internal: Flash) -> None:
    """Zeros can be written to any cell."""
    controller = unlocked(internal, 1)
    assert store(controller, internal, 0x08001000, 1, 2) == 0
    assert store(controller, internal, 0x08001000, 1, 0) & 1 << 3
    assert internal.read(0x08001000, 8) == b"\1\0\0\0\2\0\0\0"
    controller.write(0x10, 4, 0xFFFF)
    assert store(controller, internal, 0x08001000, 0, 0) == 0
    assert internal.read(0x08001000, 8) == bytes(8)


@pytest.mark.parametrize(
    ("between", "then"),
    [("settle_whole", b"\1\0\0\0\2\0\0\0"), ("settle", b"\xff" * 8)],
    ids=["the end of a slice", "a register"],
)
def test_only_an_act_of_the_program_comes_between_two_words(internal: Flash, between: str, then: bytes) -> None:
    """The emulator runs the core in slices, whose ends may fall anywhere."""
    controller = unlocked(internal, 1)
    for number, value in enumerate((1, 2)):
        address = 0x08001000 + 4 * number
        assert controller.stored(address, 4, value)
        internal.restore(address, value.to_bytes(4, "little"))
        getattr(controller, between)()
    controller.settle()
    assert internal.read(0x08001000, 8) == then


@pytest.mark.parametrize("values", [(1,), (1, 2)], ids=["half a double word", "locked"])
def test_internal_flash_refuses_what_is_out_of_sequence(internal: Flash, values: tuple[int, ...]) -> None:
    """The flash keeps its content."""
    if len(values) == 1:
        controller = unlocked(internal, 1)
    else:
        controller = FlashController(ChipTime(), internal, Faults(), Profile())
    assert store(controller, internal, 0x08001000, *values) & 1 << 7
    assert internal.read(0x08001000, 8) == b"\xff" * 8


def test_a_page_of_internal_flash_is_erased(internal: Flash) -> None:
    """The neighbouring pages stay as they are."""
    internal.program(0x08000000, bytes(0x4000))
    controller = unlocked(internal, 2 | 1 << 3)
    controller.write(0x14, 4, 2 | 1 << 3 | 1 << 16)
    assert internal.read(0x08000000, 0x4000) == bytes(0x1000) + b"\xff" * 0x1000 + bytes(0x2000)


class External:
    """QUADSPI and the flash behind it, driven by commands."""

    def __init__(self, flash: Flash) -> None:
        self.faults = Faults()
        self.shown = [False]
        time = ChipTime()
        self.quadspi = QUADSPI(time, NORFlash(time, flash, self.faults, Profile()), self._show)
        self.quadspi.write(0x00, 4, 1)

    def _show(self, *, visible: bool) -> None:
        self.shown.append(visible)

    def command(self, code: int, address: int | None = None, data: bytes = b"") -> None:
        with_data = 1 << 24 if data else 0
        self.quadspi.write(0x10, 4, max(len(data) - 1, 0))
        self.quadspi.write(0x14, 4, code | 1 << 8 | with_data | (0 if address is None else 3 << 12 | 1 << 10))
        if address is not None:
            self.quadspi.write(0x18, 4, address)
        for byte in data:
            self.quadspi.write(0x20, 1, byte)
        assert self.quadspi.read(0x08, 4) & 2
        self.quadspi.write(0x0C, 4, 2)

    def status(self) -> int:
        self.quadspi.write(0x10, 4, 0)
        self.quadspi.write(0x14, 4, 0x05 | 1 << 8 | 1 << 24 | 1 << 26)
        return self.quadspi.read(0x20, 1)

    def wait(self) -> None:
        """Polls until the part is no longer busy."""
        for offset, value in ((0x24, 1), (0x28, 0), (0x14, 0x05 | 1 << 8 | 1 << 24 | 2 << 26)):
            self.quadspi.write(offset, 4, value)
        while not self.quadspi.read(0x08, 4) & 8:
            pass
        self.quadspi.write(0x0C, 4, 8)


@pytest.fixture
def part(tmp_path: Path) -> Iterator[tuple[External, Flash]]:
    flash = Flash(tmp_path / "qspi.bin", 0x90000000, 0x20000, 0x10000)
    yield External(flash), flash
    flash.close()


def test_external_flash_is_written_only_when_that_is_enabled(part: tuple[External, Flash]) -> None:
    """Every write command needs a new write enable."""
    external, flash = part
    external.command(0x12, 0x100, b"abc")
    assert flash.read(0x90000100, 3) == b"\xff" * 3
    external.command(0x06)
    external.command(0x12, 0x100, b"abc")
    external.wait()
    external.command(0x12, 0x103, b"d")
    assert flash.read(0x90000100, 4) == b"abc\xff"


def test_a_page_that_overflows_comes_round(part: tuple[External, Flash]) -> None:
    """Bytes past a page's end wrap to its beginning, as in the data sheet."""
    external, flash = part
    external.command(0x06)
    external.command(0x12, 0x1FE, b"abcd")
    assert flash.read(0x900001FE, 2) == b"ab"
    assert flash.read(0x90000100, 2) == b"cd"


def test_a_sector_is_erased_and_the_part_is_busy_meanwhile(part: tuple[External, Flash]) -> None:
    """The sector has 64 KB; the part ignores commands until the erase has ended."""
    external, flash = part
    flash.program(0x90000000, bytes(0x20000))
    external.command(0x06)
    external.command(0xDC, 0x10123)
    assert external.status() & 1
    external.command(0x06)
    external.wait()
    assert external.status() == 0
    assert flash.read(0x90000000, 0x20000) == bytes(0x10000) + b"\xff" * 0x10000


def test_a_failed_program_keeps_the_part_busy_until_it_was_seen(part: tuple[External, Flash]) -> None:
    """P_ERR stays set until the status is cleared."""
    external, flash = part
    external.faults.external_write = 0
    external.command(0x06)
    external.command(0x12, 0, b"abc")
    assert external.status() & 0x41 == 0x41
    external.command(0x30)
    assert external.status() == 0
    assert flash.read(0x90000000, 3) == b"\xff" * 3


def test_the_window_is_open_or_commands_are_heard(part: tuple[External, Flash]) -> None:
    """Switching from the memory window to commands needs an abort."""
    external, _ = part
    external.quadspi.write(0x14, 4, 0x13 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 24 | 3 << 26)
    assert external.shown == [False, True]
    external.quadspi.write(0x14, 4, 0x06 | 1 << 8)
    assert external.shown == [False, True]
    assert not external.quadspi.read(0x08, 4) & 2
    external.quadspi.write(0x00, 4, 1 | 2)
    assert external.shown == [False, True, False]
    external.command(0x06)
    assert external.status() & 2
