# SPDX-License-Identifier: Apache-2.0
"""The microcontroller from one reset to the next: core, memories and peripherals wired together, run a slice at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from virtual_bench.emulator import clocks as rcc
from virtual_bench.emulator.chip_time import MILLISECOND, NEVER, SECOND, ChipTime
from virtual_bench.emulator.clocks import Clocks, Power
from virtual_bench.emulator.coprocessor import Coprocessor
from virtual_bench.emulator.cpu import CPU, Crash
from virtual_bench.emulator.dma import DMA, Multiplexer
from virtual_bench.emulator.flash_controller import FlashController
from virtual_bench.emulator.mailbox import Mailbox
from virtual_bench.emulator.nor_flash import NORFlash
from virtual_bench.emulator.peripheral import Peripheral
from virtual_bench.emulator.pins import Pins
from virtual_bench.emulator.pka import PKA
from virtual_bench.emulator.quadspi import QUADSPI
from virtual_bench.emulator.rng import RNG
from virtual_bench.emulator.semaphores import Semaphores
from virtual_bench.emulator.sharing import RAM, UID_PAGE, Seat
from virtual_bench.emulator.system_control import SystemControl
from virtual_bench.emulator.timer import Timer
from virtual_bench.emulator.usart import USART
from virtual_bench.hardware.chip_faults import ChipFaults
from virtual_bench.hardware.hardware import Hardware

UID = 0x1FFF7590
BLOCK = 10  # address bits within one peripheral
TIMER_INTERRUPT, USART_INTERRUPT = 28, 36
SLICE = 16_384  # instructions: a quarter of a millisecond, too short for the UART's FIFO to overflow
STEPS = 64  # slices, and sleeps between them, before the other boards get their turn
SHORT_SLEEP = 2 * MILLISECOND  # the clock skips sleeps up to this length at once
LATENCY = MILLISECOND // 2
UNMASKING = 64  # instructions after which a core that masks interrupts usually unmasks them


class Outcome(Enum):
    RAN = "ran"
    SLEEPS = "sleeps"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class FromRAM:
    """A start without a reset: RAM as a probe has loaded it, and the address of the vectors in it."""

    content: bytes
    vectors: int


@dataclass(slots=True)
class Gated:
    """A peripheral and the bit that enables its clock."""

    base: int
    read: Callable[[int, int], int]
    write: Callable[[int, int, int], None]
    gate: tuple[int, int] | None


class PowerLost(Crash):
    """The supply failed in the middle of an operation."""


class Chip:
    """One STM32WB55. It starts as after a reset, in flash or in RAM. Raises Crash if no code can run at its reset vector."""

    def __init__(self, hardware: Hardware, loaded: FromRAM | None = None) -> None:
        self._hardware = hardware
        self.internal, self.external = hardware.internal, hardware.external
        self.window_is_open = False
        self.loaded = loaded.content if loaded else None
        self.time = ChipTime()
        self.time.next_interrupt = self._next_taken_interrupt
        self.time.interrupt = self._stop
        self._in_handler = False
        self._wire_peripherals()
        self.stored = self.flash.stored
        offset = UID - UID_PAGE[0]
        uid_page = bytes(offset) + hardware.uid + bytes(UID_PAGE[1] - offset - len(hardware.uid))
        self._seat = Seat(self, self.loaded or bytes(RAM[1]), uid_page)
        self.cpu: CPU = self._seat.take()
        if loaded is None:
            vectors = hardware.internal.read(hardware.internal.base, 8)
        else:
            vectors = self.cpu.read(loaded.vectors, 8)
        self.cpu.start(int.from_bytes(vectors[:4], "little"), int.from_bytes(vectors[4:], "little"))

    def ram(self) -> bytes:
        """The content of the SRAM."""
        self.cpu = self._seat.take()
        self.dma.settle()
        return self.cpu.read(*RAM)

    def _stop(self) -> None:
        self.cpu.stop()

    def trace(self, executed: Callable[[int], None]) -> None:
        """Calls this with the address of each instruction before the core executes it."""
        self._seat.sit_alone()
        self._seat.take().trace(executed)

    def run(self) -> Outcome:
        """Executes for a few milliseconds at most. If the chip then sleeps, `wakes_at` is its end. Raises Crash."""
        self.cpu = self._seat.take()
        self.time.begin_turn()
        for _ in range(STEPS):
            self._take_interrupt()
            if self.time.has_leapt():
                return Outcome.RAN
            self.dma.settle()
            handled = self.cpu.run(SLICE)
            self.flash.settle_whole()
            if self.flash.changed:
                self._seat.own(self.flash.changed)
                self.flash.changed.clear()
            if handled:
                self.cpu.leave_exception()
                self._in_handler = False
            elif self.system.reset_requested:
                return Outcome.RESET
            elif self.time.has_leapt():
                self.time.now += SLICE * SECOND // self.clocks.frequency // 2  # it stopped anywhere in this slice
                return Outcome.RAN
            elif self.cpu.sleeps():
                alarm = self.wakes_at()
                if alarm > self.time.now + SHORT_SLEEP:
                    return Outcome.SLEEPS
                self._wake(alarm)
            else:
                self.time.now += SLICE * SECOND // self.clocks.frequency
        return Outcome.RAN

    def _wake(self, alarm: int) -> None:
        """The latest moment to wake the core for received bytes; waking it for each byte would be expensive."""
        self.time.reach(alarm)
        self.time.reach(min(self.usart.full_at(), self.time.now + LATENCY))

    def wakes_at(self) -> int:
        """The moment of the next enabled interrupt, if no byte arrives before."""
        timer = self.timer.interrupt_at() if self.system.enabled(TIMER_INTERRUPT) else NEVER
        usart = self.usart.interrupt_at() if self.system.enabled(USART_INTERRUPT) else NEVER
        return min(timer, usart)

    def _next_taken_interrupt(self) -> int:
        if self._in_handler or self.cpu.interrupts_masked:
            return NEVER
        return self.wakes_at()

    def _take_interrupt(self) -> None:
        """Enters the handler of a due interrupt. A masked one is entered as soon as it is unmasked."""
        if self._in_handler or self.wakes_at() > self.time.now:
            return
        steps = 0
        while self.cpu.interrupts_masked:
            steps += 1
            if steps > UNMASKING or self.cpu.run(1) or self.time.has_leapt() or self.cpu.sleeps():
                return
        if steps and self.wakes_at() > self.time.now:
            return
        timer = self.system.enabled(TIMER_INTERRUPT) and self.timer.interrupt_at() <= self.time.now
        number = TIMER_INTERRUPT if timer else USART_INTERRUPT
        self.cpu.enter_exception(16 + number, self.cpu.word(self.system.vector(number)))
        self._in_handler = True

    def _wire_peripherals(self) -> None:
        hardware, time, profile = self._hardware, self.time, self._hardware.profile
        faults = _Spoiled(hardware.faults, self)
        self.clocks = Clocks()
        self.system = SystemControl()
        self.timer = Timer(time, self.clocks)
        port_b = Pins()
        multiplexer = Multiplexer()
        self.dma = DMA(_Memory(self), RAM, multiplexer)
        self.usart = USART(time, self.clocks, port_b, self.dma, profile.uart_bytes * 10)
        self.flash = FlashController(time, hardware.internal, faults, profile)
        coprocessor = Coprocessor(_Memory(self), hardware.secure_storage, stack_runs=hardware.radio.stack_runs)
        mailbox = Mailbox(time, coprocessor, profile.p256_operation)
        quadspi = QUADSPI(time, NORFlash(time, hardware.external, faults, profile), self._show_window)
        self._blocks: dict[int, Gated] = {}
        self._place(0x40000000, self.timer, (rcc.APB1ENR1, 0))
        self._place(0x40013800, self.usart, (rcc.APB2ENR, 14))
        self._place(0x40020000, self.dma, (rcc.AHB1ENR, 0))
        self._place(0x40020800, multiplexer, (rcc.AHB1ENR, 2))
        for bit, port in enumerate((Pins(), port_b, Pins(), Pins(), Pins())):
            self._place(0x48000000 + 0x400 * bit, port, (rcc.AHB2ENR, bit))
        self._place(0x58000000, self.clocks)
        self._place(0x58000400, Power(mailbox.boot_coprocessor))
        self._place(0x58000C00, mailbox, (rcc.AHB3ENR, 20))
        self._place(0x58001000, RNG(time, self.clocks, faults), (rcc.AHB3ENR, 18))
        self._place(0x58001400, Semaphores(), (rcc.AHB3ENR, 19))
        self._place(0x58002000, PKA(time, faults, profile.p256_operation), (rcc.AHB3ENR, 16), blocks=5)
        self._place(0x58004000, self.flash)
        self._place(0xA0001000, quadspi, (rcc.AHB3ENR, 8))
        self._place(0xE000E000, self.system, blocks=4)
        self.clocks.gates_changed = self._feed
        self._feed()

    def _place(
        self, base: int, peripheral: Peripheral, gate: tuple[int, int] | None = None, *, blocks: int = 1
    ) -> None:
        gated = Gated(base, peripheral.read, peripheral.write, gate)
        self._blocks.update(dict.fromkeys(range(base >> BLOCK, (base >> BLOCK) + blocks), gated))

    def _feed(self) -> None:
        """The peripheral at this address. Without its clock it reads as zeros and ignores writes."""
        self._fed = {
            number: block
            for number, block in self._blocks.items()
            if block.gate is None or self.clocks.feeds(*block.gate)
        }

    def _show_window(self, *, visible: bool) -> None:
        self.window_is_open = visible
        self.cpu.show(self.external.base, self.external.size, visible=visible)

    def read_register(self, address: int, width: int) -> int:
        """A read of the core on the bus."""
        fed = self._fed.get(address >> BLOCK)
        if fed is not None:
            return fed.read(address - fed.base, width)
        if address >> BLOCK not in self._blocks:
            self.cpu.refuse(Crash(f"a read at 0x{address:08X}, where no peripheral is"))
        return 0

    def write_register(self, address: int, width: int, value: int) -> None:
        """A write of the core on the bus."""
        fed = self._fed.get(address >> BLOCK)
        if fed is not None:
            fed.write(address - fed.base, width, value)
        elif address >> BLOCK not in self._blocks:
            self.cpu.refuse(Crash(f"a write at 0x{address:08X}, where no peripheral is"))


class _Memory:
    """The chip's memory, for the coprocessor."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip

    def read(self, address: int, size: int) -> bytes:
        return self._chip.cpu.read(address, size)

    def write(self, address: int, data: bytes) -> None:
        self._chip.cpu.write(address, data)


class _Spoiled:
    """The chip's faults; a power cut stops the core, too."""

    def __init__(self, faults: ChipFaults, chip: Chip) -> None:
        self._faults = faults
        self._chip = chip
        self.random_fails = faults.random_fails
        self.accelerator_fails = faults.accelerator_fails
        self.external_write_fails = faults.external_write_fails

    def power_goes(self) -> bool:
        goes = self._faults.power_goes()
        if goes:
            self._chip.cpu.refuse(PowerLost("the power went"))
        return goes
